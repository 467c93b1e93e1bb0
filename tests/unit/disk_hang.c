/*
 * A disk that does not come back: nobody but the threads that are there for it waits, everybody is told,
 * and when it goes on, so does everything else.
 */
#include "unit/disk_unit.h"

static struct {				   /* a table of plain functions leaves no other place */
	atomic_bool reads, opens, commits; /* hang while set */
	atomic_int in_read;
} gate;

static void pass(const atomic_bool *shut)
{
	while (atomic_load(shut))
		usleep(1000);
}

static ssize_t gated_pread(int fd, void *out, size_t len, off_t offset)
{
	atomic_fetch_add(&gate.in_read, 1);
	pass(&gate.reads);
	atomic_fetch_sub(&gate.in_read, 1);
	return disk_io_real.pread(fd, out, len, offset);
}

/* While reads hang nothing is in memory. */
static ssize_t gated_pread_resident(int fd, void *out, size_t len, off_t offset)
{
	errno = EAGAIN;
	return atomic_load(&gate.reads) ? -1 : disk_io_real.pread(fd, out, len, offset);
}

static int gated_open(const char *path, int flags, mode_t mode)
{
	pass(&gate.opens);
	return disk_io_real.open(path, flags, mode);
}

static int gated_commit(struct MDB_txn *txn)
{
	pass(&gate.commits);
	return disk_io_real.txn_commit(txn);
}

static struct disk_io gated(void)
{
	struct disk_io io = disk_io_real;
	io.pread = gated_pread;
	io.pread_resident = gated_pread_resident;
	io.open = gated_open;
	io.txn_commit = gated_commit;
	return io;
}

static struct disk *open_gated(const struct disk_io *io, int64_t open_ms)
{
	struct disk_settings settings = {.path = unit_dir.path, .size_bytes = UNIT_MAP_BYTES};
	static struct disk_tuning tuning;
	struct disk *d;
	tuning = quick;
	tuning.open_ms = open_ms;
	tuning.close_ms = 500;
	assert_int_equal(disk_open_with(&settings, io, &tuning, &d), OK);
	return d;
}

/* Nothing that is called from here on, until took_a_moment(), may wait for the disk: it is shut. */
static int64_t begin_us;

static void begin(void)
{
	begin_us = disk_io_real.mono_us();
}

static void took_a_moment(const char *what, int64_t most_ms)
{
	int64_t ms = (disk_io_real.mono_us() - begin_us) / 1000;
	if (ms > most_ms)
		fail_msg("%s took %lld ms", what, (long long)ms);
}

enum { MOMENT_MS = 10000 }; /* the gate does not open by itself, so any end proves it */

struct look {
	struct disk_job job;
	atomic_int ran, refused;
};

static void run_look(struct disk_job *job, struct disk_reader *r)
{
	struct look *l = CONTAINER_OF(job, struct look, job);
	if (r)
		(void)unit_get(r, 1, TYPE_ONE, unit_now(0));
	atomic_fetch_add(r ? &l->ran : &l->refused, 1);
}

/* At least WANTED: the disk has reads of its own, too. */
static void await(const atomic_int *value, int wanted)
{
	while (atomic_load(value) < wanted)
		usleep(1000);
}

static void await_hang(struct disk *d, bool wanted)
{
	while ((unit_status(d).state == DISK_HUNG) != wanted)
		usleep(1000);
}

static bool refuse_entry(void *context, const struct entry *e)
{
	(void)context;
	(void)e;
	fail_msg("something was told of a disk that hangs");
	return false;
}

/* All that a thread may call which must not wait. */
static void nobody_waits(struct disk *d, struct disk_reader *own)
{
	struct now now = unit_now(0);
	uint8_t name[DNAME_MAX];
	size_t count;
	const struct disk_load what = {.name = name, .now = now, .fn = refuse_entry};
	unit_number_name(1, name);
	begin();
	for (unsigned i = 0; i < 100; i++) {
		unit_put(d, 2, TYPE_ONE, i, now);
		assert_int_equal(disk_load_resident(own, &what, &count), ERR_BUSY);
		disk_reader_free(unit_reader(d));
		assert_int_equal(disk_ask_name(d, &what), ERR_BUSY);
		assert_int_equal(disk_flush(d, (const uint8_t *)"\1x", 0, true), ERR_BUSY);
	}
	took_a_moment("what must not wait", MOMENT_MS);
}

static void reads_hang(void **state)
{
	(void)state;
	const struct disk_io io = gated();
	struct disk *d = open_gated(&io, 30000);
	struct look first = {.job.run = run_look}, late = {.job.run = run_look};
	unit_put(d, 1, TYPE_ONE, 1, unit_now(0));
	assert_int_equal(disk_sync(d), OK);
	struct disk_reader *own = unit_reader(d);

	atomic_store(&gate.reads, true);
	assert_int_equal(disk_post(d, &first.job), OK);
	await_hang(d, true);
	assert_non_null(strstr(unit_status(d).reason, "a read has not come back"));
	assert_int_equal(disk_post(d, &late.job), ERR_BUSY);
	assert_true(unit_status(d).lookups_refused > 0);
	nobody_waits(d, own);
	assert_int_equal(atomic_load(&first.ran), 0);

	atomic_store(&gate.reads, false);
	await(&first.ran, 1);
	await_hang(d, false);
	assert_int_equal(disk_post(d, &late.job), OK);
	await(&late.ran, 1);
	while (disk_sync(d) != OK)
		usleep(1000);
	disk_reader_free(own);
	assert_int_equal(disk_close(d), OK);
}

/* More than may wait are refused and counted; those that waited for too long are not begun. */
static void queue_is_bounded(void **state)
{
	(void)state;
	const struct disk_io io = gated();
	struct disk *d = open_gated(&io, 30000);
	unsigned most = DISK_LOOKUP_QUEUE + DISK_LOOKUP_THREADS, taken = 0;
	struct look *looks = calloc(most + 1, sizeof(*looks));
	unit_put(d, 1, TYPE_ONE, 1, unit_now(0));
	assert_int_equal(disk_sync(d), OK);
	atomic_store(&gate.reads, true);
	enum err err = OK;
	for (; taken <= most && err == OK; taken += err == OK) {
		looks[taken].job.run = run_look;
		err = disk_post(d, &looks[taken].job);
	}
	assert_true(err == ERR_LIMIT || err == ERR_BUSY); /* busy: this machine was slow */
	assert_true(taken <= most);
	if (err == ERR_LIMIT)
		assert_int_equal(unit_status(d).lookups_dropped, 1);
	usleep((DISK_JOB_MS + 100) * 1000);
	atomic_store(&gate.reads, false);
	await_hang(d, false);
	for (unsigned i = 0; i < taken; i++)
		while (atomic_load(&looks[i].ran) + atomic_load(&looks[i].refused) != 1)
			usleep(1000);
	assert_true(unit_status(d).lookups_expired >= taken - DISK_LOOKUP_THREADS);
	assert_int_equal(disk_close(d), OK);
	free(looks);
}

static void commits_hang(void **state)
{
	(void)state;
	const struct disk_io io = gated();
	struct disk *d = open_gated(&io, 30000);
	struct now now = unit_now(0);
	struct disk_reader *own = unit_reader(d);
	unit_put(d, 1, TYPE_ONE, 1, now);
	assert_int_equal(disk_sync(d), OK);
	atomic_store(&gate.commits, true);
	unit_put(d, 2, TYPE_ONE, 2, now);
	await_hang(d, true);
	assert_non_null(strstr(unit_status(d).reason, "a write has not come back"));
	begin();
	assert_int_equal(unit_get(own, 1, TYPE_ONE, now), 1); /* reads go on */
	assert_int_equal(unit_get(own, 2, TYPE_ONE, now), 2);
	assert_int_equal(disk_sync(d), ERR_BUSY);
	took_a_moment("reading while a commit hangs", MOMENT_MS);
	disk_reader_free(own);
	assert_int_equal(disk_close(d), ERR_BUSY);
	took_a_moment("closing while a commit hangs", MOMENT_MS);
	atomic_store(&gate.commits, false);
	while (disk_close(d) != OK)
		usleep(1000);
}

/* A start does not wait, and what is on the disk is there when it answers. */
static void opening_hangs(void **state)
{
	(void)state;
	const struct disk_io io = gated();
	uint8_t bytes[64];
	struct writer to = writer_of(bytes, sizeof(bytes));
	struct disk *d = open_gated(&io, 30000);
	unit_put(d, 1, TYPE_ONE, 1, unit_now(0));
	assert_int_equal(disk_put_blob(d, "blob", span_of((const uint8_t *)"kept", 4)), OK);
	assert_int_equal(disk_sync(d), OK);
	assert_int_equal(disk_close(d), OK);

	atomic_store(&gate.opens, true);
	begin();
	d = open_gated(&io, 100);
	assert_false(disk_is_opened(d));
	unit_put(d, 2, TYPE_ONE, 2, unit_now(0));
	assert_int_equal(disk_recall_blob(d, "blob", &to), ERR_BUSY);
	took_a_moment("a start", MOMENT_MS);
	await_hang(d, true);
	assert_non_null(strstr(unit_status(d).reason, "opening it has not come back"));

	atomic_store(&gate.opens, false);
	disk_await_opened(d);
	unit_await(d, DISK_GOOD);
	assert_int_equal(disk_recall_blob(d, "blob", &to), OK);
	assert_true(span_equal(writer_span(&to), span_of((const uint8_t *)"kept", 4)));
	struct disk_reader *own = unit_reader(d);
	assert_int_equal(unit_get(own, 1, TYPE_ONE, unit_now(0)), 1);
	assert_int_equal(unit_get(own, 2, TYPE_ONE, unit_now(0)), 2);
	disk_reader_free(own);
	assert_int_equal(disk_close(d), OK);
}

struct slow_get {
	struct disk *disk;
	uint32_t serial;
};

static void *get_slowly(void *context)
{
	struct slow_get *g = context;
	struct disk_reader *r = unit_reader(g->disk);
	g->serial = unit_get(r, 1, TYPE_ONE, unit_now(0));
	disk_reader_free(r);
	return NULL;
}

/* Who reads slowly does not bring back what was replaced, removed or flushed meanwhile. */
static void newest_wins(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		bool remove, flush;
		uint32_t serial, found;
	} table[] = {
		{"nothing happens", false, false, 0, 1},
		{"replaced", false, false, 2, 2},
		{"removed", true, false, 0, 0},
		{"flushed", false, true, 0, 0},
	};
	const struct disk_io io = gated();
	uint8_t name[DNAME_MAX];
	unit_number_name(1, name);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct disk *d = open_gated(&io, 30000);
		struct slow_get g = {.disk = d};
		pthread_t thread;
		unit_put(d, 1, TYPE_ONE, 1, unit_now(0));
		assert_int_equal(disk_sync(d), OK);
		atomic_store(&gate.commits, true); /* so that the writer waits for nothing else */
		atomic_store(&gate.reads, true);
		assert_int_equal(pthread_create(&thread, NULL, get_slowly, &g), 0);
		await(&gate.in_read, 1);
		if (table[i].serial)
			unit_put(d, 1, TYPE_ONE, table[i].serial, unit_now(0));
		if (table[i].remove)
			disk_remove(d, ENTRY_RRSET, name, TYPE_ONE, true);
		if (table[i].flush)
			disk_flush_begin(d, name, 0, false);
		atomic_store(&gate.reads, false);
		pthread_join(thread, NULL);
		atomic_store(&gate.commits, false);
		if (g.serial != table[i].found)
			fail_msg("%s: found %u", table[i].why, g.serial);
		while (disk_sync(d) != OK)
			usleep(1000);
		assert_int_equal(disk_close(d), OK);
		unit_dir_count(&unit_dir, "", true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(reads_hang),	unit_test_in_dir(queue_is_bounded),
		unit_test_in_dir(commits_hang), unit_test_in_dir(opening_hangs),
		unit_test_in_dir(newest_wins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
