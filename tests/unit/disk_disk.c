#include "unit/disk_unit.h"

enum { MODEL_ROUNDS = 12000, MODEL_NAMES = 300 };

static void kept_over_a_restart(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, unit_disk_io());
	struct disk_reader *r = unit_reader(d);
	assert_int_equal(unit_status(d).state, DISK_GOOD);
	unit_put(d, 1, TYPE_ONE, 11, now);
	unit_put(d, 1, TYPE_TWO, 12, now);
	unit_put(d, 2, TYPE_ONE, 21, now);
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 11); /* at once */
	assert_int_equal(disk_sync(d), OK);
	assert_int_equal(unit_status(d).pending_entries, 0);
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 11); /* from the file */
	unit_put(d, 1, TYPE_ONE, 13, now);
	disk_reader_free(r);
	disk_close(d); /* writes what waits */

	d = unit_open(&unit_dir, UNIT_MAP_BYTES, unit_disk_io());
	r = unit_reader(d);
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 13);
	assert_int_equal(unit_get(r, 1, TYPE_TWO, now), 12);
	assert_int_equal(unit_get(r, 2, TYPE_ONE, now), 21);
	assert_int_equal(unit_get(r, 3, TYPE_ONE, now), 0);
	struct stat st;
	char path[512];
	unit_dir_file(&unit_dir, "data.mdb", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, UNIT_MAP_BYTES);
	assert_true((uint64_t)st.st_blocks * 512 >= UNIT_MAP_BYTES); /* not sparse */
	assert_int_equal(st.st_mode & 077, 0);
	disk_reader_free(r);
	disk_close(d);
}

static void short_ttls_are_coalesced(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct unit_big_entry e;
	uint8_t name[DNAME_MAX];
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	unit_number_name(7, name);
	for (uint32_t serial = 1; serial <= 20; serial++) {
		disk_put(d, unit_serial_entry(&e, name, TYPE_ONE, serial, 5, now), now);
		assert_int_equal(unit_get(r, 7, TYPE_ONE, now), serial);
		usleep(5000); /* commits go by */
	}
	struct disk_status s = unit_status(d);
	assert_int_equal(s.written, 0);
	assert_int_equal(s.coalesced, 19);
	assert_int_equal(s.pending_entries, 1);
	for (unsigned i = 0; i < 400 && unit_status(d).written == 0; i++)
		usleep(5000);
	assert_int_equal(unit_status(d).written, 1); /* puts do not put it off for ever */
	assert_int_equal(unit_get(r, 7, TYPE_ONE, now), 20);
	disk_reader_free(r);
	disk_close(d);
}

static void not_meant_for_the_disk(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct unit_big_entry e;
	uint8_t name[DNAME_MAX];
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	unit_number_name(7, name);
	disk_put(d, unit_serial_entry(&e, name, TYPE_ONE, 1, 0, now), now);
	struct entry *bogus = unit_serial_entry(&e, name, TYPE_ONE, 1, 100, now);
	bogus->verdict = VERDICT_BOGUS;
	disk_put(d, bogus, now);
	struct entry_parts failure = {.kind = ENTRY_FAILURE,
				      .name = name,
				      .type = TYPE_ONE,
				      .ttl_s = 5,
				      .rank = RANK_GLUE};
	disk_put(d, entry_make(&failure, e.bytes), now);
	assert_int_equal(unit_get(r, 7, TYPE_ONE, now), 0);
	assert_int_equal(unit_status(d).skipped, 3);
	disk_reader_free(r);
	disk_close(d);
}

static void off_is_fine(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct disk_settings off = {0};
	struct disk *d;
	assert_int_equal(disk_open(&off, &d), OK);
	struct disk_reader *r = unit_reader(d);
	unit_put(d, 1, TYPE_ONE, 1, now);
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 0);
	assert_int_equal(disk_flush_all(d), OK);
	assert_int_equal(disk_sync(d), OK);
	assert_int_equal(disk_put_blob(d, "x", span_of("y", 1)), ERR_CLOSED);
	assert_int_equal(unit_status(d).state, DISK_OFF);
	disk_reader_free(r);
	disk_close(d);
}

static void flush_cases(void **state)
{
	(void)state;
	static const struct {
		const char *why, *flush;
		uint16_t type;
		bool subtree;
		const char *gone, *kept;
	} cases[] = {
		{"one name, all types", "a.example.", 0, false, "a.example.", "b.a.example."},
		{"one name, not its neighbours", "a.example.", 0, false, "a.example.",
		 "aa.example."},
		{"one name, not its parent", "a.example.", 0, false, "a.example.", "example."},
		{"a subtree with its top", "a.example.", 0, true, "a.example.", "example."},
		{"a subtree below", "a.example.", 0, true, "c.b.a.example.", "aa.example."},
		{"case does not matter (RFC 4343)", "A.Example.", 0, true, "b.a.example.",
		 "b.example."},
		{"a label of zeros sorts beside a name's own entries", "a.example.", 0, false,
		 "a.example.", "\\000.a.example."},
		{"a label of zeros lies in the subtree", "a.example.", 0, true, "\\000.a.example.",
		 "example."},
		{"one type", "a.example.", TYPE_ONE, false, "a.example.", "b.example."},
		{"a subtree, one type", "example.", TYPE_ONE, true, "b.a.example.", "."},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct now now = unit_now(0);
		struct unit_big_entry e;
		struct unit_name gone = unit_name(cases[i].gone), kept = unit_name(cases[i].kept);
		struct unit_name flush = unit_name(cases[i].flush);
		struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
		struct disk_reader *r = unit_reader(d);
		for (uint32_t committed = 0; committed < 2; committed++) {
			disk_put(d, unit_serial_entry(&e, gone.wire, TYPE_ONE, 5, 900, now), now);
			disk_put(d, unit_serial_entry(&e, gone.wire, TYPE_TWO, 6, 900, now), now);
			disk_put(d, unit_serial_entry(&e, kept.wire, TYPE_ONE, 7, 900, now), now);
			if (committed)
				assert_int_equal(disk_sync(d), OK);
			assert_int_equal(disk_flush(d, flush.wire, cases[i].type, cases[i].subtree),
					 OK);
			bool type_kept = cases[i].type == TYPE_ONE;
			if (unit_find(r, gone.wire, TYPE_ONE, now) != 0 ||
			    unit_find(r, kept.wire, TYPE_ONE, now) != 7 ||
			    (unit_find(r, gone.wire, TYPE_TWO, now) == 6) != type_kept)
				fail_msg("%s (%s)", cases[i].why,
					 committed ? "committed" : "pending");
			/* What is put afterwards stays. */
			disk_put(d, unit_serial_entry(&e, gone.wire, TYPE_ONE, 8, 900, now), now);
			assert_int_equal(disk_sync(d), OK);
			assert_int_equal(unit_find(r, gone.wire, TYPE_ONE, now), 8);
		}
		assert_int_equal(disk_flush_all(d), OK);
		assert_int_equal(unit_find(r, kept.wire, TYPE_ONE, now), 0);
		assert_int_equal(atomic_load(&d->rules.count), 0); /* collected and forgotten */
		disk_reader_free(r);
		disk_close(d);
	}
}

/* "www.NUMBER.example. A" as rendered: an alias to TARGET and its address. */
static struct entry *alias_entry(struct unit_entry *e, unsigned number, const char *target,
				 struct now now)
{
	char text[64];
	snprintf(text, sizeof(text), "www.%u.example.", number);
	struct unit_name name = unit_name(text), end = unit_name(target);
	uint16_t table[] = {2, 0, 0, 2, 6, 0 /* below */, 0, 0};
	uint8_t body[1024];
	struct writer w = writer_of(body, sizeof(body));
	writer_u16(&w, 0xc00c);
	writer_u16(&w, TYPE_CNAME);
	writer_u16(&w, CLASS_IN);
	writer_u32(&w, 900);
	writer_u16(&w, (uint16_t)end.len);
	writer_bytes(&w, span_of(end.wire, end.len));
	writer_bytes(&w, span_of(end.wire, end.len));
	writer_u16(&w, TYPE_A);
	writer_u16(&w, CLASS_IN);
	table[5] = (uint16_t)writer_len(&w);
	writer_u32(&w, 900);
	writer_u16(&w, 4);
	writer_u32(&w, 0xc0000201);
	REQUIRE(!w.failed);
	struct entry_parts parts = {.kind = ENTRY_ANSWER,
				    .name = name.wire,
				    .type = TYPE_A,
				    .ttl_s = 900,
				    .fetched_ms = now.cache_ms,
				    .rank = RANK_ANSWER,
				    .verdict = VERDICT_INSECURE,
				    .ede = 0xffff,
				    .payload = {span_of(table, sizeof(table)), writer_span(&w)}};
	return entry_make(&parts, e->bytes);
}

static bool count_entry(void *context, const struct entry *e)
{
	(void)e;
	++*(unsigned *)context;
	return true;
}

static unsigned count_alias(struct disk_reader *r, unsigned number, struct now now)
{
	char text[64];
	unsigned count = 0;
	snprintf(text, sizeof(text), "www.%u.example.", number);
	struct unit_name name = unit_name(text);
	disk_load_name(r, name.wire, now, count_entry, &count);
	return count;
}

/* What was flushed is not told under another name: at once, after a restart, and however many
 * flushes there were since. */
static void flush_of_aliases(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct unit_entry e;
	struct unit_name target = unit_name("End.test."), tree = unit_name("tree.test.");
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	for (unsigned committed = 0; committed < 2; committed++) {
		disk_put(d, alias_entry(&e, 1, "end.test.", now), now);
		disk_put(d, alias_entry(&e, 2, "a.tree.test.", now), now);
		disk_put(d, alias_entry(&e, 3, "other.test.", now), now);
		if (committed)
			assert_int_equal(disk_sync(d), OK);
		for (unsigned i = 1; i <= 3; i++)
			assert_int_equal(count_alias(r, i, now), 1);
		assert_int_equal(disk_flush(d, target.wire, TYPE_A, false), OK);
		assert_int_equal(disk_flush(d, tree.wire, 0, true), OK);
		assert_int_equal(count_alias(r, 1, now), 0);
		assert_int_equal(count_alias(r, 2, now), 0);
		assert_int_equal(count_alias(r, 3, now), 1);
	}
	disk_reader_free(r);
	disk_close(d);

	d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	r = unit_reader(d);
	assert_int_equal(count_alias(r, 1, now) + count_alias(r, 2, now), 0);
	assert_int_equal(count_alias(r, 3, now), 1);
	disk_put(d, alias_entry(&e, 1, "end.test.", now), now); /* afresh */
	assert_int_equal(disk_sync(d), OK);
	assert_int_equal(count_alias(r, 1, now), 1);
	for (unsigned i = 0; i < DISK_LOG_MAX; i++) {
		char text[64];
		snprintf(text, sizeof(text), "flushed%u.test.", i);
		struct unit_name other = unit_name(text);
		assert_int_equal(disk_flush(d, other.wire, 0, false), OK);
	}
	assert_int_equal(count_alias(r, 1, now), 1);
	struct unit_name one_more = unit_name("flushed.test.");
	assert_int_equal(disk_flush(d, one_more.wire, 0, false), OK);
	assert_int_equal(count_alias(r, 3, now), 0); /* older than what fell out of the log */
	disk_reader_free(r);
	disk_close(d);
}

/* More than one commit can remove: hidden durably at once, collected later, over a restart too. */
static void large_flush(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct unit_name top = unit_name("example.");
	enum { NAMES = DISK_REMOVALS_MAX + 3000 };
	struct disk *d = unit_open(&unit_dir, 8 * UNIT_MAP_BYTES, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	for (unsigned i = 0; i < NAMES; i++) {
		unit_put(d, i, TYPE_ONE, 1, now);
		if (i % 500 == 0 || i == NAMES - 1)
			assert_int_equal(disk_sync(d), OK);
	}
	assert_int_equal(unit_status(d).entries, NAMES + 1); /* and the meta record */
	assert_int_equal(disk_flush(d, top.wire, 0, true), OK);
	disk_reader_free(r);
	disk_close(d);

	d = unit_open(&unit_dir, 8 * UNIT_MAP_BYTES, &disk_io_real);
	r = unit_reader(d);
	unit_put(d, 1, TYPE_ONE, 2, now);
	for (unsigned i = 0; i < NAMES; i += 7)
		assert_int_equal(unit_get(r, i, TYPE_ONE, now), i == 1 ? 2 : 0);
	assert_int_equal(disk_sync(d), OK);
	/* Left are the meta record, the log of flushes and what was put since. */
	for (unsigned i = 0; i < 1000 && unit_status(d).entries > 3; i++)
		usleep(5000);
	assert_int_equal(unit_status(d).entries, 3);
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 2);
	disk_reader_free(r);
	disk_close(d);
}

static void blobs(void **state)
{
	(void)state;
	uint8_t *big = malloc(DISK_BLOB_MAX + 1), *back = malloc(DISK_BLOB_MAX + 1);
	for (size_t i = 0; i < DISK_BLOB_MAX + 1; i++)
		big[i] = (uint8_t)unit_mix((uint32_t)i);
	struct disk *d = unit_open(&unit_dir, 8 * UNIT_MAP_BYTES, &disk_io_real);
	assert_int_equal(disk_put_blob(d, "infra", span_of(big, DISK_BLOB_MAX)), OK);
	assert_int_equal(disk_put_blob(d, "anchors", span_of("state", 5)), OK);
	assert_int_equal(disk_put_blob(d, "large", span_of(big, DISK_BLOB_MAX + 1)), ERR_LIMIT);
	assert_int_equal(disk_put_blob(d, "", span_of(big, 1)), ERR_LIMIT);
	for (unsigned i = 0; i < 3; i++) {
		struct disk_reader *r = unit_reader(d);
		struct writer w = writer_of(back, DISK_BLOB_MAX);
		assert_int_equal(disk_get_blob(r, "infra", &w), OK);
		assert_true(span_equal(writer_span(&w), span_of(big, DISK_BLOB_MAX)));
		w = writer_of(back, 4);
		assert_int_equal(disk_get_blob(r, "anchors", &w), ERR_NO_SPACE);
		w = writer_of(back, 5);
		assert_int_equal(disk_get_blob(r, "anchors", &w), OK);
		assert_int_equal(disk_get_blob(r, "anchor", &w), ERR_NOT_FOUND);
		disk_reader_free(r);
		if (i == 1) {
			assert_int_equal(disk_flush_all(d), OK); /* blobs are not cache */
		} else {
			disk_close(d);
			d = unit_open(&unit_dir, 8 * UNIT_MAP_BYTES, &disk_io_real);
		}
	}
	disk_close(d);
	free(big);
	free(back);
}

struct hot_seen {
	unsigned count, stop_at;
	uint32_t hits[64];
};

static bool see_hot(void *context, const struct entry *e)
{
	struct hot_seen *seen = context;
	unit_serial_of(e);
	seen->hits[seen->count++] = e->hits;
	return seen->count < seen->stop_at;
}

static void hot_names_first(void **state)
{
	(void)state;
	struct now now = unit_now(0), later = unit_now(5000);
	struct unit_big_entry e;
	uint8_t name[DNAME_MAX];
	struct disk_hot *hot;
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	assert_int_equal(disk_hot_new(&hot), OK);
	for (unsigned i = 0; i < 3000; i++) {
		unit_number_name(i, name);
		struct entry *entry = unit_serial_entry(&e, name, TYPE_ONE, i + 1, 900, now);
		if (i < 50)
			disk_put(d, entry, now);
		/* Every tenth was asked for; the larger the number the more often. */
		entry->hits = i % 10 == 0 ? i + 1 : 0;
		entry->last_hit_s = (uint32_t)(now.cache_ms / 1000);
		entry->gap_ms = 100000 - i;
		disk_hot_add(hot, entry, now);
	}
	disk_hot_store(d, hot, now);
	disk_close(d);

	d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	struct hot_seen seen = {.stop_at = 64};
	assert_int_equal(disk_load_hot(r, SIZE_MAX, later, see_hot, &seen), 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(seen.hits[i], 41 - 10 * i);
	seen = (struct hot_seen){.stop_at = 2};
	assert_int_equal(disk_load_hot(r, SIZE_MAX, later, see_hot, &seen), 2);
	seen = (struct hot_seen){.stop_at = 64};
	assert_int_equal(disk_load_hot(r, 10, later, see_hot, &seen), 0); /* bytes */
	unit_number_name(40, name);
	assert_int_equal(disk_flush(d, name, 0, false), OK);
	seen = (struct hot_seen){.stop_at = 64};
	assert_int_equal(disk_load_hot(r, SIZE_MAX, later, see_hot, &seen), 4);
	assert_int_equal(seen.hits[0], 31);
	disk_reader_free(r);
	disk_close(d);
}

static void more_hot_names_than_are_kept(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct unit_big_entry e;
	uint8_t name[DNAME_MAX];
	struct disk_hot *hot;
	struct disk *d = unit_open(&unit_dir, 2 * UNIT_MAP_BYTES, &disk_io_real);
	assert_int_equal(disk_hot_new(&hot), OK);
	for (unsigned i = 0; i < DISK_HOT_MAX + 1000; i++) {
		unit_number_name(i, name);
		struct entry *entry = unit_serial_entry(&e, name, TYPE_ONE, 1, 900, now);
		entry->hits = 1;
		entry->last_hit_s = (uint32_t)(now.cache_ms / 1000);
		entry->gap_ms = 1000000 - i;
		disk_hot_add(hot, entry, now);
		if (i == 5 || i == DISK_HOT_MAX + 900)
			disk_put(d, entry, now);
	}
	disk_hot_store(d, hot, now);
	assert_int_equal(disk_sync(d), OK);
	struct disk_reader *r = unit_reader(d);
	struct hot_seen seen = {.stop_at = 64};
	assert_int_equal(disk_load_hot(r, SIZE_MAX, now, see_hot, &seen),
			 1); /* number 5 fell out */
	disk_reader_free(r);
	disk_close(d);
}

/* Put at one time and load at another, in another process as far as the cache can tell. */
static void clock_cases(void **state)
{
	(void)state;
	enum { S = 1000, DAY = 86400 * S };
	static const struct {
		const char *why;
		int64_t put_wall, put_cache; /* ms after the common start */
		int64_t load_wall, load_cache;
		int64_t left_ms; /* of a TTL of 100 s; INT64_MIN: expired at the time of loading or before */
	} cases[] = {
		{"a minute later", 0, 0, 60 * S, 60 * S, 40 * S},
		{"an hour later", 0, 0, 3600 * S, 3600 * S, -3500 * S},
		{"clock set back by a day while down: not revived", 0, 0, -DAY, -DAY, INT64_MIN},
		{"clock set back by 3 s: never longer than the TTL", 0, 0, -3 * S, -3 * S, 100 * S},
		{"clock set forward by 5 days: expired", 0, 0, 5 * (int64_t)DAY, 5 * (int64_t)DAY,
		 100 * S - 5 * (int64_t)DAY},
		{"clock set right while running, then loaded in the same process", 0, 0, DAY,
		 10 * S, 100 * S - DAY},
		{"clock wrong by a day at start, set right, put, restarted", DAY, 0, DAY + 60 * S,
		 DAY + 60 * S, 40 * S},
		{"no clock at boot (1970): not revived", 0, 0, -unit_start_ms + 60 * S,
		 -unit_start_ms + 60 * S, INT64_MIN},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct now put = unit_now(cases[i].put_cache), load = unit_now(cases[i].load_cache);
		struct unit_big_entry e;
		struct unit_seen seen = {0};
		uint8_t name[DNAME_MAX];
		put.unix_s = (unit_start_ms + cases[i].put_wall) / 1000;
		load.unix_s = (unit_start_ms + cases[i].load_wall) / 1000;
		unit_number_name((unsigned)i, name);
		struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
		disk_put(d, unit_serial_entry(&e, name, TYPE_ONE, 1, 100, put), put);
		disk_close(d);
		d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
		struct disk_reader *r = unit_reader(d);
		if (disk_load_name(r, name, load, unit_see, &seen) != 1)
			fail_msg("%s: not found", cases[i].why);
		int64_t left = seen.expires_ms[0] - load.cache_ms;
		bool right = cases[i].left_ms == INT64_MIN ? left < 0
							   : left > cases[i].left_ms - 1000 &&
								     left < cases[i].left_ms + 1000;
		if (!right || left > 100 * S)
			fail_msg("%s: %lld ms left", cases[i].why, (long long)left);
		/* What has no age grows old nevertheless. */
		struct now even_later = unit_now(cases[i].load_cache + 5000);
		even_later.unix_s = load.unix_s + 5;
		seen.count = 0;
		disk_load_name(r, name, even_later, unit_see, &seen);
		assert_true(seen.expires_ms[0] - even_later.cache_ms <= left - 4000 ||
			    left > 90 * S);
		disk_reader_free(r);
		disk_close(d);
	}
}

static void two_daemons(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	char pid[32];
	struct disk *first = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	struct disk *second = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	struct disk_status s = unit_status(second);
	snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
	assert_int_equal(s.state, DISK_LOCKED);
	assert_non_null(strstr(s.reason, unit_dir.path));
	assert_non_null(strstr(s.reason, pid));
	struct disk_reader *r = unit_reader(second);
	unit_put(second, 1, TYPE_ONE, 1, now); /* goes nowhere, quietly */
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 0);
	assert_int_equal(disk_flush_all(second), ERR_BUSY);
	unit_put(first, 2, TYPE_ONE, 2, now);
	disk_close(first);
	unit_await(second, DISK_GOOD); /* takes over; its own flush holds */
	assert_int_equal(unit_get(r, 2, TYPE_ONE, now), 0);
	unit_put(second, 3, TYPE_ONE, 3, now);
	assert_int_equal(unit_get(r, 3, TYPE_ONE, now), 3);
	disk_reader_free(r);
	disk_close(second);
}

static void too_much_waits(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct disk_tuning slow = quick;
	struct disk_settings settings = {.path = unit_dir.path, .size_bytes = UNIT_MAP_BYTES};
	struct disk *d;
	slow.commit_ms = 60000;
	slow.pending_bytes = 100000;
	assert_int_equal(disk_open_with(&settings, &disk_io_real, &slow, &d), OK);
	struct disk_reader *r = unit_reader(d);
	for (unsigned i = 0; i < 500; i++)
		unit_put(d, i, TYPE_ONE, 1, now);
	struct disk_status s = unit_status(d);
	assert_true(s.dropped > 0 && s.dropped < 500);
	assert_true(s.pending_bytes <= slow.pending_bytes);
	for (unsigned i = 480; i < 500; i++) /* the oldest make room */
		assert_int_equal(unit_get(r, i, TYPE_ONE, now), 1);
	/* What is out of date is not kept for want of room. */
	for (unsigned i = 0; i < 500; i++)
		unit_put(d, i, TYPE_ONE, 2, now);
	for (unsigned i = 0; i < 500; i++)
		assert_int_not_equal(unit_get(r, i, TYPE_ONE, now), 1);
	disk_reader_free(r);
	disk_close(d);
}

/* A disk that takes nothing more, and strangers whose names come and go: what must be removed is told
 * first, and its room is bounded too. */
static void removals_that_wait(void **state)
{
	(void)state;
	enum { FEW = 20, MANY = 5000 };
	struct now now = unit_now(0);
	struct disk_tuning slow = quick;
	struct disk_settings settings = {.path = unit_dir.path, .size_bytes = UNIT_MAP_BYTES};
	uint8_t name[DNAME_MAX];
	struct disk *d;
	slow.commit_ms = 60000;
	slow.pending_bytes = 100000;
	assert_int_equal(disk_open_with(&settings, &disk_io_real, &slow, &d), OK);
	struct disk_reader *r = unit_reader(d);
	for (unsigned i = 0; i < FEW; i++)
		unit_put(d, i, TYPE_ONE, 1, now);
	assert_int_equal(disk_sync(d), OK);
	for (unsigned i = 0; i < FEW; i++) {
		unit_number_name(i, name);
		disk_remove(d, ENTRY_RRSET, name, TYPE_ONE, true);
		if (i % 2) /* once more, by who does not know; or there is a new one */
			disk_remove(d, ENTRY_RRSET, name, TYPE_ONE, false);
		else
			unit_put(d, i, TYPE_ONE, 2, now);
	}
	for (unsigned i = FEW; i < MANY; i++)
		unit_put(d, i, TYPE_ONE, 1, now);
	for (unsigned i = 0; i < FEW; i++) /* nothing of before */
		assert_int_not_equal(unit_get(r, i, TYPE_ONE, now), 1);
	for (unsigned i = FEW; i < MANY; i++) {
		unit_number_name(i, name);
		disk_remove(d, ENTRY_RRSET, name, TYPE_ONE, true);
		assert_true(unit_status(d).pending_bytes <= slow.pending_bytes);
	}
	for (unsigned i = 0; i < FEW; i++)
		assert_int_not_equal(unit_get(r, i, TYPE_ONE, now), 1);
	disk_reader_free(r);
	disk_close(d);
}

/* A file far too small for what is put: goes on, and keeps what was asked for again. */
/* Far more comes than the file holds: what is popular and what is newest is kept, and the file's own limit
 * is not told as a full disk. */
static void newest_and_popular_survive(void **state)
{
	(void)state;
	enum { POPULAR = 100, FLOOD = 40000, NEWEST = 500, FIRST = 100 };
	/* By the true clock, for nothing is to have expired. */
	const int64_t begin_ms = disk_io_real.unix_ms() - FLOOD;
	struct now now = {.cache_ms = begin_ms, .unix_s = begin_ms / 1000};
	struct unit_big_entry e;
	uint8_t name[DNAME_MAX];
	struct disk *d = unit_open(&unit_dir, 8 << 20, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	for (unsigned i = 0; i < POPULAR; i++) {
		unit_number_name(i, name);
		struct entry *hot = unit_serial_entry(&e, name, TYPE_TWO, 1 + i, 86400, now);
		hot->hits = 50;
		disk_put(d, hot, now);
	}
	for (unsigned i = 0; i < FLOOD; i++) {
		now.cache_ms = begin_ms + i; /* one a millisecond */
		now.unix_s = now.cache_ms / 1000;
		unit_put(d, i, TYPE_ONE, 1 + i, now);
		struct disk_status s = unit_status(d);
		assert_true(s.pending_bytes <= quick.pending_bytes);
		assert_int_not_equal(s.state, DISK_FULL);
		if (i % 500 == 0) /* however slow the writer is */
			assert_int_equal(disk_sync(d), OK);
	}
	assert_int_equal(disk_sync(d), OK);
	struct disk_status s = unit_status(d);
	assert_int_equal(s.state, DISK_GOOD);
	assert_non_null(strstr(s.reason, "at its limit"));
	assert_true(s.collected > 0 && s.moved_aside == 0);
	assert_true(s.used_bytes <= s.map_bytes);
	for (unsigned i = 0; i < POPULAR; i++)
		assert_int_equal(unit_get(r, i, TYPE_TWO, now), 1 + i);
	unsigned newest = 0, first = 0;
	for (unsigned i = 0; i < NEWEST; i++)
		newest += unit_get(r, FLOOD - 1 - i, TYPE_ONE, now) != 0;
	for (unsigned i = 0; i < FIRST; i++)
		first += unit_get(r, i, TYPE_ONE, now) != 0;
	/* By chance it would be a third of each. */
	if (newest < NEWEST * 3 / 5 || first > FIRST * 2 / 5)
		fail_msg("of the newest %u, of the first %u", newest, first);
	disk_reader_free(r);
	disk_close(d);
}

static void collects_under_pressure(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct unit_big_entry e;
	uint8_t name[DNAME_MAX];
	struct disk *d = unit_open(&unit_dir, DISK_SIZE_MIN, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	unit_number_name(65000, name);
	struct entry *hot = unit_serial_entry(&e, name, TYPE_TWO, 4711, 86400, now);
	hot->hits = 50;
	disk_put(d, hot, now);
	for (unsigned i = 0; i < 30000; i++) {
		unit_put(d, i, TYPE_ONE, 1 + i, now);
		if (i % 1000 == 0 && disk_sync(d) != OK) {
			struct disk_status s = unit_status(d);
			fail_msg("%u: %s: %s", i, disk_state_text(s.state), s.reason);
		}
	}
	assert_int_equal(disk_sync(d), OK);
	struct disk_status s = unit_status(d);
	assert_int_equal(s.moved_aside, 0);
	assert_true(s.collected > 1000);
	assert_true(s.used_bytes <= s.map_bytes);
	assert_int_equal(unit_get(r, 65000, TYPE_TWO, now), 4711);
	disk_reader_free(r);
	disk_close(d);
}

static void other_sizes(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct disk *d = unit_open(&unit_dir, 4 * UNIT_MAP_BYTES, &disk_io_real);
	for (unsigned i = 0; i < 8000; i++)
		unit_put(d, i, TYPE_ONE, 1 + i, now);
	disk_close(d);
	d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real); /* smaller than what is in it */
	struct disk_reader *r = unit_reader(d);
	struct disk_status s = unit_status(d);
	assert_int_equal(s.state, DISK_GOOD);
	assert_true(strlen(s.reason) > 0);
	assert_true(s.used_bytes > s.limit_bytes);
	assert_int_equal(unit_get(r, 77, TYPE_ONE, now), 78);
	for (unsigned i = 0; i < 1000 && unit_status(d).used_bytes > s.limit_bytes; i++) {
		unit_put(d, 9000, TYPE_ONE, i + 1, now);
		usleep(5000);
	}
	assert_true(unit_status(d).used_bytes <= s.limit_bytes);
	disk_reader_free(r);
	disk_close(d);
	d = unit_open(&unit_dir, 8 * UNIT_MAP_BYTES, &disk_io_real); /* larger */
	assert_int_equal(unit_status(d).map_bytes, 8 * UNIT_MAP_BYTES);
	unit_put(d, 1, TYPE_ONE, 5, now);
	assert_int_equal(disk_sync(d), OK);
	disk_close(d);
}

struct model {
	struct disk *disk;
	struct disk_reader *reader;
	struct rng rng;
	uint32_t serials[MODEL_NAMES][2]; /* 0: none */
};

static void model_flush(struct model *m, unsigned number)
{
	uint8_t name[DNAME_MAX], other[DNAME_MAX];
	unsigned skip = rng_below(&m->rng, 3);
	uint16_t type = rng_below(&m->rng, 2) ? TYPE_ONE : 0;
	unit_number_name(number, name);
	const uint8_t *top = dname_skip(name, skip);
	bool subtree = skip > 0;
	assert_int_equal(disk_flush(m->disk, top, type, subtree), OK);
	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		unit_number_name(i, other);
		bool covered = subtree ? dname_is_within(other, top) : i == number;
		if (covered)
			m->serials[i][0] = 0;
		if (covered && type == 0)
			m->serials[i][1] = 0;
	}
}

static void model_reopen(struct model *m)
{
	disk_reader_free(m->reader);
	disk_close(m->disk);
	m->disk = unit_open(&unit_dir, 4 * UNIT_MAP_BYTES, &disk_io_real);
	m->reader = unit_reader(m->disk);
}

static void same_as_a_model(void **state)
{
	(void)state;
	static const uint16_t types[] = {TYPE_ONE, TYPE_TWO};
	struct now now = unit_now(0);
	static struct model m;
	struct unit_big_entry e;
	uint8_t name[DNAME_MAX];
	rng_init_seeded(&m.rng, 4);
	m.disk = unit_open(&unit_dir, 4 * UNIT_MAP_BYTES, &disk_io_real);
	m.reader = unit_reader(m.disk);
	for (uint32_t round = 1; round <= MODEL_ROUNDS; round++) {
		unsigned number = rng_below(&m.rng, MODEL_NAMES), type = rng_below(&m.rng, 2);
		uint32_t dice = rng_below(&m.rng, 1000);
		unit_number_name(number, name);
		if (dice < 500) {
			uint32_t ttl_s = dice < 150 ? 5 : 900;
			disk_put(m.disk,
				 unit_serial_entry(&e, name, types[type], round, ttl_s, now), now);
			m.serials[number][type] = round;
		} else if (dice < 600) {
			disk_remove(m.disk, ENTRY_RRSET, name, types[type], true);
			m.serials[number][type] = 0;
		} else if (dice < 610) {
			model_flush(&m, number);
		} else if (dice < 620) {
			assert_int_equal(disk_sync(m.disk), OK);
		} else if (dice < 623) {
			model_reopen(&m);
		}
		number = rng_below(&m.rng, MODEL_NAMES);
		for (unsigned t = 0; t < 2; t++) {
			if (unit_get(m.reader, number, types[t], now) != m.serials[number][t])
				fail_msg("round %u: name %u type %u", round, number, types[t]);
		}
	}
	assert_int_equal(unit_status(m.disk).damaged, 0);
	disk_reader_free(m.reader);
	disk_close(m.disk);
}

struct race { /* writer thread against readers */
	struct disk *disk;
	atomic_bool stop;
	_Atomic uint32_t highest[64]; /* put so far; at flush: everything up to here is gone */
	_Atomic uint32_t flushed;
	atomic_uint loads;
};

static void *race_put(void *context)
{
	struct race *race = context;
	struct now now = unit_now(0);
	for (uint32_t serial = 1; !atomic_load(&race->stop); serial++)
		unit_put(race->disk, serial % 64, TYPE_ONE, serial, now);
	return NULL;
}

static void *race_load(void *context)
{
	struct race *race = context;
	struct now now = unit_now(0);
	struct disk_reader *r = unit_reader(race->disk);
	uint32_t last[64] = {0};
	while (!atomic_load(&race->stop)) {
		unsigned number = atomic_fetch_add(&race->loads, 1) % 64;
		uint32_t flushed = atomic_load(&race->flushed);
		uint32_t serial = unit_get(r, number, TYPE_ONE, now);
		/* Never older than what this thread has seen, nor than what was flushed before. */
		REQUIRE(serial == 0 || serial >= last[number]);
		REQUIRE(serial == 0 || serial > flushed);
		last[number] = MAX(serial, last[number]);
	}
	disk_reader_free(r);
	return NULL;
}

static void threads(void **state)
{
	(void)state;
	static struct race race;
	struct now now = unit_now(0);
	pthread_t put, load[2];
	race.disk = unit_open(&unit_dir, 2 * UNIT_MAP_BYTES, &disk_io_real);
	struct disk_reader *r = unit_reader(race.disk);
	pthread_create(&put, NULL, race_put, &race);
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&load[i], NULL, race_load, &race);
	for (unsigned round = 0; round < 40; round++) {
		uint32_t lowest = UINT32_MAX;
		for (unsigned i = 0; i < 64; i++) {
			uint32_t serial = unit_get(r, i, TYPE_ONE, now);
			lowest = MIN(lowest, serial);
		}
		assert_int_equal(disk_flush_all(race.disk), OK);
		/* All that was there before is gone, so all there is is newer than the oldest. */
		atomic_store(&race.flushed, lowest);
		usleep(10000);
	}
	atomic_store(&race.stop, true);
	pthread_join(put, NULL);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(load[i], NULL);
	assert_true(atomic_load(&race.loads) > 100);
	disk_reader_free(r);
	disk_close(race.disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(kept_over_a_restart),
		unit_test_in_dir(short_ttls_are_coalesced),
		unit_test_in_dir(not_meant_for_the_disk),
		unit_test_in_dir(off_is_fine),
		unit_test_in_dir(flush_cases),
		unit_test_in_dir(flush_of_aliases),
		unit_test_in_dir(large_flush),
		unit_test_in_dir(blobs),
		unit_test_in_dir(hot_names_first),
		unit_test_in_dir(more_hot_names_than_are_kept),
		unit_test_in_dir(clock_cases),
		unit_test_in_dir(two_daemons),
		unit_test_in_dir(too_much_waits),
		unit_test_in_dir(removals_that_wait),
		unit_test_in_dir(collects_under_pressure),
		unit_test_in_dir(newest_and_popular_survive),
		unit_test_in_dir(other_sizes),
		unit_test_in_dir(same_as_a_model),
		unit_test_in_dir(threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
