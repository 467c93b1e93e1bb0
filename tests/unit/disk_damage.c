/*
 * Damage of every kind to the file: nothing crashes, nothing wrong is served, the daemon goes on.
 */
#include <lmdb.h>

#include "disk/check.h"
#include "unit/disk_unit.h"

enum { NAMES = 900, ROUNDS = 100, PAGE = 4096 };

static uint8_t *sound; /* the file as it was */
static size_t sound_len;

static void write_all(const char *path, const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void make_sound(void)
{
	struct now now = unit_now(0);
	char path[512];
	struct stat st;
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	for (unsigned part = 0; part < 10; part++) {
		for (unsigned i = part; i < NAMES; i += 1 + part)
			unit_put(d, i, TYPE_ONE, 1 + i + 10000 * part, now);
		assert_int_equal(disk_sync(d), OK);
	}
	assert_int_equal(disk_put_blob(d, "anchors", span_of("keep me", 7)), OK);
	disk_close(d);
	unit_dir_file(&unit_dir, "data.mdb", path);
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	sound_len = (size_t)st.st_size;
	sound = malloc(sound_len);
	assert_int_equal(read(fd, sound, sound_len), sound_len);
	close(fd);
}

static int set_up(void **state)
{
	unit_set_up_dir(state);
	make_sound();
	return 0;
}

static int tear_down(void **state)
{
	free(sound);
	return unit_tear_down_dir(state);
}

/* A serial that was put for this name at some time; an old page may hold an older one. */
static bool was_put(unsigned number, uint32_t serial)
{
	for (unsigned part = 0; part < 10; part++) {
		if (serial == 1 + number + 10000 * part && number >= part &&
		    (number - part) % (1 + part) == 0)
			return true;
	}
	return false;
}

static unsigned load_all(struct disk *d)
{
	struct now now = unit_now(0);
	struct disk_reader *r = unit_reader(d);
	unsigned found = 0;
	for (unsigned i = 0; i < NAMES; i++) {
		uint32_t serial = unit_get(r, i, TYPE_ONE, now); /* checks every byte */
		assert_true(serial == 0 || was_put(i, serial));
		found += serial != 0;
	}
	disk_reader_free(r);
	return found;
}

/* Some of the pages that count, and some of the others. */
static size_t random_page(struct rng *rng)
{
	size_t used = 120; /* most of what is in use lies in front */
	return rng_below(rng, 8) == 0 ? rng_below(rng, 4) : rng_below(rng, (uint32_t)used);
}

static void damage(struct rng *rng, uint8_t *bytes, size_t *len)
{
	uint32_t kind = rng_below(rng, 100);
	size_t at = random_page(rng) * PAGE;
	if (kind < 35) { /* bits */
		for (unsigned i = 1 + rng_below(rng, 20); i > 0; i--)
			bytes[random_page(rng) * PAGE + rng_below(rng, PAGE)] ^=
				(uint8_t)(1U << rng_below(rng, 8));
	} else if (kind < 60) { /* headers and offsets of nodes */
		for (unsigned i = 1 + rng_below(rng, 4); i > 0; i--)
			bytes[at + rng_below(rng, 200)] = (uint8_t)rng_u32(rng);
	} else if (kind < 70) { /* a page of noise */
		rng_bytes(rng, bytes + at, PAGE);
	} else if (kind < 75) { /* a page of zeros: what some disks return after a power cut */
		memset(bytes + at, 0, PAGE);
	} else if (kind < 85) { /* another page's content */
		memcpy(bytes + at, bytes + random_page(rng) * PAGE, PAGE);
	} else if (kind < 95) {
		*len = rng_below(rng, (uint32_t)*len);
	} else { /* one of the 8-byte numbers becomes another small one: page numbers, counts */
		uint64_t number = rng_below(rng, 300);
		memcpy(bytes + at + 8 * (size_t)rng_below(rng, PAGE / 8), &number, sizeof(number));
	}
}

static void any_damage(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	char path[512];
	struct rng rng;
	unsigned aside = 0, damaged = 0, whole = 0;
	uint8_t *bytes = malloc(sound_len);
	rng_init_seeded(&rng, 7);
	unit_dir_file(&unit_dir, "data.mdb", path);
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t len = sound_len;
		memcpy(bytes, sound, sound_len);
		damage(&rng, bytes, &len);
		write_all(path, bytes, len);
		struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
		load_all(d); /* perhaps before it is checked */
		unsigned found = load_all(d);
		for (unsigned i = 0; i < 50; i++)
			unit_put(d, rng_below(&rng, NAMES / 10) * 10, TYPE_TWO, 1 + i, now);
		if (disk_sync(d) != OK) {
			struct disk_status s = unit_status(d);
			fail_msg("round %u: %s: %s", round, disk_state_text(s.state), s.reason);
		}
		assert_int_equal(disk_flush(d, (const uint8_t *)"\004sube\007example", 0, true),
				 OK);
		load_all(d);
		struct disk_status s = unit_status(d);
		assert_int_equal(s.state, DISK_GOOD);
		aside += s.moved_aside > 0;
		damaged += s.damaged > 0;
		whole += found == NAMES;
		disk_close(d);
		assert_in_range(unit_dir_count(&unit_dir, "data.mdb.damaged-", false), 0, 2);
	}
	/* Or else nothing was tested. */
	assert_true(aside > ROUNDS / 10 && damaged > ROUNDS / 20 && whole > ROUNDS / 20);
	free(bytes);
}

/* The same at the level of one view: the check lets nothing pass that LMDB would stumble over. */
static void checked_means_writable(void **state)
{
	(void)state;
	char path[512];
	struct rng rng;
	unsigned passed = 0, failed = 0;
	uint8_t *bytes = malloc(sound_len);
	rng_init_seeded(&rng, 8);
	unit_dir_file(&unit_dir, "data.mdb", path);
	for (unsigned round = 0; round < 2 * ROUNDS; round++) {
		struct disk_view v;
		size_t len = sound_len;
		memcpy(bytes, sound, sound_len);
		if (round > 0)
			damage(&rng, bytes, &len);
		write_all(path, bytes, len);
		int fd = open(path, O_RDONLY);
		enum err err = disk_view_read(&disk_io_real, fd, &v);
		if (err == OK)
			err = disk_check(&v);
		if (round == 0)
			assert_int_equal(err, OK);
		close(fd);
		passed += err == OK;
		failed += err != OK;
		if (err != OK)
			continue;
		MDB_env *env;
		MDB_txn *txn;
		MDB_dbi dbi;
		assert_int_equal(mdb_env_create(&env), 0);
		mdb_env_set_mapsize(env, sound_len);
		assert_int_equal(
			mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600), 0);
		assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
		assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
		for (unsigned i = 0; i < NAMES; i++) { /* empty it: every page is touched */
			struct disk_key key;
			uint8_t name[DNAME_MAX];
			unit_number_name(i, name);
			disk_key_entry(&key, ENTRY_RRSET, name, TYPE_ONE);
			MDB_val k = {key.len, key.bytes};
			int error = mdb_del(txn, dbi, &k, NULL);
			assert_true(error == 0 || error == MDB_NOTFOUND);
		}
		assert_int_equal(mdb_txn_commit(txn), 0);
		mdb_env_close(env);
	}
	assert_true(passed > ROUNDS / 10 && failed > ROUNDS / 10);
	free(bytes);
}

/* A record that is damaged in a file whose structure is sound: only that one is lost. */
static void one_record(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	struct unit_big_entry e;
	char path[512];
	uint8_t name[DNAME_MAX];
	unsigned hits = 0;
	uint8_t *bytes = malloc(sound_len);
	memcpy(bytes, sound, sound_len);
	unit_dir_file(&unit_dir, "data.mdb", path);
	unit_number_name(7, name); /* put with serial 8, and with others later */
	uint32_t serial = 0;
	for (unsigned part = 0; part < 10; part++)
		serial = was_put(7, 8 + 10000 * part) ? 8 + 10000 * part : serial;
	const struct entry *entry = unit_serial_entry(&e, name, TYPE_ONE, serial, UNIT_TTL_S, now);
	for (size_t at = 0; at + 64 < sound_len; at++) {
		struct span payload = entry_payload(entry);
		if (memcmp(bytes + at, payload.at, MIN(payload.len, 32U)) == 0) {
			bytes[at + 9] ^= 0x20;
			hits++;
		}
	}
	assert_true(hits > 0);
	write_all(path, bytes, sound_len);
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	assert_int_equal(load_all(d), NAMES - 1);
	assert_int_equal(unit_status(d).damaged, 1);
	assert_int_equal(disk_sync(d), OK);
	assert_int_equal(load_all(d), NAMES - 1); /* removed: not met again */
	struct disk_status s = unit_status(d);
	assert_int_equal(s.damaged, 1);
	assert_int_equal(s.moved_aside, 0);
	disk_close(d);
	free(bytes);
}

static void blob_is_rescued(void **state)
{
	(void)state;
	char path[512];
	uint8_t back[16];
	uint8_t *bytes = malloc(sound_len);
	unit_dir_file(&unit_dir, "data.mdb", path);
	memcpy(bytes, sound, sound_len);
	unsigned broken = 0;
	for (size_t page = 2; page < sound_len / PAGE && broken < 3; page++) {
		/* Leaves of entries: LMDB's flags say leaf, and names of the model are inside. */
		bool leaf = bytes[page * PAGE + 10] == DISK_PAGE_LEAF &&
			    memmem(bytes + page * PAGE, PAGE, "example", 7) &&
			    !memmem(bytes + page * PAGE, PAGE, "keep me", 7);
		if (!leaf || page % 5 != 0)
			continue;
		bytes[page * PAGE + 17] ^= 0xff;
		broken++;
	}
	for (size_t page = 2; page < sound_len / PAGE; page++) {
		if (bytes[page * PAGE + 10] == DISK_PAGE_LEAF && page % 2 == 0 &&
		    !memmem(bytes + page * PAGE, PAGE, "keep me", 7))
			bytes[page * PAGE + 12] ^= 1;
	}
	write_all(path, bytes, sound_len);
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	assert_int_equal(disk_sync(d), OK);
	assert_int_equal(unit_status(d).moved_aside, 1);
	struct disk_reader *r = unit_reader(d);
	struct writer w = writer_of(back, sizeof(back));
	assert_int_equal(disk_get_blob(r, "anchors", &w), OK);
	assert_true(span_equal(writer_span(&w), span_of("keep me", 7)));
	disk_reader_free(r);
	disk_close(d);
	free(bytes);
}

/* An entry under number 2, as a daemon of FORMAT has left it. */
static void put_entry_of(MDB_txn *txn, MDB_dbi dbi, uint16_t format)
{
	struct unit_big_entry e;
	static uint8_t record[sizeof(struct disk_record) + sizeof(e)] __attribute__((aligned(8)));
	uint8_t name[DNAME_MAX];
	struct disk_key key;
	unit_number_name(2, name);
	const struct entry *made =
		unit_serial_entry(&e, name, TYPE_ONE, 1, UNIT_TTL_S, unit_now(0));
	size_t len = sizeof(struct disk_record) + made->size_bytes;
	disk_record_of_entry(record, made, 1, disk_clock_of(unit_now(0), unit_now(0).cache_ms));
	memcpy(record + offsetof(struct disk_record, format), &format, sizeof(format));
	disk_key_entry(&key, (enum entry_kind)made->kind, name, TYPE_ONE);
	disk_record_seal(disk_key_span(&key), record, len);
	MDB_val k = {key.len, key.bytes}, v = {len, record};
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
}

/* A file as LMDB makes it, of FORMAT as its records say, with a blob, an entry, and perhaps what tells
 * that it is a cache. */
static void make_format(uint16_t format, bool with_meta)
{
	struct {
		struct disk_record head;
		char magic[16];
		uint32_t generation, zero;
	} meta = {{.format = format}, "resolverd cache", 1, 0};
	struct {
		struct disk_record head;
		char body[8];
	} blob = {{.format = format}, "old blob"};
	char path[512];
	struct disk_key key;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	unit_dir_count(&unit_dir, "data.mdb", true);
	unit_dir_file(&unit_dir, "data.mdb", path);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	disk_key_blob(&key, "anchors");
	disk_record_seal(disk_key_span(&key), (uint8_t *)&blob, sizeof(blob));
	MDB_val k = {key.len, key.bytes}, v = {sizeof(blob), &blob};
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	disk_key_number(&key, SPACE_META, 0);
	disk_record_seal(disk_key_span(&key), (uint8_t *)&meta, sizeof(meta));
	k = (MDB_val){key.len, key.bytes};
	v = (MDB_val){sizeof(meta), &meta};
	if (with_meta)
		assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	put_entry_of(txn, dbi, format);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void other_formats(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint16_t format;
		bool with_meta;
		unsigned aside;
	} cases[] = {
		{"our own", DISK_FORMAT, true, 0},
		{"an older one", DISK_FORMAT - 1, true, 1},
		{"format 1 kept as secure what had not been validated", 1, true, 1},
		{"a newer one", DISK_FORMAT + 1, true, 1},
		{"somebody else's database", DISK_FORMAT, false, 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t back[16];
		make_format(cases[i].format, cases[i].with_meta);
		struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
		struct disk_reader *r = unit_reader(d);
		if (unit_status(d).moved_aside != cases[i].aside ||
		    unit_status(d).state != DISK_GOOD)
			fail_msg("%s: %u moved aside, %s", cases[i].why,
				 (unsigned)unit_status(d).moved_aside, unit_status(d).reason);
		struct writer w = writer_of(back, sizeof(back));
		if (disk_get_blob(r, "anchors", &w) != OK || memcmp(back, "old blob", 8) != 0)
			fail_msg("%s: the blob is lost", cases[i].why);
		if ((unit_get(r, 2, TYPE_ONE, unit_now(0)) == 1) != (cases[i].aside == 0))
			fail_msg("%s: the entry is %sbelieved", cases[i].why,
				 cases[i].aside ? "" : "not ");
		unit_put(d, 1, TYPE_ONE, 1, unit_now(0));
		assert_int_equal(disk_sync(d), OK);
		disk_reader_free(r);
		disk_close(d);
	}
}

static void other_versions_of_lmdb(void **state)
{
	(void)state;
	char path[512];
	uint8_t *bytes = malloc(sound_len);
	unit_dir_file(&unit_dir, "data.mdb", path);
	memcpy(bytes, sound, sound_len);
	for (size_t page = 0; page < 2; page++)
		bytes[page * PAGE + 16 + 4] = 2; /* MDB_DATA_VERSION */
	write_all(path, bytes, sound_len);
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	assert_int_equal(unit_status(d).state, DISK_GOOD);
	assert_int_equal(unit_status(d).moved_aside, 1);
	assert_int_equal(load_all(d), 0);
	disk_close(d);
	free(bytes);
}

/* Truncated or deleted while it is open. */
static void taken_away(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	char path[512];
	unit_dir_file(&unit_dir, "data.mdb", path);
	for (unsigned i = 0; i < 3; i++) {
		write_all(path, sound, sound_len);
		struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
		assert_int_equal(disk_sync(d), OK);
		if (i == 0)
			assert_int_equal(unlink(path), 0);
		else
			assert_int_equal(truncate(path, i == 1 ? 0 : 10 * PAGE), 0);
		load_all(d);
		unit_put(d, 1, TYPE_TWO, 2, now);
		(void)!disk_sync(d);
		unit_await(d, DISK_GOOD);
		assert_int_equal(disk_sync(d), OK);
		disk_close(d);
		d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
		struct disk_reader *r = unit_reader(d);
		assert_int_equal(unit_get(r, 1, TYPE_TWO, now), 2);
		disk_reader_free(r);
		disk_close(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(checked_means_writable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(any_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(blob_is_rescued, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_formats, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_versions_of_lmdb, set_up, tear_down),
		cmocka_unit_test_setup_teardown(taken_away, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
