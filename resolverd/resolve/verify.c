#include "resolve/verify.h"

#include "dns/rdata.h"

void verify_charge(struct query *q, unsigned cost_us)
{
	struct resolver *r = q->resolver;
	r->work_us += cost_us;
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

/* One more check, of CHECK, is about to be made. */
static enum err spend(struct query *q, const struct crypto_check *check)
{
	struct budget *b = q->budget;
	unsigned cost_us = crypto_cost_us(check);
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
	b->signature_checks++;
	metrics_add(q->resolver->metrics, METRIC_dnssec_signature_checks_total, 1);
	return OK;
}

struct trial { /* of one set */
	struct query *query;
	struct rrset *set;
	struct checked *memo;
	unsigned known; /* attempts of an earlier run, which come in the same order */
};

/* Try SIG with each key of its tag. */
static enum err try_signature(struct trial *t, struct span sig, enum crypto_result *out)
{
	struct query *q = t->query;
	struct checked *memo = t->memo;
	struct rrset_iter it = rrset_records(&memo->keys->set);
	struct span key;
	unsigned tried = 0, labels;
	*out = CRYPTO_MISMATCH;
	for (unsigned n = 0; n < LIMIT_DNSKEYS && rrset_next(&it, &key); n++) {
		struct crypto_check check = {.set = t->set,
					     .sig = sig,
					     .key = key,
					     .key_owner = memo->keys->set.owner,
					     .unix_s = q->resolver->now.unix_s,
					     .accept_sha1 = q->settings->accept_sha1};
		enum crypto_result result = crypto_precheck(&check);
		if (result != CRYPTO_GOOD) {
			*out = *out == CRYPTO_MISMATCH ? result : *out;
			continue;
		}
		if (tried++ >= LIMIT_KEYS_PER_TAG)
			break;
		if (t->known > 0) {
			t->known--;
			*out = memo->worst;
			continue;
		}
		enum err err = spend(q, &check);
		if (err != OK)
			return err;
		*out = crypto_verify(q->resolver->keys, &check, &labels);
		if (*out == CRYPTO_GOOD)
			return OK;
		q->budget->failed_checks++;
		memo->attempts++;
		memo->worst = *out;
	}
	return OK;
}

/* SIG has made SET good. */
static enum err prove(struct trial *t, struct span sig, const struct rrsig_view *view)
{
	struct query *q = t->query;
	struct rrset *set = t->set;
	struct proven *proven = arena_alloc(&q->arena, sizeof(*proven));
	set->ttl_s = MIN(set->ttl_s, crypto_ttl_s(view, q->resolver->now.unix_s));
	if (!proven || proven_by_signature(set, sig, &q->arena, proven) != OK)
		return ERR_LIMIT;
	*set = proven->set;
	t->memo->proven = proven;
	return OK;
}

enum err verify_set(struct query *q, struct rrset *set, struct checked *memo,
		    enum crypto_result *out)
{
	struct trial trial = {.query = q, .set = set, .memo = memo, .known = memo->attempts};
	struct rrset_iter it = rrset_sigs(set);
	struct span rdata;
	struct rrsig_view sig;
	enum crypto_result worst = CRYPTO_MISMATCH;
	for (unsigned n = 0, tried = 0; n < RRSET_SIGS_MAX && tried < LIMIT_SIGS_PER_RRSET; n++) {
		if (!rrset_next(&it, &rdata))
			break;
		if (rdata_rrsig(rdata, &sig) != OK ||
		    !dname_equal(sig.signer, memo->keys->set.owner))
			continue;
		enum err err = try_signature(&trial, rdata, out);
		if (err != OK)
			return err;
		if (*out == CRYPTO_GOOD)
			return prove(&trial, rdata, &sig);
		tried += *out != CRYPTO_MISMATCH;
		worst = *out == CRYPTO_MISMATCH ? worst : *out;
	}
	*out = worst;
	return OK;
}
