#pragma once
/*
 * Bricks for worlds made by hand: zones of one server each, delegated with glue.
 */
#include "sim/sim.h"

/* A zone of one server in its own domain, delegated at the end (brick_finish()). */
struct zone *brick_zone(struct sim *s, const char *apex, struct zone *parent);
/* Root and com. */
struct zone *brick_top(struct sim *s);
/* Delegations with these TTLs, unless a profile made one itself (a zone without hosts). */
void brick_delegate(struct sim *s, uint32_t parent_ttl_s, uint32_t child_ttl_s);
/* Nothing is added to the zones any more; what the resolver is told of them. */
void brick_seal(struct sim *s);
/* Both of these. */
void brick_finish(struct sim *s, uint32_t parent_ttl_s, uint32_t child_ttl_s);
void brick_a(struct sim *s, struct zone *z, const uint8_t *owner, uint32_t ttl_s);
void brick_ask(struct sim *s, uint64_t at_us, const char *name);
