/* Trust anchors over time: the file, and rollovers with time in fast motion. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "anchors/anchors.h"
#include "base/log.h"
#include "sim/signer.c" /* a program of one object: the signer comes as source */
#include "unit/dnssec_text.h"

enum { DAY_S = 86400, T0 = 1700000000, KSK = DNSKEY_ZONE | DNSKEY_SEP, TTL_S = 172800 };

static const uint8_t root[] = "";

struct lab {
	char dir[64], config_path[96];
	struct arena arena;
	struct signer_key a, b, c;
	struct config *config;
	bool on_disk; /* with a cache file */
	struct disk *disk;
	struct anchor_store *store;
	struct anchors *anchors;
	struct now now;
	unsigned wakes;
	char log[8192];
};

/* ---- help ------------------------------------------------------------------------------------ */

static void hear(void *context, enum log_level level, const char *line)
{
	struct lab *l = context;
	size_t len = strlen(l->log);
	(void)level;
	snprintf(l->log + len, sizeof(l->log) - len, "%s\n", line);
}

static void wake(void *context)
{
	((struct lab *)context)->wakes++;
}

static const char *path(const struct lab *l, const char *name)
{
	static char out[128];
	snprintf(out, sizeof(out), "%s/%s", l->dir, name);
	return out;
}

static bool exists(const struct lab *l, const char *name)
{
	return access(path(l, name), F_OK) == 0;
}

static size_t read_file(const struct lab *l, char *out, size_t size)
{
	FILE *file = fopen(path(l, "anchors"), "r");
	assert_non_null(file);
	size_t len = fread(out, 1, size - 1, file);
	fclose(file);
	out[len] = '\0';
	return len;
}

static void write_file_text(const struct lab *l, const char *text, size_t len)
{
	FILE *file = fopen(path(l, "anchors"), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
}

/* A configuration whose anchors of the root are those keys of KEYS; MORE are further words. */
static struct config *config_of(struct lab *l, const char *keys, const char *more)
{
	char text[8192];
	struct config *c;
	struct config_error error;
	size_t len = (size_t)snprintf(text, sizeof(text),
				      "cache: {path: %s}\ndnssec:\n  auto-trust-anchors: true\n%s"
				      "  trust-anchors:\n",
				      l->dir, more);
	for (; *keys; keys++) {
		const struct signer_key *key = *keys == 'A' ? &l->a : *keys == 'B' ? &l->b : &l->c;
		uint8_t ds[SIGNER_DS_MAX];
		char rdata[512];
		size_t ds_len = signer_ds(key, root, 2, ds);
		text_rdata(TYPE_DS, span_of(ds, ds_len), rdata, sizeof(rdata));
		len += (size_t)snprintf(text + len, sizeof(text) - len, "  - '. DS %s'\n", rdata);
	}
	if (config_load_text("f", span_of(text, len), &c, &error) != OK)
		fail_msg("%s", error.line);
	return c;
}

static void open_anchors(struct lab *l)
{
	const struct disk_settings settings = {.path = l->on_disk ? l->dir : NULL,
					       .size_bytes = DISK_SIZE_MIN};
	assert_int_equal(disk_open(&settings, &l->disk), OK);
	l->log[0] = '\0';
	assert_int_equal(anchor_store_new(l->dir, l->disk, &l->store), OK);
	assert_int_equal(anchors_new(l->store, wake, l, &l->anchors), OK);
	assert_int_equal(anchors_configure(l->anchors, l->config, l->now), OK);
}

static void start(struct lab *l, const char *keys)
{
	l->config = config_of(l, keys, "");
	open_anchors(l);
}

static void stop(struct lab *l)
{
	anchors_free(l->anchors);
	anchor_store_free(l->store);
	disk_close(l->disk);
	config_free(l->config);
}

static struct lab *lab_new(void)
{
	struct lab *l = calloc(1, sizeof(*l));
	REQUIRE(l);
	strcpy(l->dir, "/tmp/resolverd-anchors.XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	arena_init(&l->arena, 1 << 20);
	signer_key_init(&l->a, 13, KSK, 0);
	signer_key_init(&l->b, 13, KSK, 0);
	signer_key_init(&l->c, 13, KSK, 0);
	l->now = (struct now){.mono_us = 1000000, .unix_s = T0, .cache_ms = T0 * 1000LL};
	log_init(LOG_LEVEL_INFO, hear, l);
	return l;
}

static void lab_free(struct lab *l)
{
	log_init(LOG_LEVEL_INFO, NULL, NULL);
	for (const char *const *name =
		     (const char *const[]){"anchors", "anchors.damaged", "anchors.new", "data.mdb",
					   "lock", NULL};
	     *name; name++)
		unlink(path(l, *name));
	rmdir(l->dir);
	signer_key_deinit(&l->a);
	signer_key_deinit(&l->b);
	signer_key_deinit(&l->c);
	arena_deinit(&l->arena);
	free(l);
}

static void pass(struct lab *l, int64_t seconds)
{
	l->now.unix_s += seconds;
	l->now.cache_ms += seconds * 1000;
	l->now.mono_us += (uint64_t)seconds * 1000000;
}

/* The root shows the keys that LETTERS name, a small one being revoked and signing itself. True if
 * anything changed. */
static bool show(struct lab *l, const char *letters)
{
	struct span rdatas[8], rdata;
	bool self_signed[8] = {false};
	struct rrset set;
	size_t count = 0;
	struct signature signature = {.signer = root,
				      .original_ttl_s = TTL_S,
				      .inception = (uint32_t)l->now.unix_s - 3600,
				      .expiration = (uint32_t)l->now.unix_s + 14 * DAY_S};
	for (const char *c = letters; *c; c++) {
		struct signer_key key = (*c | 32) == 'a' ? l->a : (*c | 32) == 'b' ? l->b : l->c;
		if (*c >= 'a')
			signer_key_set_flags(&key, KSK | DNSKEY_REVOKE);
		rdatas[count++] = arena_copy(&l->arena, signer_dnskey(&key));
	}
	assert_int_equal(
		rrset_from_rdatas(root, TYPE_DNSKEY, TTL_S, rdatas, count, &l->arena, &set), OK);
	signer_attach(&l->a, &signature, &l->arena, &set);
	struct rrset_iter it = rrset_records(&set);
	for (size_t i = 0; rrset_next(&it, &rdata); i++)
		self_signed[i] = (rdata.at[1] & DNSKEY_REVOKE) != 0;
	unsigned wakes = l->wakes;
	anchors_observe(l->anchors, root, &set, self_signed);
	assert_int_equal(l->wakes, wakes + 1);
	bool changed = anchors_step(l->anchors, l->now);
	assert_false(anchors_step(l->anchors, l->now));
	return changed;
}

/* The letters of the keys that are trusted. */
static const char *trusted(const struct lab *l)
{
	static char out[4];
	size_t count, len = 0;
	const struct anchor *list = anchors_list(l->anchors, &count);
	assert_int_equal(count, 1);
	if (anchor_trusts_key(list, signer_dnskey(&l->a)))
		out[len++] = 'A';
	if (anchor_trusts_key(list, signer_dnskey(&l->b)))
		out[len++] = 'B';
	if (anchor_trusts_key(list, signer_dnskey(&l->c)))
		out[len++] = 'C';
	out[len] = '\0';
	return out;
}

static unsigned tag_of(const struct signer_key *key)
{
	return rdata_dnskey_tag(signer_dnskey(key));
}

static void assert_said(const struct lab *l, const char *words)
{
	if (!strstr(l->log, words))
		fail_msg("\"%s\" is not in the log:\n%s", words, l->log);
}

/* ---- rollovers ------------------------------------------------------------------------------- */

static const char *const store_names[] = {"at a stretch", "restarted",
					  "restarted, in the cache file"};

/* Days, each with a restart before or not; what the root shows; who is trusted then. */
static const struct {
	const char *why;
	struct {
		int day;
		const char *shown, *trusted;
	} steps[10];
} stories[] = {
	{"RFC 5011 §2.2: a new key after 30 days",
	 {{0, "A", "A"}, {1, "AB", "A"}, {16, "AB", "A"}, {30, "AB", "A"}, {31, "AB", "AB"}}},
	{"RFC 5011 §6.3: a rollover from end to end",
	 {{0, "A", "A"},
	  {10, "AB", "A"},
	  {40, "AB", "AB"},
	  {50, "aB", "B"},
	  {60, "B", "B"},
	  {81, "B", "B"},
	  {82, "AB", "B"}}},
	{"RFC 5011 §2.2: a key that goes away in between begins anew",
	 {{0, "AB", "A"}, {20, "A", "A"}, {31, "AB", "A"}, {60, "AB", "A"}, {61, "AB", "AB"}}},
	{"RFC 5011 §4.2: a missing key stays trusted",
	 {{0, "AB", "A"}, {30, "AB", "AB"}, {40, "B", "AB"}, {400, "AB", "AB"}}},
	{"RFC 5011 §6.4: the stand-by key takes over",
	 {{0, "AB", "A"}, {30, "AB", "AB"}, {31, "aBC", "B"}, {61, "BC", "BC"}}},
};

static void run_story(struct lab *l, size_t i, size_t how)
{
	int64_t day = 0;
	start(l, "A");
	for (size_t s = 0; s < ARRAY_LEN(stories[i].steps) && stories[i].steps[s].shown; s++) {
		pass(l, (stories[i].steps[s].day - day) * DAY_S);
		day = stories[i].steps[s].day;
		show(l, stories[i].steps[s].shown);
		if (how > 0) {
			stop(l);
			start(l, "A");
		}
		if (strcmp(trusted(l), stories[i].steps[s].trusted) != 0)
			fail_msg("%s, %s: day %d: trusted %s\n%s", stories[i].why, store_names[how],
				 (int)day, trusted(l), l->log);
	}
	stop(l);
}

static void test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
		for (size_t how = 0; how < ARRAY_LEN(store_names); how++) {
			struct lab *l = lab_new();
			l->on_disk = how == 2;
			run_story(l, i, how);
			lab_free(l);
		}
	}
}

static void test_told(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	char line[128];
	start(l, "A");
	assert_true(show(l, "A")); /* the DS became a key */
	assert_string_equal(l->log, "");
	assert_true(show(l, "AB"));
	snprintf(line, sizeof(line),
		 "anchor state changed: zone=. tag=%u from=start to=add-pending\n", tag_of(&l->b));
	assert_string_equal(l->log, line);
	pass(l, 30 * DAY_S);
	assert_true(show(l, "AB"));
	snprintf(line, sizeof(line),
		 "anchor state changed: zone=. tag=%u from=add-pending to=valid\n", tag_of(&l->b));
	assert_said(l, line);
	assert_false(show(l, "AB"));
	l->log[0] = '\0';
	assert_true(show(l, "ABC"));
	assert_true(show(l, "AB"));
	snprintf(line, sizeof(line), "tag=%u from=add-pending to=start\n", tag_of(&l->c));
	assert_said(l, line);
	assert_true(show(l, "ab"));
	assert_said(l, "no trusted key is left");
	stop(l);
	lab_free(l);
}

/* ---- when to ask ----------------------------------------------------------------------------- */

static void test_due(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	start(l, "A");
	assert_int_equal(anchors_due_us(l->anchors), l->now.mono_us + 5000000);
	assert_null(anchors_take_due(l->anchors, l->now));
	pass(l, 5);
	const uint8_t *zone = anchors_take_due(l->anchors, l->now);
	assert_true(zone && zone[0] == 0);
	assert_null(anchors_take_due(l->anchors, l->now));
	/* RFC 5011 §2.3: nothing came. */
	assert_int_equal(anchors_due_us(l->anchors), l->now.mono_us + 3600000000);
	pass(l, 3600);
	assert_non_null(anchors_take_due(l->anchors, l->now));
	show(l, "A");
	/* RFC 5011 §2.3: half of the TTL, 48 hours. */
	assert_int_equal(anchors_due_us(l->anchors), l->now.mono_us + 86400000000);
	pass(l, 86400);
	assert_non_null(anchors_take_due(l->anchors, l->now));
	/* RFC 5011 §2.3: a tenth of it after a failure. */
	assert_int_equal(anchors_due_us(l->anchors), l->now.mono_us + 17280000000);
	/* A reload changes nothing of that. */
	struct config *again = config_of(l, "A", "");
	assert_int_equal(anchors_configure(l->anchors, again, l->now), OK);
	assert_int_equal(anchors_due_us(l->anchors), l->now.mono_us + 17280000000);
	config_free(again);
	/* Who does not validate need not ask. */
	again = config_of(l, "A", "  enabled: false\n");
	assert_int_equal(anchors_configure(l->anchors, again, l->now), OK);
	assert_int_equal(anchors_due_us(l->anchors), UINT64_MAX);
	config_free(again);
	stop(l);
	lab_free(l);
}

/* ---- configuration over state ---------------------------------------------------------------- */

static void test_configured(void **state)
{
	(void)state;
	static const struct {
		const char *why, *configured, *trusted;
		bool anew;
	} table[] = {
		{"the same", "A", "AB", false},
		{"what was learned is configured now", "AB", "AB", false},
		{"only what was learned", "B", "AB", false},
		{"one more", "AC", "ABC", false},
		{"another tree", "C", "C", true},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct lab *l = lab_new();
		start(l, "A");
		show(l, "AB");
		pass(l, 30 * DAY_S);
		show(l, "AB");
		struct config *fresh = config_of(l, table[i].configured, "");
		assert_int_equal(anchors_configure(l->anchors, fresh, l->now), OK);
		if (strcmp(trusted(l), table[i].trusted) != 0)
			fail_msg("%s, reloaded: %s", table[i].why, trusted(l));
		config_free(fresh);
		stop(l);
		start(l, table[i].configured);
		if (strcmp(trusted(l), table[i].trusted) != 0)
			fail_msg("%s, restarted: %s", table[i].why, trusted(l));
		assert_int_equal(strstr(l->log, "beginning anew") != NULL, table[i].anew);
		stop(l);
		lab_free(l);
	}
}

/* The operator cannot bring back what its owner has revoked. */
static void test_revoked_for_good(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	start(l, "AB");
	show(l, "aB");
	stop(l);
	start(l, "AB");
	assert_string_equal(trusted(l), "B");
	stop(l);
	lab_free(l);
}

static void test_unmanaged(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	start(l, "A");
	show(l, "AB");
	assert_true(exists(l, "anchors"));
	stop(l);
	l->config = config_of(l, "A", "");
	((struct anchor *)(uintptr_t)l->config->settings.anchors)->managed = false;
	open_anchors(l);
	assert_int_equal(anchors_due_us(l->anchors), UINT64_MAX);
	pass(l, 31 * DAY_S);
	assert_false(show(l, "aB"));
	assert_string_equal(trusted(l), "A");
	stop(l);
	lab_free(l);
}

static void test_defaults(void **state)
{
	(void)state;
	static const struct {
		const char *why, *text;
		bool managed;
	} table[] = {
		{"built in", "", true},
		{"built in, in words", "dnssec: {trust-anchors: builtin}\n", true},
		{"built in and fixed", "dnssec: {auto-trust-anchors: false}\n", false},
		{"listed",
		 "dnssec: {trust-anchors: ['. DS 20326 8 2 "
		 "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D']}\n",
		 false},
		{"listed and followed",
		 "dnssec: {auto-trust-anchors: true, trust-anchors: ['. DS 20326 8 2 "
		 "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D']}\n",
		 true},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config *c;
		struct config_error error;
		assert_int_equal(config_load_text("f",
						  span_of(table[i].text, strlen(table[i].text)), &c,
						  &error),
				 OK);
		if (c->settings.anchors[0].managed != table[i].managed)
			fail_msg("%s", table[i].why);
		config_free(c);
	}
}

/* ---- the file -------------------------------------------------------------------------------- */

static void test_damage(void **state)
{
	(void)state;
	static char good[ANCHOR_TEXT_MAX], bad[2 * ANCHOR_TEXT_MAX];
	struct lab *l = lab_new();
	start(l, "A");
	show(l, "AB");
	pass(l, 30 * DAY_S);
	show(l, "AB");
	stop(l);
	size_t len = read_file(l, good, sizeof(good));
	for (size_t i = 0; i < len + 3; i += i < len ? 17 : 1) {
		size_t bad_len = len;
		memcpy(bad, good, len);
		if (i < len)
			bad[i] ^= 1;
		else if (i == len)
			bad_len = len - 1;
		else if (i == len + 1)
			memcpy(bad + bad_len, good, len / 2), bad_len += len / 2;
		else
			bad[bad_len++] = '\n';
		write_file_text(l, bad, bad_len);
		unlink(path(l, "anchors.damaged"));
		start(l, "A");
		assert_string_equal(trusted(l), "A");
		if (i == 0) /* the log holds back what repeats */
			assert_said(l, "the file is damaged");
		assert_true(exists(l, "anchors.damaged"));
		assert_false(exists(l, "anchors"));
		stop(l);
	}
	/* And it is begun again. */
	start(l, "A");
	assert_string_equal(l->log, "");
	show(l, "AB");
	assert_true(exists(l, "anchors"));
	stop(l);
	lab_free(l);
}

static void test_empty(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	write_file_text(l, "", 0);
	start(l, "A");
	assert_string_equal(trusted(l), "A");
	assert_string_equal(l->log, "");
	stop(l);
	lab_free(l);
}

static void test_no_directory(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	start(l, "A");
	rmdir(l->dir);
	assert_true(show(l, "AB"));
	assert_said(l, "kept in memory only");
	l->log[0] = '\0';
	assert_false(show(l, "AB"));
	assert_null(strstr(l->log, "kept in memory only")); /* once */
	pass(l, 30 * DAY_S);
	assert_true(show(l, "AB"));
	assert_string_equal(trusted(l), "AB");
	/* It works again at the next look, though nothing has changed. */
	assert_int_equal(mkdir(l->dir, 0700), 0);
	assert_false(show(l, "AB"));
	assert_said(l, "are kept again");
	stop(l);
	start(l, "A");
	assert_string_equal(trusted(l), "AB");
	stop(l);
	lab_free(l);
}

/* A draft that cannot be written leaves the file as it was, and none behind. */
static void test_atomic(void **state)
{
	(void)state;
	static char before[ANCHOR_TEXT_MAX], after[ANCHOR_TEXT_MAX];
	struct lab *l = lab_new();
	start(l, "A");
	show(l, "AB");
	size_t len = read_file(l, before, sizeof(before));
	assert_false(exists(l, "anchors.new"));
	assert_int_equal(mkdir(path(l, "anchors.new"), 0700), 0);
	assert_true(show(l, "ABC"));
	assert_said(l, "kept in memory only");
	assert_int_equal(read_file(l, after, sizeof(after)), len);
	assert_memory_equal(before, after, len);
	assert_int_equal(rmdir(path(l, "anchors.new")), 0);
	assert_false(show(l, "ABC"));
	assert_int_not_equal(read_file(l, after, sizeof(after)), len);
	/* Nobody can make us write somewhere else. */
	assert_int_equal(symlink("/tmp/resolverd-anchors.elsewhere", path(l, "anchors.new")), 0);
	assert_true(show(l, "AB"));
	assert_int_equal(access("/tmp/resolverd-anchors.elsewhere", F_OK), -1);
	stop(l);
	lab_free(l);
}

/* ---- in the cache file ----------------------------------------------------------------------- */

/* A copy of the cache file as it stands now is what a crash right now would leave. */
static void crash(struct lab *l)
{
	static uint8_t bytes[DISK_SIZE_MIN];
	FILE *file = fopen(path(l, "data.mdb"), "r");
	assert_non_null(file);
	size_t len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	stop(l);
	file = fopen(path(l, "data.mdb"), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

/* What was learned is durable when the step returns. */
static void test_blob(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	l->on_disk = true;
	start(l, "AB");
	assert_true(show(l, "aB"));
	assert_false(exists(l, "anchors"));
	crash(l);
	start(l, "AB");
	assert_string_equal(trusted(l), "B");
	assert_false(exists(l, "anchors"));
	stop(l);
	/* Without it: what is configured. */
	assert_int_equal(unlink(path(l, "data.mdb")), 0);
	start(l, "C");
	assert_string_equal(trusted(l), "C");
	stop(l);
	lab_free(l);
}

/* A file is taken over once; it is newer than what the cache file holds. */
static void test_taken_over(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	start(l, "AB");
	show(l, "aB");
	assert_true(exists(l, "anchors"));
	stop(l);
	for (int again = 0; again < 2; again++) {
		l->on_disk = true;
		start(l, "AB");
		assert_string_equal(trusted(l), "B");
		assert_false(exists(l, "anchors"));
		assert_int_equal(strstr(l->log, "taken over") != NULL, again == 0);
		crash(l);
	}
	/* A time without the cache file goes on with the state that is configured. */
	l->on_disk = false;
	start(l, "AC");
	show(l, "Ac");
	assert_true(exists(l, "anchors"));
	stop(l);
	l->on_disk = true;
	start(l, "AC");
	assert_string_equal(trusted(l), "A");
	assert_said(l, "taken over");
	assert_false(exists(l, "anchors"));
	stop(l);
	/* One that is empty says nothing against the cache file. */
	write_file_text(l, "", 0);
	start(l, "AC");
	assert_string_equal(trusted(l), "A");
	stop(l);
	lab_free(l);
}

/* While the cache file fails, the file takes its place, until the blob is durable again. */
static void test_instead(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	l->on_disk = true;
	assert_int_equal(mkdir(path(l, "data.mdb"), 0700), 0);
	start(l, "AB");
	assert_true(show(l, "aB"));
	assert_true(exists(l, "anchors"));
	stop(l);
	assert_int_equal(rmdir(path(l, "data.mdb")), 0);
	start(l, "AB");
	assert_string_equal(trusted(l), "B");
	assert_false(exists(l, "anchors"));
	stop(l);
	lab_free(l);
}

/* The state of the daemon whose directory it is stays as it is. */
static void test_foreign(void **state)
{
	(void)state;
	struct lab *l = lab_new(), *other = lab_new();
	l->on_disk = other->on_disk = true;
	start(l, "AB");
	show(l, "aB");
	char own[64];
	strcpy(own, other->dir);
	strcpy(other->dir, l->dir);
	log_init(LOG_LEVEL_INFO, hear, other);
	start(other, "AB");
	assert_true(show(other, "AB"));
	assert_said(other, "kept in memory only");
	assert_false(exists(l, "anchors"));
	stop(l);
	stop(other);
	start(l, "AB");
	assert_string_equal(trusted(l), "B");
	stop(l);
	strcpy(other->dir, own);
	lab_free(other);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),	   cmocka_unit_test(test_told),
		cmocka_unit_test(test_due),	   cmocka_unit_test(test_configured),
		cmocka_unit_test(test_unmanaged),  cmocka_unit_test(test_revoked_for_good),
		cmocka_unit_test(test_defaults),   cmocka_unit_test(test_damage),
		cmocka_unit_test(test_empty),	   cmocka_unit_test(test_no_directory),
		cmocka_unit_test(test_atomic),	   cmocka_unit_test(test_blob),
		cmocka_unit_test(test_taken_over), cmocka_unit_test(test_instead),
		cmocka_unit_test(test_foreign),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
