#include "dnssec/nsec3.h"

#include "dns/rdata.h"
#include "dnssec/crypto.h"
#include "dnssec/nsec.h"

enum { NSEC3_ALGORITHM_SHA1 = 1 };

/* Records that are to be ignored say nothing (RFC 5155 §8.1, §8.2). */
static bool view_is_usable(const struct nsec3_view *view)
{
	return view->algorithm == NSEC3_ALGORITHM_SHA1 && (view->flags & ~NSEC3_OPT_OUT) == 0 &&
	       view->next_hash.len == NSEC3_HASH_SIZE;
}

void nsec3_add(struct nsec3_records *r, const struct rrset *set)
{
	struct nsec3 n;
	struct span rdata;
	struct nsec3_view view;
	struct rrset_iter it = rrset_records(set);
	if (r->count >= DENIAL_SETS_MAX || !rrset_next(&it, &rdata) ||
	    rdata_nsec3(rdata, &view) != OK || !view_is_usable(&view))
		return;
	/* The hash is one label directly below the apex (RFC 5155 §3.1): deeper, it would be some
	 * other zone's. */
	if (!rdata_nsec3_owner(set->owner, n.owner) ||
	    !dname_equal(dname_skip(set->owner, 1), r->zone))
		return;
	if (view.iterations > DENIAL_ITERATIONS_MAX) {
		r->iterations_exceeded = true;
		return;
	}
	if (r->count == 0) {
		r->iterations = view.iterations;
		r->salt = view.salt;
	} else if (r->iterations != view.iterations || !span_equal(r->salt, view.salt)) {
		return; /* RFC 5155 §8.2: parameters of one proof agree */
	}
	n.next = view.next_hash.at;
	n.opt_out = view.flags & NSEC3_OPT_OUT;
	n.bitmap = view.bitmap;
	r->at[r->count++] = n;
}

/* ---- hashes ---- */

/* A proof about QNAME begins, or goes on: what is remembered of others is of no use. */
static void recall(const struct nsec3_records *r, const uint8_t *qname)
{
	struct denial_memo *m = r->memo;
	if (!m || (dname_equal(m->qname, qname) && m->iterations == r->iterations &&
		   span_equal(span_of(m->salt, m->salt_len), r->salt)))
		return;
	dname_copy(qname, m->qname);
	m->iterations = r->iterations;
	m->salt_len = (uint8_t)r->salt.len;
	if (r->salt.len > 0)
		memcpy(m->salt, r->salt.at, r->salt.len);
	memset(m->known, 0, sizeof(m->known));
	m->wildcard_known = false;
}

/* One unit of the budget. DENIAL_PROVEN: OUT is filled. */
static enum denial_result compute(const struct nsec3_records *r, const uint8_t *name,
				  uint8_t out[static NSEC3_HASH_SIZE])
{
	if (r->budget->hashes_left == 0)
		return DENIAL_LIMIT;
	if (r->memo && r->memo->left == 0)
		return DENIAL_BUSY;
	r->budget->hashes_left--;
	if (r->memo)
		r->memo->left--;
	enum err err = crypto_nsec3_hash(name, NSEC3_ALGORITHM_SHA1, r->iterations, r->salt, out);
	return err == OK ? DENIAL_PROVEN : DENIAL_LIMIT;
}

/* NAME is the question's name or one above it, and has LABELS. */
static enum denial_result hash_name(const struct nsec3_records *r, const uint8_t *name,
				    unsigned labels, uint8_t out[static NSEC3_HASH_SIZE])
{
	struct denial_memo *m = r->memo;
	if (!m)
		return compute(r, name, out);
	if (!m->known[labels]) {
		enum denial_result result = compute(r, name, m->hashes[labels]);
		if (result != DENIAL_PROVEN)
			return result;
		m->known[labels] = true;
	}
	memcpy(out, m->hashes[labels], NSEC3_HASH_SIZE);
	return DENIAL_PROVEN;
}

static const struct nsec3 *find_match(const struct nsec3_records *r,
				      const uint8_t hash[static NSEC3_HASH_SIZE])
{
	for (unsigned i = 0; i < r->count; i++) {
		if (memcmp(r->at[i].owner, hash, NSEC3_HASH_SIZE) == 0)
			return &r->at[i];
	}
	return NULL;
}

/* HASH lies in the gap behind the owner; the last record's gap goes round through zero, and the
 * only record's holds everything but itself (RFC 5155 §1.3 "cover"). */
static bool covers(const struct nsec3 *n, const uint8_t hash[static NSEC3_HASH_SIZE])
{
	bool behind_owner = memcmp(n->owner, hash, NSEC3_HASH_SIZE) < 0;
	bool before_next = memcmp(hash, n->next, NSEC3_HASH_SIZE) < 0;
	int order = memcmp(n->owner, n->next, NSEC3_HASH_SIZE);
	if (order < 0)
		return behind_owner && before_next;
	if (order > 0)
		return behind_owner || before_next;
	return memcmp(n->owner, hash, NSEC3_HASH_SIZE) != 0;
}

static const struct nsec3 *find_cover(const struct nsec3_records *r,
				      const uint8_t hash[static NSEC3_HASH_SIZE])
{
	for (unsigned i = 0; i < r->count; i++) {
		if (covers(&r->at[i], hash))
			return &r->at[i];
	}
	return NULL;
}

/* The closest encloser proof (RFC 5155 §8.3). */
struct encloser {
	const uint8_t *name;
	unsigned labels;
	const struct nsec3 *match;	 /* of the encloser itself */
	const struct nsec3 *next_closer; /* covers the next closer name; NULL if NAME is QNAME */
};

/* Look for the longest ancestor-or-self of QNAME that has a record. DENIAL_PROVEN: QNAME has one,
 * or else its next closer name is covered. */
static enum denial_result find_encloser(const struct nsec3_records *r, const uint8_t *qname,
					struct encloser *out)
{
	uint8_t hash[NSEC3_HASH_SIZE], next_closer[NSEC3_HASH_SIZE];
	unsigned labels = dname_label_count(qname), zone_labels = dname_label_count(r->zone);
	bool is_qname = true;

	recall(r, qname);
	for (const uint8_t *name = qname;; name = dname_skip(name, 1), labels--) {
		enum denial_result hashed = hash_name(r, name, labels, hash);
		if (hashed != DENIAL_PROVEN)
			return hashed;
		const struct nsec3 *match = find_match(r, hash);
		if (match) {
			*out = (struct encloser){name, labels, match, NULL};
			break;
		}
		if (labels <= zone_labels)
			return DENIAL_NONE;
		is_qname = false;
		memcpy(next_closer, hash, sizeof(hash));
	}
	if (is_qname)
		return DENIAL_PROVEN;
	if (bitmap_is_end_of_zone(out->match->bitmap))
		return DENIAL_NONE;
	out->next_closer = find_cover(r, next_closer);
	return out->next_closer ? DENIAL_PROVEN : DENIAL_NONE;
}

/* RFC 5155 §9.2: an unsigned delegation may hide in an opt-out span. */
static enum denial_result proven_by(const struct nsec3 *next_closer)
{
	return next_closer->opt_out ? DENIAL_OPT_OUT : DENIAL_PROVEN;
}

static enum denial_result proven_if(bool condition)
{
	return condition ? DENIAL_PROVEN : DENIAL_NONE;
}

/* The wildcard below E, and its hash. The next closer name fits there, so the asterisk does. */
static enum denial_result hash_wildcard(const struct nsec3_records *r, const struct encloser *e,
					uint8_t wildcard[static DNAME_MAX],
					uint8_t hash[static NSEC3_HASH_SIZE])
{
	struct denial_memo *m = r->memo;
	REQUIRE(dname_wildcard(e->name, wildcard) == OK);
	if (m && m->wildcard_known && m->wildcard_labels == e->labels) {
		memcpy(hash, m->wildcard, NSEC3_HASH_SIZE);
		return DENIAL_PROVEN;
	}
	enum denial_result result = compute(r, wildcard, hash);
	if (m && result == DENIAL_PROVEN) {
		memcpy(m->wildcard, hash, NSEC3_HASH_SIZE);
		m->wildcard_labels = e->labels;
		m->wildcard_known = true;
	}
	return result;
}

/* RFC 5155 §8.4. */
enum denial_result nsec3_nxdomain(const struct nsec3_records *r, const uint8_t *qname)
{
	struct encloser e;
	uint8_t wildcard[DNAME_MAX], hash[NSEC3_HASH_SIZE];
	enum denial_result result = find_encloser(r, qname, &e);
	if (result != DENIAL_PROVEN)
		return result;
	if (!e.next_closer)
		return DENIAL_NONE;
	result = hash_wildcard(r, &e, wildcard, hash);
	if (result != DENIAL_PROVEN)
		return result;
	return find_cover(r, hash) ? proven_by(e.next_closer) : DENIAL_NONE;
}

/* RFC 5155 §8.7: QNAME matches a wildcard that lacks QTYPE. §8.6 for DS, and §7.1 for the empty
 * non-terminals above unsigned delegations: they need not have a record where opt-out reigns. */
static enum denial_result nodata_without_match(const struct nsec3_records *r,
					       const struct encloser *e, uint16_t qtype)
{
	uint8_t wildcard[DNAME_MAX], hash[NSEC3_HASH_SIZE];
	if (e->next_closer->opt_out)
		return DENIAL_OPT_OUT;
	enum denial_result result = hash_wildcard(r, e, wildcard, hash);
	if (result != DENIAL_PROVEN)
		return result;
	const struct nsec3 *match = find_match(r, hash);
	return proven_if(match && bitmap_proves_nodata(match->bitmap, wildcard, r->zone, qtype));
}

/* RFC 5155 §8.5, §8.6, §8.7. */
enum denial_result nsec3_nodata(const struct nsec3_records *r, const uint8_t *qname, uint16_t qtype)
{
	struct encloser e;
	enum denial_result result = find_encloser(r, qname, &e);
	if (result != DENIAL_PROVEN)
		return result;
	if (e.next_closer)
		return nodata_without_match(r, &e, qtype);
	return proven_if(bitmap_proves_nodata(e.match->bitmap, qname, r->zone, qtype));
}

/* RFC 5155 §8.8. */
enum denial_result nsec3_wildcard(const struct nsec3_records *r, const uint8_t *qname,
				  unsigned encloser_labels)
{
	uint8_t hash[NSEC3_HASH_SIZE];
	unsigned labels = dname_label_count(qname);
	if (encloser_labels >= labels || encloser_labels < dname_label_count(r->zone))
		return DENIAL_NONE;
	recall(r, qname);
	const uint8_t *next_closer = dname_skip(qname, labels - encloser_labels - 1);
	enum denial_result result = hash_name(r, next_closer, encloser_labels + 1, hash);
	if (result != DENIAL_PROVEN)
		return result;
	const struct nsec3 *cover = find_cover(r, hash);
	return cover ? proven_by(cover) : DENIAL_NONE;
}

/* RFC 5155 §8.9. */
enum denial_result nsec3_no_ds(const struct nsec3_records *r, const uint8_t *cut)
{
	struct encloser e;
	enum denial_result result = find_encloser(r, cut, &e);
	if (result != DENIAL_PROVEN)
		return result;
	if (e.next_closer)
		return e.next_closer->opt_out ? DENIAL_OPT_OUT : DENIAL_NONE;
	return proven_if(bitmap_proves_no_ds(e.match->bitmap, cut, r->zone));
}

unsigned nsec3_closest_encloser(const struct nsec3_records *r, const uint8_t *qname)
{
	struct encloser e;
	return find_encloser(r, qname, &e) == DENIAL_PROVEN ? e.labels : DENIAL_ENCLOSER_UNKNOWN;
}
