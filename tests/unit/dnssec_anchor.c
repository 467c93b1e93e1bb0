/* Trust anchors: configured records, RFC 5011 by its own table, and the state's text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dnssec/anchor.h"
#include "sim/signer.c" /* a program of one object: the signer comes as source */
#include "unit/dnssec_text.h"

enum { ARENA_BYTES = 1 << 20, DAY_S = 86400, T0 = 1700000000, KSK = DNSKEY_ZONE | DNSKEY_SEP };

static const uint8_t zone[] = "\7example";

/* Configured records. */

#define KEY_15 "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="
#define DIGEST "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"

static const struct {
	const char *why, *record, *then;
	enum err want, want_then;
	unsigned count;
} configured[] = {
	{"a DS", ". IN DS 20326 8 2 " DIGEST, NULL, OK, OK, 1},
	{"a DS with TTL and class", ". 172800 IN DS 20326 8 2 " DIGEST, NULL, OK, OK, 1},
	{"the root's DS alone", "20326 8 2 " DIGEST, NULL, OK, OK, 1},
	{"said twice", "20326 8 2 " DIGEST, ". DS 20326 8 2 " DIGEST, OK, OK, 1},
	{"two of them", "20326 8 2 " DIGEST, "20327 8 2 " DIGEST, OK, OK, 2},
	{"a DNSKEY", "example.com. DNSKEY 257 3 15 " KEY_15, NULL, OK, OK, 1},
	{"a DNSKEY and its DS are one", "example.com. DNSKEY 257 3 15 " KEY_15,
	 "example.com. DS 3613 15 2 "
	 "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
	 OK, OK, 1},
	{"owners in any case", "example.com. DNSKEY 257 3 15 " KEY_15,
	 "EXAMPLE.com. DNSKEY 257 3 15 " KEY_15, OK, OK, 1},
	{"of another zone", "20326 8 2 " DIGEST, "com. DS 20326 8 2 " DIGEST, OK, ERR_EXISTS, 1},
	{"no key for zones", "example.com. DNSKEY 1 3 15 " KEY_15, NULL, ERR_MALFORMED, OK, 0},
	{"a revoked key", "example.com. DNSKEY 385 3 15 " KEY_15, NULL, ERR_MALFORMED, OK, 0},
	{"SHA-1", ". DS 20326 8 1 2BB183AF5F22588179A53B0A98631FAD1A292118", NULL, ERR_UNSUPPORTED,
	 OK, 0},
	{"an algorithm of the past", ". DS 20326 5 2 " DIGEST, NULL, ERR_UNSUPPORTED, OK, 0},
	{"another type", "example.com. A 192.0.2.1", NULL, ERR_MALFORMED, OK, 0},
	{"another class", "example.com. CH DS 20326 8 2 " DIGEST, NULL, ERR_MALFORMED, OK, 0},
	{"nothing", "", NULL, ERR_MALFORMED, OK, 0},
	{"words", "trust me", NULL, ERR_MALFORMED, OK, 0},
};

static void test_configured(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(configured); i++) {
		struct anchor a = {0};
		enum err err = anchor_add_text(&a, configured[i].record);
		if (err != configured[i].want)
			fail_msg("%s: %s", configured[i].why, err_text(err));
		err = configured[i].then ? anchor_add_text(&a, configured[i].then) : OK;
		if (err != configured[i].want_then)
			fail_msg("%s: then %s", configured[i].why, err_text(err));
		if (a.key_count != configured[i].count)
			fail_msg("%s: %u keys", configured[i].why, a.key_count);
	}
}

static void test_too_many(void **state)
{
	(void)state;
	struct anchor a = {0};
	char record[128];
	for (int i = 0; i < ANCHOR_KEYS_MAX + 1; i++) {
		snprintf(record, sizeof(record), "%d 8 2 " DIGEST, i);
		assert_int_equal(anchor_add_text(&a, record), i < ANCHOR_KEYS_MAX ? OK : ERR_LIMIT);
	}
}

/* RFC 5011: a story per line. Steps are days; "A" is in the set, "a" revoked and signing itself,
 * "?" revoked by somebody else. After each step the states of A and B. */

struct step {
	int day;
	const char *set;	/* letters of the keys in it */
	enum anchor_state a, b; /* ANCHOR_START: not known */
};

#define NONE ANCHOR_START

static const struct story {
	const char *why;
	bool as_ds; /* A is configured as DS */
	struct step steps[8];
} stories[] = {
	{"RFC 5011 §4.1: NewKey, AddTime",
	 false,
	 {{0, "A", ANCHOR_VALID, NONE},
	  {1, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND},
	  {30, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND},
	  {31, "AB", ANCHOR_VALID, ANCHOR_VALID}}},
	{"RFC 5011 §4.1: KeyRem from AddPend begins anew",
	 false,
	 {{1, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND},
	  {20, "A", ANCHOR_VALID, NONE},
	  {32, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND},
	  {61, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND},
	  {62, "AB", ANCHOR_VALID, ANCHOR_VALID}}},
	{"RFC 5011 §4.1: RevBit, RemTime",
	 false,
	 {{0, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND},
	  {31, "AB", ANCHOR_VALID, ANCHOR_VALID},
	  {32, "aB", ANCHOR_REVOKED, ANCHOR_VALID},
	  {40, "B", ANCHOR_REVOKED, ANCHOR_VALID},
	  {62, "B", ANCHOR_REMOVED, ANCHOR_VALID},
	  {63, "AB", ANCHOR_REMOVED, ANCHOR_VALID}}},
	{"RFC 5011 §4.1: revoked for good",
	 false,
	 {{0, "aB", ANCHOR_REVOKED, ANCHOR_ADD_PEND}, {1, "AB", ANCHOR_REVOKED, ANCHOR_ADD_PEND}}},
	{"RFC 5011 §4.1: Missing, KeyPres",
	 false,
	 {{0, "A", ANCHOR_VALID, NONE},
	  {1, "B", ANCHOR_MISSING, ANCHOR_ADD_PEND},
	  {2, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND}}},
	{"RFC 5011 §4.1: Missing, RevBit",
	 false,
	 {{1, "B", ANCHOR_MISSING, ANCHOR_ADD_PEND}, {2, "aB", ANCHOR_REVOKED, ANCHOR_ADD_PEND}}},
	{"RFC 5011 §2.1: others cannot revoke",
	 false,
	 {{0, "?B", ANCHOR_MISSING, ANCHOR_ADD_PEND}, {1, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND}}},
	{"revoked before it was ever trusted",
	 false,
	 {{0, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND}, {1, "Ab", ANCHOR_VALID, NONE}}},
	{"a new key that comes revoked", false, {{0, "Ab", ANCHOR_VALID, NONE}}},
	{"a DS waits for its key",
	 true,
	 {{0, "B", NONE, ANCHOR_ADD_PEND}, {1, "AB", ANCHOR_VALID, ANCHOR_ADD_PEND}}},
	{"a DS becomes its key",
	 true,
	 {{0, "A", ANCHOR_VALID, NONE}, {1, "B", ANCHOR_MISSING, ANCHOR_ADD_PEND}}},
	{"a DS whose key is revoked",
	 true,
	 {{0, "aB", ANCHOR_REVOKED, ANCHOR_ADD_PEND}, {1, "AB", ANCHOR_REVOKED, ANCHOR_ADD_PEND}}},
	{"RFC 5011 §2.4.1: keys without SEP are no anchors",
	 false,
	 {{0, "AZ", ANCHOR_VALID, NONE}}},
};

struct cast {
	struct signer_key a, b, z;
	struct arena arena;
};

static enum anchor_state state_of(const struct anchor *anchor, const struct signer_key *key)
{
	for (unsigned i = 0; i < anchor->key_count; i++) {
		const struct anchor_key *k = &anchor->keys[i];
		if (!k->is_ds && span_equal(span_of(k->rdata, k->rdata_len), signer_dnskey(key)))
			return k->state;
	}
	return ANCHOR_START;
}

static void configure(struct anchor *anchor, const struct cast *cast, bool as_ds)
{
	uint8_t ds[SIGNER_DS_MAX];
	char text[1024], rdata[900];
	size_t len = signer_ds(&cast->a, zone, 2, ds);
	text_rdata(as_ds ? TYPE_DS : TYPE_DNSKEY,
		   as_ds ? span_of(ds, len) : signer_dnskey(&cast->a), rdata, sizeof(rdata));
	snprintf(text, sizeof(text), "example. %s %s", as_ds ? "DS" : "DNSKEY", rdata);
	assert_int_equal(anchor_add_text(anchor, text), OK);
	anchor->managed = true;
}

/* The set of the keys that LETTERS name, and which of them sign themselves. */
static struct rrset cast_set(struct cast *cast, const char *letters, bool *self_signed)
{
	struct span rdatas[8], rdata;
	struct rrset set;
	size_t count = 0;
	bool forged = strchr(letters, '?');
	for (const char *c = letters; *c; c++) {
		struct signer_key key = *c == 'B' || *c == 'b' ? cast->b
					: *c == 'Z'	       ? cast->z
							       : cast->a;
		if (*c == 'a' || *c == 'b' || *c == '?')
			signer_key_set_flags(&key, KSK | DNSKEY_REVOKE);
		rdatas[count++] = arena_copy(&cast->arena, signer_dnskey(&key));
	}
	assert_int_equal(
		rrset_from_rdatas(zone, TYPE_DNSKEY, 300, rdatas, count, &cast->arena, &set), OK);
	struct rrset_iter it = rrset_records(&set);
	for (size_t i = 0; rrset_next(&it, &rdata); i++)
		self_signed[i] = !(forged && (rdata.at[1] & DNSKEY_REVOKE));
	return set;
}

/* A state survives its text, and a text with any byte changed is refused. */
static void check_text(const struct anchor *a, const char *why)
{
	static char text[ANCHOR_TEXT_MAX], again[ANCHOR_TEXT_MAX];
	struct anchor copy = {0}, before;
	size_t len, again_len;
	assert_int_equal(anchor_write(a, text, sizeof(text), &len), OK);
	assert_int_equal(anchor_read(text, len, &copy), OK);
	assert_int_equal(anchor_write(&copy, again, sizeof(again), &again_len), OK);
	if (!span_equal(span_of(text, len), span_of(again, again_len)))
		fail_msg("%s: the text does not come back", why);
	before = copy;
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		if (anchor_read(text, len, &copy) != ERR_MALFORMED)
			fail_msg("%s: byte %zu does not count", why, i);
		text[i] ^= 1;
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(anchor_read(text, cut, &copy), ERR_MALFORMED);
	assert_memory_equal(&copy, &before, sizeof(copy));
	for (size_t size = 0; size <= len; size += 13)
		assert_int_equal(anchor_write(a, again, size, &again_len), ERR_NO_SPACE);
}

static void run_story(struct cast *cast, const struct story *s)
{
	struct anchor a = {0};
	configure(&a, cast, s->as_ds);
	assert_true(anchor_trusts_key(&a, signer_dnskey(&cast->a)));
	for (size_t i = 0; i < ARRAY_LEN(s->steps) && s->steps[i].set; i++) {
		const struct step *step = &s->steps[i];
		bool self_signed[8];
		struct rrset set = cast_set(cast, step->set, self_signed);
		int64_t now = T0 + (int64_t)step->day * DAY_S;
		struct anchor before = a;
		bool changed = anchor_observe(&a, &set, self_signed, now);
		if (state_of(&a, &cast->a) != step->a || state_of(&a, &cast->b) != step->b)
			fail_msg("%s: day %d: A is %s, B is %s", s->why, step->day,
				 anchor_state_text(state_of(&a, &cast->a)),
				 anchor_state_text(state_of(&a, &cast->b)));
		assert_int_equal(changed, memcmp(&before, &a, sizeof(a)) != 0);
		/* Seen again at once, nothing moves. */
		assert_false(anchor_observe(&a, &set, self_signed, now));
		if (step->b == ANCHOR_START || step->b == ANCHOR_ADD_PEND)
			assert_false(anchor_trusts_key(&a, signer_dnskey(&cast->b)));
		if (step->a == ANCHOR_REVOKED || step->a == ANCHOR_REMOVED)
			assert_false(anchor_trusts_key(&a, signer_dnskey(&cast->a)));
		if (step->a == ANCHOR_VALID || step->a == ANCHOR_MISSING)
			assert_true(anchor_trusts_key(&a, signer_dnskey(&cast->a)));
		check_text(&a, s->why);
	}
}

static void cast_init(struct cast *cast)
{
	arena_init(&cast->arena, ARENA_BYTES);
	signer_key_init(&cast->a, 13, KSK, 0);
	signer_key_init(&cast->b, 15, KSK, 0);
	signer_key_init(&cast->z, 15, DNSKEY_ZONE, 0);
}

static void cast_deinit(struct cast *cast)
{
	signer_key_deinit(&cast->a);
	signer_key_deinit(&cast->b);
	signer_key_deinit(&cast->z);
	arena_deinit(&cast->arena);
}

static void test_stories(void **state)
{
	(void)state;
	struct cast cast;
	cast_init(&cast);
	for (size_t i = 0; i < ARRAY_LEN(stories); i++)
		run_story(&cast, &stories[i]);
	cast_deinit(&cast);
}

/* The operator's word and the state file meet. */
static void test_configured_over_state(void **state)
{
	(void)state;
	struct cast cast;
	struct anchor a = {0};
	bool self_signed[8];
	cast_init(&cast);
	configure(&a, &cast, false);
	struct rrset set = cast_set(&cast, "aB", self_signed);
	assert_true(anchor_observe(&a, &set, self_signed, T0));
	configure(&a, &cast, false);
	assert_false(anchor_trusts_key(&a, signer_dnskey(&cast.a)));
	configure(&a, &cast, true); /* nor does its DS bring it back */
	assert_false(anchor_trusts_key(&a, signer_dnskey(&cast.a)));
	assert_int_equal(a.key_count, 2);

	struct signer_key swap = cast.a;
	cast.a = cast.b;
	cast.b = swap;
	assert_false(anchor_trusts_key(&a, signer_dnskey(&cast.a)));
	configure(&a, &cast, true); /* pending, and now the operator vouches for it */
	assert_true(anchor_trusts_key(&a, signer_dnskey(&cast.a)));
	assert_int_equal(a.key_count, 2);
	cast_deinit(&cast);
}

static void test_unmanaged(void **state)
{
	(void)state;
	struct cast cast;
	struct anchor a = {0};
	bool self_signed[8];
	cast_init(&cast);
	configure(&a, &cast, true);
	a.managed = false;
	struct rrset set = cast_set(&cast, "AB", self_signed);
	assert_false(anchor_observe(&a, &set, self_signed, T0));
	assert_true(anchor_trusts_key(&a, signer_dnskey(&cast.a)));
	assert_false(anchor_trusts_key(&a, signer_dnskey(&cast.b)));
	cast_deinit(&cast);
}

static void test_tags(void **state)
{
	(void)state;
	struct anchor a = {0};
	uint16_t tags[3];
	assert_int_equal(anchor_add_text(&a, "38696 8 2 " DIGEST), OK);
	assert_int_equal(anchor_add_text(&a, "20326 8 2 " DIGEST), OK);
	assert_int_equal(anchor_add_text(&a, "20326 13 2 " DIGEST), OK);
	assert_int_equal(anchor_add_text(&a, "29000 8 2 " DIGEST), OK);
	assert_int_equal(anchor_tags(&a, tags, 3), 3);
	assert_int_equal(tags[0], 20326);
	assert_int_equal(tags[1], 29000);
	assert_int_equal(tags[2], 38696);
	assert_int_equal(anchor_tags(&a, tags, 1), 1);
	a.keys[0].state = ANCHOR_REVOKED;
	assert_int_equal(anchor_tags(&a, tags, 3), 2);
}

static void test_refresh(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t ttl_s, validity_s;
		bool failed;
		uint32_t want_s;
	} table[] = {
		{"RFC 5011 §2.3: half the TTL", 172800, 20 * DAY_S, false, 86400},
		{"RFC 5011 §2.3: half the validity", 172800, DAY_S, false, 43200},
		{"RFC 5011 §2.3: at most 15 days", 100 * DAY_S, 100 * DAY_S, false, 15 * DAY_S},
		{"RFC 5011 §2.3: at least an hour", 60, DAY_S, false, 3600},
		{"RFC 5011 §2.3: a tenth after a failure", 172800, 20 * DAY_S, true, 17280},
		{"RFC 5011 §2.3: then at most a day", 100 * DAY_S, 100 * DAY_S, true, DAY_S},
		{"RFC 5011 §2.3: and at least an hour", 60, 60, true, 3600},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uint32_t got =
			anchor_refresh_s(table[i].ttl_s, table[i].validity_s, table[i].failed);
		if (got != table[i].want_s)
			fail_msg("%s: %u s", table[i].why, got);
	}
}

/* However many keys a zone shows, the table holds, and what was trusted stays. */
static void test_full_table(void **state)
{
	(void)state;
	struct cast cast;
	struct anchor a = {0};
	struct span rdatas[40];
	struct rrset set;
	bool self_signed[40];
	cast_init(&cast);
	configure(&a, &cast, true);
	for (uint8_t i = 0; i < 40; i++) {
		struct signer_key key = cast.b;
		key.dnskey[10] = (uint8_t)(key.dnskey[10] + i); /* never B itself */
		self_signed[i] = true;
		rdatas[i] =
			arena_copy(&cast.arena, i ? signer_dnskey(&key) : signer_dnskey(&cast.a));
	}
	assert_int_equal(rrset_from_rdatas(zone, TYPE_DNSKEY, 300, rdatas, 40, &cast.arena, &set),
			 OK);
	assert_true(anchor_observe(&a, &set, self_signed, T0));
	assert_int_equal(a.key_count, ANCHOR_KEYS_MAX);
	assert_true(anchor_trusts_key(&a, signer_dnskey(&cast.a)));
	check_text(&a, "a full table");
	struct rrset less = cast_set(&cast, "AB", self_signed);
	assert_true(anchor_observe(&a, &less, self_signed, T0 + DAY_S));
	assert_int_equal(a.key_count, 1); /* B had no place yet */
	assert_true(anchor_observe(&a, &less, self_signed, T0 + DAY_S));
	assert_int_equal(state_of(&a, &cast.b), ANCHOR_ADD_PEND);
	cast_deinit(&cast);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configured), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_stories),	   cmocka_unit_test(test_configured_over_state),
		cmocka_unit_test(test_unmanaged),  cmocka_unit_test(test_tags),
		cmocka_unit_test(test_refresh),	   cmocka_unit_test(test_full_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
