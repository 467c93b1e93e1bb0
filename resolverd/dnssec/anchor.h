#pragma once
/*
 * Trust anchors: configured DS and DNSKEY records, and the RFC 5011 state machine that follows key
 * rollovers of an anchored zone. No files, no clock: state goes in and out as text.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/now.h"
#include "dns/rrset.h"

enum {
	ANCHOR_KEYS_MAX = 16,		    /* keys tracked per zone: the root has had at most 4 */
	ANCHOR_ADD_HOLD_S = 30 * 24 * 3600, /* RFC 5011 §2.4.1 */
	ANCHOR_REMOVE_HOLD_S = 30 * 24 * 3600,
};

enum anchor_state {
	ANCHOR_START,
	ANCHOR_ADD_PEND,
	ANCHOR_VALID,
	ANCHOR_MISSING,
	ANCHOR_REVOKED,
	ANCHOR_REMOVED
};

struct anchor_key {
	enum anchor_state state;
	int64_t since_unix_s; /* of the state; first seen for ADD_PEND */
	bool is_ds;	      /* a DS that waits for its key; DNSKEY otherwise */
	uint16_t rdata_len;
	uint8_t rdata[1024]; /* DS or DNSKEY RDATA; longer keys are refused */
};

struct anchor { /* one zone; main thread or one resolver */
	uint8_t zone[DNAME_MAX];
	bool managed;	  /* RFC 5011 applies */
	bool accept_sha1; /* anchor_add_text() takes SHA-1 digests and algorithms 5 and 7 */
	uint8_t key_count;
	struct anchor_key keys[ANCHOR_KEYS_MAX];
};

/* Add a configured record in presentation form ("OWNER DS ..." or "OWNER DNSKEY ...", TTL and
 * class optional; "TAG ALG TYPE DIGEST" alone means the root's DS). It is trusted from now on, unless
 * it is known as revoked. A begins zeroed; its first record gives it its zone. ERR_MALFORMED,
 * ERR_LIMIT; ERR_UNSUPPORTED for algorithms and digests that are not validated here; ERR_EXISTS if
 * RECORD is of another zone than A already holds. */
MUST_USE enum err anchor_add_text(struct anchor *a, const char *record);

/* The zone that RECORD, as above, is of, in lower case. ERR_MALFORMED. */
MUST_USE enum err anchor_zone_of(const char *record, uint8_t out[static DNAME_MAX]);

/* Put CONFIGURED, what the operator says today, over A, the state kept for the same zone: each of its
 * records counts as added again. ERR_NOT_FOUND if A knows none of them, so that it tells of keys
 * that nobody vouches for any more; ERR_LIMIT. A is unchanged then. */
MUST_USE enum err anchor_merge(struct anchor *a, const struct anchor *configured);

/* KEY (DNSKEY RDATA of A's zone) is trusted now (VALID or MISSING state, by key or by DS). */
bool anchor_trusts_key(const struct anchor *a, struct span dnskey);

/* RFC 5011 §2: DNSKEYS is the zone's apex set, validated by a currently trusted key; SELF_SIGNED[i]
 * says whether record i, in the set's order, signs the set itself (needed for revocation). Advances the
 * state machine, if A is managed; true if anything changed (persist then). */
bool anchor_observe(struct anchor *a, const struct rrset *dnskeys, const bool *self_signed,
		    int64_t unix_s);
/* When to look again, seconds from now (RFC 5011 §2.3 active refresh). */
uint32_t anchor_refresh_s(uint32_t original_ttl_s, uint32_t sig_validity_left_s, bool failed);

/* State as text lines and back (a damaged text: ERR_MALFORMED, nothing changed). ANCHOR_TEXT_MAX
 * bytes hold any state; ERR_NO_SPACE in fewer. */
enum { ANCHOR_TEXT_MAX = ANCHOR_KEYS_MAX * (2 * 1024 + 64) + DNAME_TEXT_MAX + 128 };
MUST_USE enum err anchor_write(const struct anchor *a, char *out, size_t size_bytes, size_t *len);
MUST_USE enum err anchor_read(const char *text, size_t len, struct anchor *out);

/* Key tags of trusted keys, for RFC 8145 and RFC 8509. Returns how many. */
size_t anchor_tags(const struct anchor *a, uint16_t *out, size_t max);
const char *anchor_state_text(enum anchor_state state);
