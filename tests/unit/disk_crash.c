/*
 * A process that puts, removes, flushes and syncs is killed at random moments; what the next one
 * finds must be something that was put, all that was synced, and nothing that was flushed.
 */
#include "unit/disk_unit.h"

enum { ROUNDS = 60, ROUNDS_MAX = 20 * ROUNDS, NAMES = 400, KILL_AFTER_MAX_US = 60000 };

struct told { /* shared with the child: what it was told, before and after each call */
	_Atomic uint32_t put[NAMES];	 /* highest serial that may be there */
	_Atomic uint32_t synced[NAMES];	 /* lowest that must be there, 0: none */
	_Atomic uint32_t flushed[NAMES]; /* serials up to here must not be there */
	_Atomic uint32_t serial, syncs, flushes;
};

static void child_flush(struct disk *d, struct told *t, struct rng *rng, uint32_t serial)
{
	uint8_t name[DNAME_MAX], other[DNAME_MAX];
	unit_number_name(rng_below(rng, NAMES), name);
	unsigned skip = rng_below(rng, 2);
	const uint8_t *top = dname_skip(name, skip);
	for (unsigned i = 0; i < NAMES; i++) {
		unit_number_name(i, other);
		if (dname_is_within(other, top))
			atomic_store(&t->synced[i], 0); /* from now on it may be gone */
	}
	if (disk_flush(d, top, 0, skip > 0) != OK)
		_exit(2);
	for (unsigned i = 0; i < NAMES; i++) {
		unit_number_name(i, other);
		if (dname_is_within(other, top))
			atomic_store(&t->flushed[i], serial);
	}
	atomic_fetch_add(&t->flushes, 1);
}

static void child_sync(struct disk *d, struct told *t)
{
	static uint32_t before[NAMES];
	for (unsigned i = 0; i < NAMES; i++)
		before[i] = atomic_load(&t->put[i]);
	if (disk_sync(d) != OK)
		_exit(3);
	for (unsigned i = 0; i < NAMES; i++) {
		if (before[i] > atomic_load(&t->flushed[i]))
			atomic_store(&t->synced[i], before[i]);
	}
	atomic_fetch_add(&t->syncs, 1);
}

static _Noreturn void child(struct told *t, uint64_t seed)
{
	struct disk_settings settings = {.path = unit_dir.path, .size_bytes = UNIT_MAP_BYTES};
	struct now now = unit_now(0);
	struct rng rng;
	struct disk *d;
	rng_init_seeded(&rng, seed);
	if (disk_open_with(&settings, &disk_io_real, &quick, &d) != OK)
		_exit(1);
	for (;;) {
		uint32_t serial = atomic_fetch_add(&t->serial, 1) + 1;
		uint32_t dice = rng_below(&rng, 1000);
		unsigned number = rng_below(&rng, NAMES);
		if (dice < 5) {
			child_sync(d, t);
		} else if (dice < 8) {
			child_flush(d, t, &rng, serial);
		} else {
			atomic_store(&t->put[number], serial);
			unit_put(d, number, TYPE_ONE, serial, now);
		}
		if (dice > 980)
			usleep(1000);
	}
}

static void compare(struct told *t, unsigned round)
{
	struct now now = unit_now(0);
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	assert_int_equal(unit_status(d).state, DISK_GOOD);
	for (unsigned i = 0; i < NAMES; i++) {
		uint32_t found = unit_get(r, i, TYPE_ONE, now); /* checks the content */
		if (found > t->put[i])
			fail_msg("round %u, name %u: %u was never put", round, i, found);
		if (found < t->synced[i])
			fail_msg("round %u, name %u: %u, but %u was synced", round, i, found,
				 t->synced[i]);
		if (found != 0 && found <= t->flushed[i])
			fail_msg("round %u, name %u: %u came back", round, i, found);
		/* What was found is now what there is. */
		t->put[i] = t->synced[i] = found;
		t->flushed[i] = 0;
	}
	struct disk_status s = unit_status(d);
	assert_int_equal(s.damaged, 0);
	assert_int_equal(s.moved_aside, 0);
	disk_reader_free(r);
	/* Every other time nobody has written before the next kill. */
	disk_close(d);
}

/* Or else nothing was tested. */
static bool was_at_work(struct told *t)
{
	return atomic_load(&t->serial) > ROUNDS * 20 && atomic_load(&t->syncs) > 10 &&
	       atomic_load(&t->flushes) > 5;
}

static void killed_at_any_moment(void **state)
{
	(void)state;
	struct told *t =
		mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(t != MAP_FAILED);
	struct rng rng;
	rng_init_seeded(&rng, 1);
	unsigned round = 0;
	/* On a busy machine, or under a sanitizer, a child gets less far: more of them then. */
	for (; round < ROUNDS || (round < ROUNDS_MAX && !was_at_work(t)); round++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			child(t, round);
		usleep(5000 + rng_below(&rng, KILL_AFTER_MAX_US));
		int status;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		compare(t, round);
	}
	assert_true(was_at_work(t));
	munmap(t, sizeof(*t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(killed_at_any_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
