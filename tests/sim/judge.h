#pragma once
/*
 * The independent judge of what a validating resolver tells. It reads zones, keys and the tree, and
 * nothing of how the resolver came to its answer: an answer may be made of lies, late, stale or from
 * disk, and is judged all the same. What must hold without CD, in all worlds with a signed root:
 *
 *   - each RRset told, in whichever section, is whole and as its owner signed it, and so is each
 *     RRSIG with it, where the tree says that the owner's zone is secure; neither TTL is longer,
 *     unless the operator has a minimum, and none outlasts a signature;
 *   - what follows from the answer (its chain of aliases, its end, its rcode) is the truth, as far as
 *     it leads through such zones. SERVFAIL is no lie, and for others to complain about;
 *   - with AD every RRset of answer and authority is of that kind (RFC 4035 §3.2.3), with DO they have
 *     their signatures, and denials and wildcards have their whole proof.
 *
 * Free is what nobody can tell from a lie: zones that the tree says are insecure, and names of which an
 * opt-out zone says nothing (RFC 5155 §6). There anything may be told, but without AD.
 */
#include "dns/message.h"
#include "sim/stub.h"

enum { JUDGE_DETAIL_MAX = 400 };

/* What is wrong with M of RCODE, the answer to C; NULL: nothing. DETAIL says where. */
const char *judge_answer(struct sim *s, const struct stub *c, const struct message *m,
			 uint16_t rcode, char detail[static JUDGE_DETAIL_MAX]);
