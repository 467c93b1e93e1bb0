/* What comes back from disk: the latest that was learned of a name. */
#include "unit/disk_unit.h"

#include "cache/infra.h"
#include "worker/warm.h"

enum { NXDOMAIN = 0, NUMBER = 7 };

/* A daemon's life: the tiers, of which memory forgets between two lives. */
struct life {
	struct warm *warm;
	struct cache *cache;
	struct cache_reader *found;
	struct infra *infra;
	struct warm_reader *reader;
	struct now now;
	uint8_t name[DNAME_MAX];
};

static void wake(void *context)
{
	(void)context;
}

static void begin(struct life *l, int64_t at_s)
{
	l->now = unit_now(at_s);
	(void)unit_number_name(NUMBER, l->name);
	assert_int_equal(warm_open(unit_dir.path, UNIT_MAP_BYTES, &l->warm), OK);
	struct cache_settings settings = {.memory_bytes = 1 << 20, .sink = warm_sink(l->warm)};
	assert_int_equal(cache_new(&settings, &l->cache), OK);
	assert_int_equal(cache_reader_new(l->cache, &l->found), OK);
	assert_int_equal(infra_new(&l->infra), OK);
	disk_await_opened(warm_disk(l->warm));
	warm_begin(l->warm, l->cache, l->infra, l->now);
	warm_take(l->warm, l->now);
	assert_int_equal(warm_reader_new(l->warm, wake, NULL, &l->reader), OK);
}

static void end(struct life *l)
{
	warm_reader_free(l->reader);
	cache_reader_free(l->found);
	warm_close(l->warm, l->now);
	infra_free(l->infra);
	cache_free(l->cache);
}

struct news {
	enum entry_kind kind;
	uint16_t type;
	uint32_t ttl_s;
	enum rank rank;
	uint8_t rcode;
};

static void learn(struct life *l, const struct news *n)
{
	static const uint8_t empty_answer[12];		      /* six counts of nothing */
	static const uint8_t record[] = {4, 0, 192, 0, 2, 1}; /* its length in host order */
	static const uint8_t alias[] = {1, 0, 0};	      /* to the root */
	_Alignas(8) uint8_t room[512];
	bool is_set = n->kind == ENTRY_RRSET;
	const struct entry_parts parts = {
		.kind = n->kind,
		.name = l->name,
		.type = n->type,
		.ttl_s = n->ttl_s,
		.fetched_ms = l->now.cache_ms,
		.rank = n->rank,
		.verdict = VERDICT_SECURE,
		.rcode = n->rcode,
		.ede = EDE_NONE,
		.rr_count = is_set,
		.payload = {!is_set		    ? span_of(empty_answer, sizeof(empty_answer))
			    : n->type == TYPE_CNAME ? span_of(alias, sizeof(alias))
						    : span_of(record, sizeof(record))}};
	assert_true(entry_size(&parts) <= sizeof(room));
	assert_int_equal(cache_put(l->cache, entry_make(&parts, room), l->now), OK);
}

static bool knows(struct life *l, enum entry_kind kind, uint16_t type)
{
	return cache_find(l->found, kind, l->name, dname_len(l->name), type) != NULL;
}

/* Learned one after the other, the first being forgotten by memory; what is found long after. */
static void latest_wins(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		struct news first, second;
		bool first_is_found;
	} table[] = {
		{"no such name any more",
		 {ENTRY_ANSWER, TYPE_ONE, 86400, RANK_SECURE, RCODE_NOERROR},
		 {ENTRY_ANSWER, NXDOMAIN, 60, RANK_SECURE, RCODE_NOERROR},
		 false},
		{"no such name any more, a set",
		 {ENTRY_RRSET, TYPE_ONE, 86400, RANK_SECURE, RCODE_NOERROR},
		 {ENTRY_ANSWER_DO, NXDOMAIN, 60, RANK_SECURE, RCODE_NOERROR},
		 false},
		{"the name is there now",
		 {ENTRY_ANSWER, NXDOMAIN, 86400, RANK_SECURE, RCODE_NOERROR},
		 {ENTRY_RRSET, TYPE_ONE, 60, RANK_SECURE, RCODE_NOERROR},
		 false},
		{"denied since, and kept as another kind",
		 {ENTRY_RRSET, TYPE_ONE, 86400, RANK_SECURE, RCODE_NOERROR},
		 {ENTRY_ANSWER, TYPE_ONE, 60, RANK_ANSWER, RCODE_NOERROR},
		 false},
		{"no alias any more",
		 {ENTRY_RRSET, TYPE_CNAME, 86400, RANK_SECURE, RCODE_NOERROR},
		 {ENTRY_RRSET, TYPE_ONE, 60, RANK_SECURE, RCODE_NOERROR},
		 false},
		{"RFC 4035 §2.5: DS beside an alias says nothing of it",
		 {ENTRY_RRSET, TYPE_CNAME, 86400, RANK_SECURE, RCODE_NOERROR},
		 {ENTRY_RRSET, TYPE_DS, 60, RANK_SECURE, RCODE_NOERROR},
		 true},
		{"the name is there now, which was denied of another type",
		 {ENTRY_ANSWER, TYPE_TWO, 86400, RANK_ANSWER, RCODE_NXDOMAIN},
		 {ENTRY_RRSET, TYPE_ONE, 60, RANK_ANSWER, RCODE_NOERROR},
		 false},
		{"denied of another type",
		 {ENTRY_RRSET, TYPE_ONE, 86400, RANK_ANSWER, RCODE_NOERROR},
		 {ENTRY_ANSWER, TYPE_TWO, 60, RANK_ANSWER, RCODE_NXDOMAIN},
		 true},
		{"no data of another type",
		 {ENTRY_ANSWER, TYPE_TWO, 86400, RANK_ANSWER, RCODE_NOERROR},
		 {ENTRY_RRSET, TYPE_ONE, 60, RANK_ANSWER, RCODE_NOERROR},
		 true},
		{"another type",
		 {ENTRY_RRSET, TYPE_ONE, 86400, RANK_SECURE, RCODE_NOERROR},
		 {ENTRY_RRSET, TYPE_TWO, 60, RANK_SECURE, RCODE_NOERROR},
		 true},
		{"glue is no answer",
		 {ENTRY_RRSET, TYPE_ONE, 86400, RANK_GLUE, RCODE_NOERROR},
		 {ENTRY_ANSWER, NXDOMAIN, 60, RANK_SECURE, RCODE_NOERROR},
		 true},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct life l;
		begin(&l, 0);
		learn(&l, &table[i].first);
		end(&l);
		begin(&l, 10);
		learn(&l, &table[i].second);
		end(&l);
		for (int again = 0; again < 2; again++) {
			begin(&l, 3600);
			if (!warm_fetch(l.reader, l.name, l.now))
				fail_msg("%s: nothing found", table[i].why);
			if (knows(&l, table[i].first.kind, table[i].first.type) !=
			    table[i].first_is_found)
				fail_msg("%s: the first", table[i].why);
			if (!knows(&l, table[i].second.kind, table[i].second.type))
				fail_msg("%s: the second", table[i].why);
			end(&l);
		}
		unit_dir_count(&unit_dir, "", true);
	}
}

/* What is outdated by an answer that is not kept goes from disk too, also if memory has forgotten it. */
static void outdated_below(void **state)
{
	(void)state;
	static const struct news news = {ENTRY_RRSET, TYPE_ONE, 86400, RANK_SECURE, RCODE_NOERROR};
	static const struct {
		const char *why;
		bool below, is_found;
	} table[] = {
		{"memory knew nothing of it, and the disk was not told", false, true},
		{"memory knew nothing of it", true, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct life l;
		begin(&l, 0);
		learn(&l, &news);
		end(&l);
		begin(&l, 10);
		assert_false((table[i].below ? cache_remove_below : cache_remove)(
			l.cache, news.kind, l.name, news.type));
		/* At once, and in the next life. */
		for (int again = 0; again < 2; again++) {
			if (warm_fetch(l.reader, l.name, l.now) != table[i].is_found)
				fail_msg("%s", table[i].why);
			end(&l);
			begin(&l, 20);
		}
		end(&l);
		unit_dir_count(&unit_dir, "", true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(latest_wins),
		unit_test_in_dir(outdated_below),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
