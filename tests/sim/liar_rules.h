#pragma once
/*
 * How each rule of the liar changes a draft. A rule that finds nothing to change leaves it as it is.
 */
#include "sim/liar.h"

void rule_drop_set(struct draft *d);
void rule_drop_signatures(struct draft *d);
void rule_drop_data(struct draft *d);
void rule_drop_record(struct draft *d);
void rule_add_record(struct draft *d);
void rule_replace(struct draft *d);
void rule_replace_unsigned(struct draft *d);
void rule_swap(struct draft *d);
void rule_duplicate(struct draft *d);
void rule_other_section(struct draft *d);
void rule_other_owner(struct draft *d);
void rule_other_ttl(struct draft *d);
void rule_sign_stranger(struct draft *d);
void rule_sign_sibling(struct draft *d);
void rule_sign_child(struct draft *d);
void rule_sign_parent(struct draft *d);
void rule_sign_besides(struct draft *d);
void rule_old_data(struct draft *d);
void rule_old_signature(struct draft *d);
void rule_dying_signature(struct draft *d);
void rule_wrong_signer(struct draft *d);
void rule_wrong_labels(struct draft *d);
void rule_lend_signature(struct draft *d);
void rule_wrong_field(struct draft *d);
void rule_invent_unsigned(struct draft *d);
void rule_invent_forged(struct draft *d);
void rule_replay(struct draft *d);
void rule_other_denial(struct draft *d);
void rule_same_denial(struct draft *d);
void rule_expand(struct draft *d);
void rule_deny(struct draft *d);
void rule_rcode(struct draft *d);
void rule_empty(struct draft *d);
void rule_refer(struct draft *d);
void rule_no_opt(struct draft *d);
/* The rest of an alias chain that leads to another zone, as it was last year. */
void rule_gossip(struct draft *d);
