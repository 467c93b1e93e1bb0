#include <stdlib.h>

#include "console/commands_words.h"

enum {
	INTERVAL_MS = 2000,
	INTERVAL_MIN_MS = 100,
	INTERVAL_MAX_MS = 60 * 1000,
	COUNT = 20,
	COUNT_MAX = 500,
	/* What is counted apart in one interval; when it is full, more names or clients are counted
	 * together. Two thirds of it are used: a megabyte and a half. */
	SLOTS = 4096,
	SLOTS_USED_MAX = 2730,
	KEY_MAX = DNAME_MAX + 2,
};

struct row {
	uint64_t questions, hits; /* as far as was sampled */
	uint16_t key_len;	  /* 0: free */
	uint8_t key[KEY_MAX];	  /* type and name, or a client's address */
};

struct tally { /* by key */
	struct row rows[SLOTS];
	size_t used;
	uint64_t others;
};

struct top {
	const struct commands *commands;
	struct feed_watcher watcher;
	struct hash_key hash_key;
	struct tally names, clients;
	uint64_t sampled; /* questions that are in the tallies, with their weights */
	uint64_t begun_us, interval_us;
	uint64_t questions_before; /* of all workers */
	size_t count;
	bool more;
};

/* ---- counting ---- */

static void tally_add(const struct top *top, struct tally *t, struct span key,
		      const struct feed_event *e)
{
	size_t at = hash_bytes(&top->hash_key, key) % SLOTS;

	while (t->rows[at].key_len > 0 &&
	       !span_equal(span_of(t->rows[at].key, t->rows[at].key_len), key))
		at = (at + 1) % SLOTS;
	struct row *row = &t->rows[at];
	if (row->key_len == 0) {
		if (t->used == SLOTS_USED_MAX) {
			t->others += e->weight;
			return;
		}
		t->used++;
		row->key_len = (uint16_t)key.len;
		memcpy(row->key, key.at, key.len);
	}
	row->questions += e->weight;
	row->hits += e->hit ? e->weight : 0;
}

static void take_question(void *context, const struct feed_event *e)
{
	struct top *top = context;
	size_t len = dname_len(e->name);
	uint8_t key[KEY_MAX];

	top->sampled += e->weight;
	memcpy(key, &e->type, sizeof(e->type));
	memcpy(key + sizeof(e->type), e->name, len);
	tally_add(top, &top->names, span_of(key, sizeof(e->type) + len), e);
	key[0] = e->client.family;
	memcpy(key + 1, e->client.addr, sizeof(e->client.addr));
	tally_add(top, &top->clients, span_of(key, 1 + sizeof(e->client.addr)), e);
}

static uint64_t count_questions(const struct commands *c)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < *c->worker_count; i++) {
		const struct metrics *m = worker_metrics(c->workers[i]);
		total += metrics_get(m, METRIC_queries_udp_total) +
			 metrics_get(m, METRIC_queries_tcp_total);
	}
	return total;
}

static void begin_interval(struct top *top, struct now now)
{
	memset(&top->names, 0, sizeof(top->names));
	memset(&top->clients, 0, sizeof(top->clients));
	top->sampled = 0;
	top->begun_us = now.mono_us;
	top->questions_before = count_questions(top->commands);
}

/* ---- telling ---- */

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->questions != y->questions)
		return x->questions < y->questions ? 1 : -1;
	return (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

static json_t *name_json(const struct row *row, double per_s, double percent)
{
	uint16_t type;

	memcpy(&type, row->key, sizeof(type));
	return json_pack("{s:o, s:o, s:f, s:f, s:f}", "name", words_name(row->key + sizeof(type)),
			 "type", words_type(type), "per_s", per_s, "percent", percent,
			 "hit_percent", 100.0 * (double)row->hits / (double)row->questions);
}

static json_t *client_json(const struct row *row, double per_s, double percent)
{
	struct endpoint e = endpoint_of(span_of(row->key + 1, row->key[0] == 4 ? 4 : 16), 0);
	char text[ENDPOINT_TEXT_SIZE];

	/* "192.0.2.1:0" or "[2001:db8::1]:0", of which the address is wanted. */
	endpoint_text(&e, text);
	*strrchr(text, ':') = '\0';
	text[strcspn(text, "]")] = '\0';
	return json_pack("{s:o, s:f, s:f}", "address", json_string(text + (text[0] == '[')),
			 "per_s", per_s, "percent", percent);
}

/* The busiest of T; the order of its slots is lost. */
static json_t *busiest(const struct top *top, struct tally *t, double rate,
		       json_t *(*row_json)(const struct row *row, double per_s, double percent))
{
	json_t *list = json_array();

	qsort(t->rows, SLOTS, sizeof(t->rows[0]), compare_rows);
	for (size_t i = 0; i < MIN(top->count, t->used); i++) {
		double share = (double)t->rows[i].questions / (double)top->sampled;
		words_append(&list, row_json(&t->rows[i], rate * share, 100 * share));
	}
	return list;
}

static json_t *top_json(struct top *top, struct now now)
{
	double seconds = (double)MAX(now.mono_us - top->begun_us, (uint64_t)1) / 1e6;
	uint64_t questions = count_questions(top->commands) - top->questions_before;
	double rate = (double)questions / seconds;
	size_t names = top->names.used, clients = top->clients.used;

	return json_pack("{s:f, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "seconds", seconds,
			 "questions", (json_int_t)questions, "distinct_names", (json_int_t)names,
			 "distinct_clients", (json_int_t)clients, "uncounted_names",
			 (json_int_t)top->names.others, "uncounted_clients",
			 (json_int_t)top->clients.others, "names",
			 busiest(top, &top->names, rate, name_json), "clients",
			 busiest(top, &top->clients, rate, client_json));
}

static enum pull pull_top(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	struct top *top = state;
	uint64_t end_us = top->begun_us + top->interval_us;

	feeds_drain(top->commands->feeds);
	if (now.mono_us < end_us) {
		*wake_us = MIN(end_us, now.mono_us + FEED_DRAIN_MS * 1000ULL);
		return PULL_WAIT;
	}
	*out = top_json(top, now);
	begin_interval(top, now);
	return top->more ? PULL_MORE : PULL_LAST;
}

static void free_top(void *state)
{
	struct top *top = state;

	feeds_leave(top->commands->feeds, &top->watcher);
	free(top);
}

/* False: the call has been answered. */
static bool read_number(struct call *call, const char *name, int64_t least, int64_t most,
			int64_t *value)
{
	*value = call_int(call, name, *value);
	if (*value >= least && *value <= most)
		return true;
	call_invalid(call, name);
	return false;
}

void commands_top(void *context, struct call *call)
{
	const struct commands *c = context;
	int64_t interval_ms = INTERVAL_MS, count = COUNT;

	if (!read_number(call, "interval_ms", INTERVAL_MIN_MS, INTERVAL_MAX_MS, &interval_ms) ||
	    !read_number(call, "count", 1, COUNT_MAX, &count))
		return;
	struct top *top = calloc(1, sizeof(*top));
	struct call_stream stream = {.pull = pull_top, .free = free_top, .state = top};
	if (!top) {
		call_reply(call, NULL);
		return;
	}
	top->commands = c;
	top->watcher = (struct feed_watcher){
		.wants = FEED_QUESTION, .take = take_question, .context = top};
	top->interval_us = (uint64_t)interval_ms * 1000;
	top->count = (size_t)count;
	top->more = call_wants_more(call);
	hash_key_init(&top->hash_key);
	if (feeds_join(c->feeds, &top->watcher) != OK) {
		free(top);
		call_reply(call, NULL);
		return;
	}
	begin_interval(top, call_now(call));
	call_stream(call, &stream);
}
