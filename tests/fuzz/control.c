/*
 * A client of the control protocol that sends whatever it likes, to every verb of the daemon's
 * table, before an empty cache. The first byte chooses its rights and how its bytes are cut into
 * pieces. Whatever comes: each reply is one JSON object, and the session ends or goes on.
 */
#include "anchors/flushes.h"
#include "console/commands.h"
#include "control/session.h"
#include "machine/holdings.h"
#include "machine/listen.h"

enum { INPUT_MAX = 8192, REPLIES_MAX = 2000 };

static enum err refuse_reload(void *context, struct config_error *error)
{
	(void)context;
	strcpy(error->line, "f:1: no");
	return ERR_MALFORMED;
}

static enum err refuse_negative(void *context, const uint8_t *name, uint32_t seconds)
{
	(void)context;
	REQUIRE(dname_len(name) <= DNAME_MAX);
	return seconds ? OK : ERR_NOT_FOUND;
}

static enum err refuse_forwards(void *context, const struct forwards *fresh)
{
	(void)context;
	REQUIRE(fresh->count <= FORWARDS_MAX);
	return fresh->count % 2 ? OK : ERR_NO_MEMORY;
}

struct service { /* made once */
	struct commands commands;
	struct holdings holdings;
	struct allowances allowances; /* no card */
	struct throttle throttle;
	struct listen listen; /* nothing */
	struct snapshot *snapshot;
	unsigned worker_count;
	struct negative negative;
	struct forwards forwards;
	struct flushes flushes;
	struct feed feed; /* of a worker that fails all the time */
	struct feed *feed_list[1];
	unsigned feed_count;
	struct feeds feeds;
	struct rates rates;
	struct session_service service;
};

/* Some entries, so that there is something to show, dump and flush. */
static void fill_cache(struct cache *c)
{
	const struct now now = {.mono_us = 1000000, .cache_ms = 1000000000, .unix_s = 1000000};
	uint8_t name[] = "\1a\7example";
	uint64_t room[64];

	for (char letter = 'a'; letter <= 'z'; letter++) {
		const struct entry_parts parts = {.kind = ENTRY_FAILURE,
						  .name = name,
						  .type = TYPE_A,
						  .ttl_s = 1000,
						  .fetched_ms = now.cache_ms,
						  .rank = RANK_ANSWER,
						  .rcode = RCODE_SERVFAIL,
						  .ede = EDE_OTHER,
						  .text = "no"};
		name[1] = (uint8_t)letter;
		REQUIRE(entry_size(&parts) <= sizeof(room));
		REQUIRE(cache_put(c, entry_make(&parts, room), now) == OK);
	}
}

static struct service *make_service(void)
{
	struct service *s = calloc(1, sizeof(*s));
	struct cache_settings cache = {.memory_bytes = 1 << 20};
	struct config_error error;
	struct config *config;

	REQUIRE(s && config_load(NULL, &config, &error) == OK);
	s->snapshot = snapshot_new(config);
	REQUIRE(s->snapshot);
	struct commands *c = &s->commands;
	REQUIRE(cache_new(&cache, &c->cache) == OK && infra_new(&c->infra) == OK);
	REQUIRE(ranges_new(1 << 20, &c->ranges) == OK);
	REQUIRE(disk_open(&(struct disk_settings){0}, &c->disk) == OK);
	REQUIRE(prefetch_shared_new(&c->prefetch) == OK);
	REQUIRE(cache_reader_new(c->cache, &c->reader) == OK);
	fill_cache(c->cache);
	holdings_init(&s->holdings, config);
	c->holdings = &s->holdings;
	c->allowances = &s->allowances;
	c->throttle = &s->throttle;
	listen_init(&s->listen);
	c->listen = &s->listen;
	REQUIRE(pthread_mutex_init(&s->allowances.lock, NULL) == 0);
	c->worker_count = &s->worker_count;
	c->snapshot = &s->snapshot;
	c->negative = &s->negative;
	c->forwards = &s->forwards;
	c->flushes = &s->flushes;
	s->feed_count = 1;
	s->feed_list[0] = &s->feed;
	s->feeds = (struct feeds){.list = s->feed_list, .count = &s->feed_count};
	c->feeds = &s->feeds;
	c->set_forwards = refuse_forwards;
	c->rates = &s->rates;
	c->reload = refuse_reload;
	c->set_negative = refuse_negative;
	s->service = (struct session_service){
		.vendor = "v", .product = "p", .version = "1", .url = "u", .context = c};
	s->service.verbs = commands_table(&s->service.verb_count);
	log_init(LOG_LEVEL_ERROR, NULL, NULL);
	return s;
}

/* Something to tell for those who watch. */
static void fail_somewhere(struct service *s, struct now now)
{
	static const uint8_t name[] = "\3www\7example";
	const struct trace_report report = {
		.name = name, .type = TYPE_A, .rcode = RCODE_SERVFAIL, .text = "because"};
	static uint8_t query[] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
	const struct endpoint client = {.family = 4};

	if (feed_wants(&s->feed, FEED_FAILURE))
		feed_failure(&s->feed, &report, now);
	if (feed_wants(&s->feed, FEED_QUESTION))
		feed_question(&s->feed, span_of(query, sizeof(query)), &client, true, now);
}

/* All replies that are there now. A stream without an end is left after some. */
static void drain(struct service *s, struct session *session, struct now *now)
{
	for (int i = 0; i < REPLIES_MAX; i++) {
		struct span out = session_output(session);
		if (out.len == 0 && session_wake_us(session) > now->mono_us + 1000000)
			return;
		now->mono_us += 1000;
		fail_somewhere(s, *now);
		if (out.len == 0) {
			session_tick(session, *now);
			continue;
		}
		REQUIRE(out.at[out.len - 1] == '\0' && strlen((const char *)out.at) + 1 == out.len);
		json_t *reply = json_loadb((const char *)out.at, out.len - 1, 0, NULL);
		REQUIRE(json_is_object(reply));
		REQUIRE(json_is_object(json_object_get(reply, "parameters")));
		json_decref(reply);
		session_sent(session, *now, out.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct service *service;
	struct now now = {.mono_us = 1000000, .cache_ms = 1000000000, .unix_s = 1000000};
	struct session *session;

	if (!service)
		service = make_service();
	/* No file is opened that a fuzzer names. */
	if (size < 1 || size > INPUT_MAX || memmem(data, size, "ConfigCheck", 11))
		return 0;
	REQUIRE(session_new(&service->service, (enum session_access)(data[0] % 3), &session) == OK);
	size_t step = data[0] / 3 + 1u;
	for (size_t at = 1; at < size && session_wants_input(session); at += step) {
		session_take(session, now, span_of(data + at, MIN(step, size - at)));
		drain(service, session, &now);
		log_set_level(LOG_LEVEL_ERROR);
	}
	session_free(session);
	cache_reader_pass(service->commands.reader);
	return 0;
}
