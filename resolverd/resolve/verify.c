#include "resolve/verify.h"

#include "dns/rdata.h"

void verify_charge(struct query *q, unsigned cost_us)
{
	struct resolver *r = q->resolver;
	r->work_us += cost_us;
	r->total_work_us += cost_us;
	r->max_work_us = MAX(r->max_work_us, r->work_us);
	q->budget->work_us += cost_us;
}

void verify_end_wait(struct query *q)
{
	heap_remove(&q->resolver->turns, &q->turn);
}

void verify_charge_hashes(struct query *q, unsigned left_before)
{
	unsigned hashes = left_before - q->budget->denial.hashes_left;
	metrics_add(q->resolver->metrics, METRIC_dnssec_nsec3_hashes_total, hashes);
	verify_charge(q, hashes * LIMIT_NSEC3_HASH_US);
}

/* Q waits for a turn, for work of COST_US. False: memory is out. */
static bool wait_for_turn(struct query *q, unsigned cost_us)
{
	struct resolver *r = q->resolver;
	/* Who will have cost least by then goes first. Counting only what is spent would let the first
	 * signature of each attack go before the second one of an honest chain. */
	if (heap_set(&r->turns, &q->turn, q->budget->work_us + cost_us) != OK)
		return false;
	r->work_refused = true;
	metrics_add(r->metrics, METRIC_dnssec_pauses_total, 1);
	return true;
}

bool verify_has_turn(struct query *q, unsigned cost_us)
{
	const struct resolver *r = q->resolver;
	if (r->work_us + cost_us <= r->work_limit_us || (r->work_is_turn && r->work_us == 0))
		return true;
	return !wait_for_turn(q, cost_us); /* out of memory: better at once than never */
}

unsigned verify_hashes_now(const struct query *q)
{
	const struct resolver *r = q->resolver;
	uint64_t left_us = r->work_limit_us - MIN(r->work_us, r->work_limit_us);
	return (unsigned)(left_us / LIMIT_NSEC3_HASH_US);
}

bool verify_pause(struct query *q)
{
	return wait_for_turn(q, LIMIT_NSEC3_HASH_US);
}

void verify_begin_step(struct resolver *r, struct now now, bool is_turn)
{
	/* Events of one turn of the daemon's loop carry the same time. */
	if (is_turn || now.mono_us != r->now.mono_us)
		r->work_us = 0;
	r->work_is_turn = is_turn;
	r->work_limit_us = is_turn ? LIMIT_TURN_WORK_US : LIMIT_STEP_WORK_US;
	r->work_refused = false;
}

struct query *verify_next(struct resolver *r)
{
	struct heap_node *first = heap_min(&r->turns);
	if (!first || r->work_refused)
		return NULL;
	heap_remove(&r->turns, first);
	return (struct query *)(void *)((char *)first - offsetof(struct query, turn));
}

const struct keyset *verify_keyset(struct query *q, const struct proven *keys, bool whole)
{
	struct keyset *out = arena_alloc(&q->arena, sizeof(*out));
	struct rrset_iter it = rrset_records(&keys->set);
	struct span key;
	if (!out)
		return NULL;
	out->proven = *keys;
	out->whole = whole;
	out->refetched = q->keys_refetched;
	while (out->count < LIMIT_DNSKEYS && rrset_next(&it, &key))
		out->tags[out->count++] = rdata_dnskey_tag(key);
	verify_charge(q, 1 + (unsigned)(keys->set.rdata.len / LIMIT_TAG_BYTES_PER_US));
	return out;
}

struct trial { /* of one set */
	struct query *query;
	struct rrset *set;
	struct checked *memo;
	unsigned known;	    /* attempts of an earlier run, which come in the same order */
	unsigned search_us; /* what it takes to find the keys of the signature, not charged yet */
};

/* One more check, of CHECK, is about to be made. */
static enum err spend(struct trial *t, const struct crypto_check *check)
{
	struct query *q = t->query;
	struct budget *b = q->budget;
	unsigned cost_us = crypto_cost_us(check) + t->search_us;
	if (b->signature_checks >= LIMIT_SIGNATURE_CHECKS ||
	    b->failed_checks >= LIMIT_FAILED_CHECKS) {
		query_count_limit(q, b->failed_checks >= LIMIT_FAILED_CHECKS
					     ? "limit of failed signature checks reached"
					     : "limit of signature checks reached");
		return ERR_LIMIT;
	}
	if (!verify_has_turn(q, cost_us))
		return ERR_BUSY;
	verify_charge(q, cost_us);
	t->search_us = 0;
	b->signature_checks++;
	metrics_add(q->resolver->metrics, METRIC_dnssec_signature_checks_total, 1);
	return OK;
}

unsigned verify_look_us(const uint8_t *owner)
{
	return 1 + (unsigned)dname_len(owner) / LIMIT_NAME_BYTES_PER_US;
}

/* How long it takes to look at a signature over SET and at the keys of its TAG: all may have it, and each
 * of 32 signatures on each of 40 sets of a reply may name it. */
static unsigned search_us(const struct keyset *keys, const struct rrset *set, uint16_t tag)
{
	unsigned count = 1;
	for (unsigned i = 0; i < keys->count && count <= LIMIT_KEYS_LOOKED_AT; i++)
		count += keys->tags[i] == tag;
	return count * verify_look_us(set->owner);
}

/* CHECK with one more key of the signature's tag. OK and *OUT: what came of it. */
static enum err try_key(struct trial *t, const struct crypto_check *check, enum crypto_result *out)
{
	struct query *q = t->query;
	struct checked *memo = t->memo;
	unsigned labels;
	if (t->known > 0) {
		t->known--;
		*out = memo->worst;
		return OK;
	}
	enum err err = spend(t, check);
	if (err != OK)
		return err;
	*out = crypto_verify(q->resolver->keys, check, &labels);
	if (*out == CRYPTO_GOOD)
		return OK;
	q->budget->failed_checks++;
	memo->attempts++;
	memo->worst = *out;
	return OK;
}

/* Try SIG, which reads as VIEW, with each key of its tag. */
static enum err try_signature(struct trial *t, struct span sig, const struct rrsig_view *view,
			      enum crypto_result *out)
{
	struct query *q = t->query;
	const struct keyset *keys = t->memo->keys;
	struct rrset_iter it = rrset_records(&keys->proven.set);
	struct crypto_check check = {.set = t->set,
				     .sig = sig,
				     .key_owner = keys->proven.set.owner,
				     .unix_s = q->resolver->now.unix_s,
				     .accept_sha1 = q->settings->accept_sha1,
				     .has_tag = true};
	unsigned tried = 0, looked_at = 0;
	*out = CRYPTO_MISMATCH;
	t->search_us = search_us(keys, t->set, view->key_tag);
	if (!verify_has_turn(q, t->search_us))
		return ERR_BUSY;
	for (unsigned n = 0; n < keys->count && rrset_next(&it, &check.key); n++) {
		check.key_tag = keys->tags[n];
		if (check.key_tag != view->key_tag)
			continue;
		if (looked_at++ >= LIMIT_KEYS_LOOKED_AT)
			break;
		enum crypto_result result = crypto_precheck(&check);
		if (result != CRYPTO_GOOD) {
			*out = *out == CRYPTO_MISMATCH ? result : *out;
			continue;
		}
		if (tried++ >= LIMIT_KEYS_PER_TAG)
			break;
		enum err err = try_key(t, &check, out);
		if (err != OK || *out == CRYPTO_GOOD)
			return err;
	}
	/* Charged last, so that a check always has its turn to itself if it needs that. */
	verify_charge(q, t->search_us);
	return OK;
}

/* SIG has made SET good. */
static enum err prove(struct trial *t, struct span sig, const struct rrsig_view *view)
{
	struct query *q = t->query;
	struct rrset *set = t->set;
	struct proven *proven = arena_alloc(&q->arena, sizeof(*proven));
	int64_t unix_s = q->resolver->now.unix_s;
	set->ttl_s = MIN(set->ttl_s, crypto_ttl_s(view, unix_s));
	if (!proven ||
	    proven_by_signature(set, sig, crypto_left_s(view, unix_s), &q->arena, proven) != OK)
		return ERR_LIMIT;
	*set = proven->set;
	t->memo->proven = proven;
	return OK;
}

/* The signature that was looked at last came to RESULT, which is not good. */
static void note_signature(struct checked *memo, enum crypto_result result)
{
	memo->sigs_done++;
	memo->attempts = 0;
	if (result == CRYPTO_MISMATCH)
		return;
	memo->sigs_tried++;
	memo->sigs_worst = result;
}

enum err verify_set(struct query *q, struct rrset *set, struct checked *memo,
		    enum crypto_result *out)
{
	struct trial trial = {.query = q, .set = set, .memo = memo, .known = memo->attempts};
	const uint8_t *zone = memo->keys->proven.set.owner;
	struct rrset_iter it = rrset_sigs(set);
	struct span rdata;
	struct rrsig_view sig;
	for (unsigned n = 0; n < RRSET_SIGS_MAX && memo->sigs_tried < LIMIT_SIGS_PER_RRSET; n++) {
		if (!rrset_next(&it, &rdata))
			break;
		if (n < memo->sigs_done)
			continue;
		*out = CRYPTO_MISMATCH;
		if (rdata_rrsig(rdata, &sig) == OK && dname_equal(sig.signer, zone)) {
			enum err err = try_signature(&trial, rdata, &sig, out);
			if (err != OK)
				return err;
			if (*out == CRYPTO_GOOD)
				return prove(&trial, rdata, &sig);
		}
		note_signature(memo, *out);
	}
	*out = memo->sigs_tried > 0 ? memo->sigs_worst : CRYPTO_MISMATCH;
	return OK;
}
