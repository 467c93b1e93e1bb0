#include "disk/collect.h"

#include <stdlib.h>

enum {
	/* Of a region, what stays at least: LMDB joins pages that are less than a quarter full. */
	REGION_KEEP_PERCENT = 25,
	REGION_MIN = 64, /* some pages */
	SCORE_EXPIRED = INT32_MAX,
	RULE_SCAN_MAX = 20000, /* records looked at for flushes in a step: some ten milliseconds */
};
static const int64_t stale_ms = INT64_C(86400) * 1000; /* RFC 8767 §5: one to three days */
/* A popular name is worth refreshing after a week off. */
static const int64_t popular_ms = INT64_C(7) * 86400 * 1000;

/* Records looked at in a step: the whole of five million names in three hours when there is room,
 * in minutes when there is not. */
static unsigned scan_max(enum disk_pressure pressure)
{
	switch (pressure) {
	case PRESSURE_NONE:
		return 500;
	case PRESSURE_SOME:
		return 5000;
	case PRESSURE_HIGH:
	case PRESSURE_FULL:
	case PRESSURE_LAST:
		break;
	}
	return 20000;
}

static bool add_removal(struct disk_removals *r, struct span key, size_t max)
{
	uint16_t len = (uint16_t)key.len;
	if (r->count >= MIN(max, (size_t)DISK_REMOVALS_MAX) ||
	    sizeof(r->bytes) - r->used < sizeof(len) + key.len)
		return false;
	memcpy(r->bytes + r->used, &len, sizeof(len));
	if (len > 0)
		memcpy(r->bytes + r->used + sizeof(len), key.at, len);
	r->used += sizeof(len) + key.len;
	r->count++;
	return true;
}

struct span disk_removals_next(const struct disk_removals *r, size_t *at)
{
	uint16_t len;
	if (*at == r->used)
		return (struct span){0};
	memcpy(&len, r->bytes + *at, sizeof(len));
	struct span key = span_of(r->bytes + *at + sizeof(len), len);
	*at += sizeof(len) + len;
	return key;
}

static void keep_key(struct disk_key *to, struct span key)
{
	to->len = MIN(key.len, (size_t)DISK_KEY_MAX);
	memcpy(to->bytes, key.at, to->len);
}

/* What can be said of the record where the cursor stands; one that is too short says nothing
 * good. */
static enum err peek(const struct disk_cursor *c, struct disk_peek *out)
{
	uint8_t start[DISK_PEEK_SIZE];
	*out = (struct disk_peek){0};
	if (c->node.value_size < sizeof(start))
		return OK;
	enum err err = disk_cursor_value(c, start, sizeof(start));
	return err == OK ? disk_record_peek(span_of(start, sizeof(start)), out) : err;
}

/* Remove what RULE covers, from its position on. *FINISHED: all of it. */
static enum err collect_rule(struct disk_collect *c, const struct disk_collect_job *job,
			     struct disk_rule *rule, bool *finished)
{
	struct span start = disk_key_span(&rule->start);
	enum err err = disk_cursor_seek(&c->cursor, job->view, disk_key_span(&rule->position));
	for (unsigned seen = 0; err == OK && disk_key_starts(c->cursor.node.key, start); seen++) {
		struct disk_peek p;
		struct span key = c->cursor.node.key;
		err = peek(&c->cursor, &p);
		if (err != OK)
			return err;
		bool gone = disk_rule_covers(rule, key) && p.generation < rule->generation;
		if (seen == RULE_SCAN_MAX ||
		    (gone && !add_removal(&c->removals, key, job->max_removals))) {
			keep_key(&rule->position, key);
			return OK;
		}
		err = disk_cursor_next(&c->cursor);
	}
	if (err != OK && err != ERR_NOT_FOUND)
		return err;
	*finished = true;
	return OK;
}

static bool is_collectable(const struct disk_collect_job *job, const struct disk_peek *p)
{
	if (p->format != DISK_FORMAT)
		return true;
	int64_t expired_ms = job->unix_ms - p->expires_unix_ms;
	bool popular = p->hits >= DISK_HITS_POPULAR;
	bool old = expired_ms > (popular ? popular_ms : stale_ms) && !job->clock_is_doubtful;
	switch (job->pressure) {
	case PRESSURE_NONE:
		return old;
	case PRESSURE_SOME:
		return old || (expired_ms > 0 && !popular);
	case PRESSURE_HIGH: /* collect_region() */
	case PRESSURE_FULL:
		return !popular;
	case PRESSURE_LAST:
		break;
	}
	return true;
}

static enum err collect_old(struct disk_collect *c, const struct disk_collect_job *job)
{
	if (c->hand.len == 0)
		c->hand = (struct disk_key){.len = 1, .bytes = {SPACE_ENTRY}};
	enum err err = disk_cursor_seek(&c->cursor, job->view, disk_key_span(&c->hand));
	for (unsigned seen = 0; err == OK; seen++) {
		struct disk_peek p;
		struct span key = c->cursor.node.key;
		err = peek(&c->cursor, &p);
		if (err != OK)
			return err;
		if (seen == scan_max(job->pressure) ||
		    (is_collectable(job, &p) &&
		     !add_removal(&c->removals, key, job->max_removals))) {
			keep_key(&c->hand, key);
			return OK;
		}
		err = disk_cursor_next(&c->cursor);
	}
	c->hand.len = 0;
	return err == ERR_NOT_FOUND ? OK : err;
}

/* How little a record is worth: its age, in tenths of a second; 0: it stays. */
static uint32_t score_of(const struct disk_collect_job *job, const struct disk_peek *p)
{
	int64_t age = (job->unix_ms - p->fetched_unix_ms) / 100;
	bool expired = job->unix_ms > p->expires_unix_ms && !job->clock_is_doubtful;
	if (p->format != DISK_FORMAT)
		return UINT32_MAX;
	if (p->hits >= DISK_HITS_POPULAR && job->unix_ms - p->expires_unix_ms <= popular_ms)
		return 0;
	return (uint32_t)MIN(MAX(age, (int64_t)1), (int64_t)SCORE_EXPIRED) +
	       (expired ? (uint32_t)SCORE_EXPIRED : 0);
}

static int larger_first(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x < *y) - (*x > *y);
}

/* Look at SIZE records from the hand on, which is moved behind them. */
static enum err look_at_region(struct disk_collect *c, const struct disk_collect_job *job,
			       size_t size)
{
	struct disk_region *g = &c->region;
	g->keys.count = g->keys.used = 0;
	enum err err = disk_cursor_seek(&c->cursor, job->view, disk_key_span(&c->hand));
	while (err == OK) {
		struct disk_peek p;
		struct span key = c->cursor.node.key;
		size_t at = g->keys.count;
		err = peek(&c->cursor, &p);
		if (err != OK)
			return err;
		if (!add_removal(&g->keys, key, size)) {
			keep_key(&c->hand, key);
			return OK;
		}
		g->score[at] = score_of(job, &p);
		err = disk_cursor_next(&c->cursor);
	}
	c->hand.len = 0;
	return err == ERR_NOT_FOUND ? OK : err;
}

/* As many as must go of the region that comes next, those that are worth least. */
static enum err collect_region(struct disk_collect *c, const struct disk_collect_job *job)
{
	struct disk_region *g = &c->region;
	size_t size = MAX(job->goal * 100 / (100 - REGION_KEEP_PERCENT), (size_t)REGION_MIN);
	if (c->hand.len == 0)
		c->hand = (struct disk_key){.len = 1, .bytes = {SPACE_ENTRY}};
	enum err err = look_at_region(c, job, MIN(size, (size_t)DISK_REMOVALS_MAX));
	size_t count = g->keys.count, most = count * (100 - REGION_KEEP_PERCENT) / 100;
	if (err != OK || most == 0)
		return err;
	memcpy(g->sorted, g->score, count * sizeof(g->score[0]));
	qsort(g->sorted, count, sizeof(g->sorted[0]), larger_first);
	uint32_t least = MAX(g->sorted[most - 1], 1u);
	size_t at = 0, gone = 0;
	for (size_t i = 0; i < count && gone < most; i++) {
		struct span key = disk_removals_next(&g->keys, &at);
		if (g->score[i] < least)
			continue;
		if (!add_removal(&c->removals, key, job->max_removals))
			break;
		gone++;
	}
	return OK;
}

enum err disk_collect(struct disk_collect *c, const struct disk_collect_job *job)
{
	c->removals.count = c->removals.used = c->by_rule = 0;
	c->rule_count = 0;
	while (c->rule_count < DISK_RULES_MAX &&
	       disk_rules_get(&c->disk->rules, c->rule_count, &c->rules[c->rule_count])) {
		unsigned i = c->rule_count++;
		c->finished[i] = false;
		enum err err = collect_rule(c, job, &c->rules[i], &c->finished[i]);
		if (err != OK)
			return err;
	}
	c->by_rule = c->removals.count;
	return job->pressure == PRESSURE_HIGH ? collect_region(c, job) : collect_old(c, job);
}
