#include "dnssec/anchor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/hash.h"
#include "dns/rdata.h"
#include "dns/text.h"
#include "dnssec/crypto.h"

enum {
	/* RFC 5011 §2.3. */
	REFRESH_MIN_S = 3600,
	REFRESH_MAX_S = 15 * 24 * 3600,
	RETRY_MAX_S = 24 * 3600,
	/* One record: 64 kB of RDATA from text and what is around it. */
	PARSE_ARENA_BYTES = 256 * 1024,
	RECORD_TEXT_MAX = 8192, /* a key of 1024 bytes takes 1366 letters; the rest is for blanks */
};

static_assert(ANCHOR_KEYS_MAX <= UINT8_MAX, "key_count counts them");

const char *anchor_state_text(enum anchor_state state)
{
	switch (state) {
	case ANCHOR_START:
		return "start";
	case ANCHOR_ADD_PEND:
		return "add-pending";
	case ANCHOR_VALID:
		return "valid";
	case ANCHOR_MISSING:
		return "missing";
	case ANCHOR_REVOKED:
		return "revoked";
	case ANCHOR_REMOVED:
		return "removed";
	}
	return "unknown";
}

static struct span key_rdata(const struct anchor_key *key)
{
	return span_of(key->rdata, key->rdata_len);
}

static bool is_trusted(const struct anchor_key *key)
{
	return key->state == ANCHOR_VALID || key->state == ANCHOR_MISSING;
}

static void key_set(struct anchor_key *key, struct span rdata, bool is_ds)
{
	REQUIRE(rdata.len <= sizeof(key->rdata));
	memcpy(key->rdata, rdata.at, rdata.len);
	key->rdata_len = (uint16_t)rdata.len;
	key->is_ds = is_ds;
}

static void key_enter(struct anchor_key *key, enum anchor_state state, int64_t unix_s)
{
	key->state = state;
	key->since_unix_s = unix_s;
}

static void key_drop(struct anchor *a, unsigned index)
{
	a->key_count--;
	memmove(&a->keys[index], &a->keys[index + 1], (a->key_count - index) * sizeof(a->keys[0]));
}

static struct anchor_key *find_key(struct anchor *a, struct span rdata, bool is_ds)
{
	for (unsigned i = 0; i < a->key_count; i++) {
		if (a->keys[i].is_ds == is_ds && span_equal(key_rdata(&a->keys[i]), rdata))
			return &a->keys[i];
	}
	return NULL;
}

/* Configured anchors. */

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);
	while (*text) {
		size_t skip = strspn(text, " \t"), here = strcspn(text + skip, " \t");
		if (here == len && strncasecmp(text + skip, word, len) == 0)
			return true;
		text += skip + here;
	}
	return false;
}

static enum err parse_record(const char *record, struct arena *arena, struct text_record *out)
{
	char line[RECORD_TEXT_MAX];
	bool is_bare = !has_word(record, "DS") && !has_word(record, "DNSKEY");
	int len = snprintf(line, sizeof(line), "%s%s", is_bare ? ". DS " : "", record);
	if (len < 0 || (size_t)len >= sizeof(line))
		return ERR_MALFORMED;
	return text_parse_record(line, arena, out);
}

static enum err fits(const struct text_record *record)
{
	return record->rdata.len <= sizeof(((struct anchor_key *)0)->rdata) ? OK : ERR_LIMIT;
}

/* Can RECORD ever make a key trusted? What is not validated here may be of any length. */
static enum err check_record(const struct text_record *record, bool accept_sha1)
{
	struct ds_view ds;
	struct dnskey_view key;
	if (record->rclass != CLASS_IN)
		return ERR_MALFORMED;
	if (record->type == TYPE_DS && rdata_ds(record->rdata, &ds) == OK &&
	    !crypto_digest_fits(ds.digest_type, ds.digest.len))
		return ERR_MALFORMED;
	if (record->type == TYPE_DS && rdata_ds(record->rdata, &ds) == OK)
		return crypto_digest_is_supported(ds.digest_type, accept_sha1) &&
				       crypto_algorithm_is_supported(ds.algorithm, accept_sha1)
			       ? fits(record)
			       : ERR_UNSUPPORTED;
	if (record->type != TYPE_DNSKEY || rdata_dnskey(record->rdata, &key) != OK)
		return ERR_MALFORMED;
	if (!(key.flags & DNSKEY_ZONE) || (key.flags & DNSKEY_REVOKE) || key.protocol != 3)
		return ERR_MALFORMED;
	return crypto_algorithm_is_supported(key.algorithm, accept_sha1) ? fits(record)
									 : ERR_UNSUPPORTED;
}

/* The operator vouches for KEY: it need not wait any longer. What was revoked stays so. */
static void key_confirm(struct anchor_key *key)
{
	if (key->state == ANCHOR_START || key->state == ANCHOR_ADD_PEND)
		key->state = ANCHOR_VALID;
}

/* The entry that RDATA says again: the record itself, or the key that a DS stands for. */
static struct anchor_key *find_configured(struct anchor *a, struct span rdata, bool is_ds)
{
	struct anchor_key *key = find_key(a, rdata, is_ds);
	for (unsigned i = 0; is_ds && !key && i < a->key_count; i++) {
		if (!a->keys[i].is_ds && crypto_ds_matches(a->zone, rdata, key_rdata(&a->keys[i])))
			key = &a->keys[i];
	}
	return key;
}

static enum err add_rdata(struct anchor *a, struct span rdata, bool is_ds)
{
	struct anchor_key *known = find_configured(a, rdata, is_ds);
	if (known) {
		key_confirm(known);
		return OK;
	}
	if (a->key_count == ANCHOR_KEYS_MAX)
		return ERR_LIMIT;
	struct anchor_key *key = &a->keys[a->key_count++];
	*key = (struct anchor_key){.state = ANCHOR_VALID};
	key_set(key, rdata, is_ds);
	return OK;
}

static enum err add_record(struct anchor *a, const struct text_record *record)
{
	enum err err = check_record(record, a->accept_sha1);
	if (err != OK)
		return err;
	if (a->key_count > 0 && !dname_equal(a->zone, record->owner))
		return ERR_EXISTS;
	dname_lower(record->owner, a->zone);
	return add_rdata(a, record->rdata, record->type == TYPE_DS);
}

enum err anchor_zone_of(const char *record, uint8_t out[static DNAME_MAX])
{
	struct arena arena;
	struct text_record parsed;
	arena_init(&arena, PARSE_ARENA_BYTES);
	enum err err = parse_record(record, &arena, &parsed);
	if (err == OK)
		(void)dname_lower(parsed.owner, out);
	arena_deinit(&arena);
	return err;
}

enum err anchor_add_text(struct anchor *a, const char *record)
{
	struct arena arena;
	struct text_record parsed;
	arena_init(&arena, PARSE_ARENA_BYTES);
	enum err err = parse_record(record, &arena, &parsed);
	if (err == OK)
		err = add_record(a, &parsed);
	arena_deinit(&arena);
	return err;
}

enum err anchor_merge(struct anchor *a, const struct anchor *configured)
{
	struct anchor merged = *a;
	bool is_known = false;
	for (unsigned i = 0; i < configured->key_count; i++) {
		const struct anchor_key *key = &configured->keys[i];
		is_known |= find_configured(a, key_rdata(key), key->is_ds) != NULL;
		if (add_rdata(&merged, key_rdata(key), key->is_ds) != OK)
			return ERR_LIMIT;
	}
	if (!is_known)
		return ERR_NOT_FOUND;
	*a = merged;
	return OK;
}

bool anchor_trusts_key(const struct anchor *a, struct span dnskey)
{
	struct dnskey_view view;
	/* RFC 5011 §2.1: a revoked key is no anchor, whoever vouches for it. */
	if (rdata_dnskey(dnskey, &view) != OK || (view.flags & DNSKEY_REVOKE))
		return false;
	for (unsigned i = 0; i < a->key_count; i++) {
		const struct anchor_key *key = &a->keys[i];
		if (!key->is_ds && span_equal(key_rdata(key), dnskey))
			return is_trusted(key);
	}
	for (unsigned i = 0; i < a->key_count; i++) {
		const struct anchor_key *key = &a->keys[i];
		if (key->is_ds && is_trusted(key) &&
		    crypto_ds_matches(a->zone, key_rdata(key), dnskey))
			return true;
	}
	return false;
}

/* RFC 5011. */

struct seen_key { /* a key of the observed set, as it was before it was revoked */
	uint8_t rdata[sizeof(((struct anchor_key *)0)->rdata)];
	uint16_t rdata_len;
	bool revoked;  /* by itself: RFC 5011 §2.1 */
	bool eligible; /* may become a trust point */
};

static struct span seen_rdata(const struct seen_key *seen)
{
	return span_of(seen->rdata, seen->rdata_len);
}

/* False if the key cannot concern us: unreadable, too long, or revoked by somebody else. */
static bool see_key(struct span rdata, bool self_signed, struct seen_key *out)
{
	struct dnskey_view view;
	if (rdata.len > sizeof(out->rdata) || rdata_dnskey(rdata, &view) != OK)
		return false;
	if (!(view.flags & DNSKEY_ZONE) || view.protocol != 3)
		return false;
	bool has_revoke_bit = view.flags & DNSKEY_REVOKE;
	if (has_revoke_bit && !self_signed)
		return false;
	memcpy(out->rdata, rdata.at, rdata.len);
	out->rdata_len = (uint16_t)rdata.len;
	out->rdata[1] &= (uint8_t)~DNSKEY_REVOKE;
	out->revoked = has_revoke_bit;
	out->eligible = !has_revoke_bit && (view.flags & DNSKEY_SEP) &&
			crypto_algorithm_is_supported(view.algorithm, true);
	return true;
}

/* A configured DS gives way to the key it stands for, in the state it had. */
static bool promote_ds(struct anchor *a, const struct seen_key *seen)
{
	bool changed = false;
	for (unsigned i = a->key_count; i-- > 0;) {
		struct anchor_key *key = &a->keys[i];
		if (!key->is_ds || !crypto_ds_matches(a->zone, key_rdata(key), seen_rdata(seen)))
			continue;
		/* Several digests of one key, or a key known already, make one entry. */
		struct anchor_key *known = find_key(a, seen_rdata(seen), false);
		if (known) {
			key_confirm(known);
			key_drop(a, i);
		} else {
			key_set(key, seen_rdata(seen), false);
		}
		changed = true;
	}
	return changed;
}

/* Room for one more, at the cost of the memory of a removed key if need be. */
static struct anchor_key *key_append(struct anchor *a)
{
	for (unsigned i = 0; a->key_count == ANCHOR_KEYS_MAX && i < a->key_count; i++) {
		if (a->keys[i].state == ANCHOR_REMOVED)
			key_drop(a, i);
	}
	return a->key_count < ANCHOR_KEYS_MAX ? &a->keys[a->key_count++] : NULL;
}

/* The events NewKey, KeyPres, RevBit and AddTime of RFC 5011 §4.1, for a key in the set. */
static bool step_present(struct anchor *a, const struct seen_key *seen, int64_t unix_s)
{
	struct anchor_key *key = find_key(a, seen_rdata(seen), false);
	if (!key) {
		key = seen->eligible ? key_append(a) : NULL;
		if (!key)
			return false;
		key_set(key, seen_rdata(seen), false);
		key_enter(key, ANCHOR_ADD_PEND, unix_s);
		return true;
	}
	switch (key->state) {
	case ANCHOR_START:
		key_enter(key, ANCHOR_ADD_PEND, unix_s);
		return true;
	case ANCHOR_ADD_PEND:
		if (seen->revoked) {
			key_drop(a, (unsigned)(key - a->keys));
			return true;
		}
		/* RFC 5011 §2.4.1 lets a TTL above 30 days prolong this; caches cap it at one. */
		if (unix_s - key->since_unix_s < ANCHOR_ADD_HOLD_S)
			return false;
		key_enter(key, ANCHOR_VALID, unix_s);
		return true;
	case ANCHOR_VALID:
		if (seen->revoked)
			key_enter(key, ANCHOR_REVOKED, unix_s);
		return seen->revoked;
	case ANCHOR_MISSING:
		key_enter(key, seen->revoked ? ANCHOR_REVOKED : ANCHOR_VALID, unix_s);
		return true;
	case ANCHOR_REVOKED: /* for good, even if it comes back without the bit */
	case ANCHOR_REMOVED:
		return false;
	}
	return false;
}

/* The events KeyRem and RemTime, for a key that may or may not be in the set. True if anything
 * changed; the key may be gone. */
static bool step_absent(struct anchor *a, unsigned index, bool is_present, int64_t unix_s)
{
	struct anchor_key *key = &a->keys[index];
	switch (key->state) {
	case ANCHOR_START:
	case ANCHOR_ADD_PEND:
		if (is_present)
			return false;
		key_drop(a, index); /* back to the start: its time begins anew when it returns */
		return true;
	case ANCHOR_VALID:
		if (is_present || key->is_ds)
			return false;
		key_enter(key, ANCHOR_MISSING, unix_s);
		return true;
	case ANCHOR_REVOKED:
		if (unix_s - key->since_unix_s < ANCHOR_REMOVE_HOLD_S)
			return false;
		key_enter(key, ANCHOR_REMOVED, unix_s);
		return true;
	case ANCHOR_MISSING:
	case ANCHOR_REMOVED:
		return false;
	}
	return false;
}

static bool set_holds(const struct rrset *dnskeys, const bool *self_signed,
		      const struct anchor_key *key)
{
	struct span rdata;
	struct seen_key seen;
	struct rrset_iter it = rrset_records(dnskeys);
	for (size_t i = 0; i < RRSET_RECORDS_MAX && rrset_next(&it, &rdata); i++) {
		if (see_key(rdata, self_signed[i], &seen) &&
		    span_equal(seen_rdata(&seen), key_rdata(key)))
			return true;
	}
	return false;
}

bool anchor_observe(struct anchor *a, const struct rrset *dnskeys, const bool *self_signed,
		    int64_t unix_s)
{
	struct span rdata;
	struct seen_key seen;
	bool changed = false;
	if (!a->managed || dnskeys->type != TYPE_DNSKEY || !dname_equal(dnskeys->owner, a->zone))
		return false;
	struct rrset_iter it = rrset_records(dnskeys);
	for (size_t i = 0; i < RRSET_RECORDS_MAX && rrset_next(&it, &rdata); i++) {
		if (!see_key(rdata, self_signed[i], &seen))
			continue;
		changed |= promote_ds(a, &seen);
		changed |= step_present(a, &seen, unix_s);
	}
	for (unsigned i = a->key_count; i-- > 0;)
		changed |= step_absent(a, i, set_holds(dnskeys, self_signed, &a->keys[i]), unix_s);
	return changed;
}

/* RFC 5011 §2.3: half of TTL and validity, or a tenth after a failure. */
uint32_t anchor_refresh_s(uint32_t original_ttl_s, uint32_t sig_validity_left_s, bool failed)
{
	uint32_t shorter_s = MIN(original_ttl_s, sig_validity_left_s);
	uint32_t wait_s =
		failed ? MIN(shorter_s / 10, RETRY_MAX_S) : MIN(shorter_s / 2, REFRESH_MAX_S);
	return MAX(wait_s, REFRESH_MIN_S);
}

size_t anchor_tags(const struct anchor *a, uint16_t *out, size_t max)
{
	size_t count = 0;
	for (unsigned i = 0; i < a->key_count; i++) {
		const struct anchor_key *key = &a->keys[i];
		struct ds_view ds;
		if (!is_trusted(key) || (key->is_ds && rdata_ds(key_rdata(key), &ds) != OK))
			continue;
		uint16_t tag = key->is_ds ? ds.key_tag : rdata_dnskey_tag(key_rdata(key));
		size_t at = 0;
		while (at < count && out[at] < tag)
			at++;
		if (count == max || (at < count && out[at] == tag))
			continue;
		memmove(&out[at + 1], &out[at], (count - at) * sizeof(*out));
		out[at] = tag; /* RFC 8145 §5.1: in order, each once */
		count++;
	}
	return count;
}

/*
 * The state as text: a heading, the zone, a line per key, and a sum over all that stands before it.
 *
 *   resolverd trust anchor 1
 *   zone example.
 *   managed yes
 *   DNSKEY valid 1700000000 01010308...
 *   sum 0123456789abcdef
 *
 * There is one way to write a state, so reading checks a text by writing what it read.
 */

static const char heading[] = "resolverd trust anchor 1";

struct text {
	char *at;
	size_t len, size_bytes;
	bool failed; /* sticky */
};

static void PRINTF_LIKE(2, 3) text_add(struct text *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	size_t room = t->size_bytes - t->len;
	int len = t->failed ? -1 : vsnprintf(t->at + t->len, room, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room)
		t->failed = true;
	else
		t->len += (size_t)len;
}

static void write_key(struct text *t, const struct anchor_key *key)
{
	text_add(t, "%s %s %" PRId64 " ", key->is_ds ? "DS" : "DNSKEY",
		 anchor_state_text(key->state), key->since_unix_s);
	for (size_t i = 0; i < key->rdata_len; i++)
		text_add(t, "%02x", key->rdata[i]);
	text_add(t, "\n");
}

enum err anchor_write(const struct anchor *a, char *out, size_t size_bytes, size_t *len)
{
	/* Not a secret: the sum is against accidents. */
	static const struct hash_key sum_key = {{0}};
	char zone[DNAME_TEXT_MAX];
	struct text t = {.at = out, .size_bytes = size_bytes};
	text_add(&t, "%s\nzone %s\nmanaged %s\n", heading, dname_text(a->zone, zone),
		 a->managed ? "yes" : "no");
	for (unsigned i = 0; i < a->key_count; i++)
		write_key(&t, &a->keys[i]);
	if (!t.failed)
		text_add(&t, "sum %016" PRIx64 "\n", hash_bytes(&sum_key, span_of(out, t.len)));
	if (t.failed)
		return ERR_NO_SPACE;
	*len = t.len;
	return OK;
}

/* Copy what stands before END in REST into WORD and step over both. False if it is not there, or
 * longer than WORD. */
static bool take_word(struct span *rest, char end, char *word, size_t size_bytes)
{
	const uint8_t *stop = memchr(rest->at, end, rest->len);
	if (!stop || (size_t)(stop - rest->at) >= size_bytes)
		return false;
	size_t len = (size_t)(stop - rest->at);
	memcpy(word, rest->at, len);
	word[len] = '\0';
	*rest = span_of(stop + 1, rest->len - len - 1);
	return true;
}

static bool parse_hex(const char *hex, struct anchor_key *key)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = strlen(hex);
	if (len == 0 || len % 2 != 0 || len / 2 > sizeof(key->rdata))
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *digit = strchr(digits, hex[i]);
		if (!digit)
			return false;
		key->rdata[i / 2] = (uint8_t)(key->rdata[i / 2] << 4 | (digit - digits));
	}
	key->rdata_len = (uint16_t)(len / 2);
	return true;
}

static bool parse_state(const char *word, enum anchor_state *out)
{
	for (enum anchor_state s = ANCHOR_START; s <= ANCHOR_REMOVED; s++) {
		if (strcmp(word, anchor_state_text(s)) == 0) {
			*out = s;
			return true;
		}
	}
	return false;
}

/* KIND is the line's first word, taken already. */
static bool read_key(struct span *rest, const char *kind, struct anchor *a)
{
	char state[16], since[24], hex[2 * sizeof(a->keys[0].rdata) + 1];
	struct ds_view ds;
	struct dnskey_view dnskey;
	if (a->key_count == ANCHOR_KEYS_MAX)
		return false;
	struct anchor_key *key = &a->keys[a->key_count++];
	key->is_ds = strcmp(kind, "DS") == 0;
	if ((!key->is_ds && strcmp(kind, "DNSKEY") != 0) ||
	    !take_word(rest, ' ', state, sizeof(state)) || !parse_state(state, &key->state) ||
	    !take_word(rest, ' ', since, sizeof(since)) ||
	    !take_word(rest, '\n', hex, sizeof(hex)) || !parse_hex(hex, key))
		return false;
	key->since_unix_s = strtoll(since, NULL, 10); /* whatever is left shows when written */
	return key->is_ds ? rdata_ds(key_rdata(key), &ds) == OK
			  : rdata_dnskey(key_rdata(key), &dnskey) == OK;
}

static bool read_lines(struct span rest, struct anchor *a)
{
	char word[DNAME_TEXT_MAX], expected[sizeof(heading)];
	size_t zone_len;
	if (!take_word(&rest, '\n', expected, sizeof(expected)) || strcmp(expected, heading) != 0)
		return false;
	if (!take_word(&rest, ' ', word, sizeof(word)) || strcmp(word, "zone") != 0 ||
	    !take_word(&rest, '\n', word, sizeof(word)) ||
	    dname_parse(word, a->zone, &zone_len) != OK)
		return false;
	if (!take_word(&rest, ' ', word, sizeof(word)) || strcmp(word, "managed") != 0 ||
	    !take_word(&rest, '\n', word, sizeof(word)))
		return false;
	a->managed = strcmp(word, "yes") == 0;
	for (unsigned i = 0; i <= ANCHOR_KEYS_MAX; i++) {
		if (!take_word(&rest, ' ', word, sizeof(word)))
			return false;
		if (strcmp(word, "sum") == 0)
			return true;
		if (!read_key(&rest, word, a))
			return false;
	}
	return false;
}

enum err anchor_read(const char *text, size_t len, struct anchor *out)
{
	struct anchor a = {0};
	char again[ANCHOR_TEXT_MAX];
	size_t again_len;
	if (!read_lines(span_of(text, len), &a) ||
	    anchor_write(&a, again, sizeof(again), &again_len) != OK ||
	    !span_equal(span_of(again, again_len), span_of(text, len)))
		return ERR_MALFORMED;
	*out = a;
	return OK;
}
