#include "resolve/line.h"

#include "resolve/query.h"

enum { TAG_SCALE = 1 << 16 };

static struct line *line_of(const struct query *q)
{
	return &q->resolver->lines[q->line.place.server];
}

void line_init(struct line *lines)
{
	for (size_t i = 0; i < THROTTLE_SLOTS; i++)
		TAILQ_INIT(&lines[i].members);
}

void line_join(struct query *q, const struct throttle_place *place)
{
	const struct shares_holder *holder = shares_holder(&q->share);
	const struct query *other;

	REQUIRE(!q->line.is_in); /* else the list would be torn */
	q->line.place = *place;
	struct line *l = line_of(q);
	q->line.tag = l->served;
	TAILQ_FOREACH(other, &l->members, line.next)
	if (endpoint_equal(&shares_holder(&other->share)->prefix, &holder->prefix))
		q->line.tag = MAX(q->line.tag, other->line.tag);
	q->line.tag += TAG_SCALE / holder->weight;
	q->line.is_in = true;
	TAILQ_INSERT_TAIL(&l->members, q, line.next);
}

void line_leave(struct query *q)
{
	if (!q->line.is_in)
		return;
	TAILQ_REMOVE(&line_of(q)->members, q, line.next);
	q->line.is_in = false;
	throttle_leave(q->resolver->throttle, &q->line.place);
}

/* Of those who still wait, and Q. */
static struct query *find_next(struct query *q)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	struct query *next = q, *other;

	TAILQ_FOREACH(other, &line_of(q)->members, line.next)
	if (other->throttled_until_ms > now_ms && other->line.tag < next->line.tag)
		next = other;
	return next;
}

bool line_is_next(struct query *q)
{
	struct query *next = find_next(q);

	if (next == q) {
		line_of(q)->served = q->line.tag;
		return true;
	}
	uint64_t turn_ms = next->turn_ms;
	next->turn_ms = next->throttled_until_ms = now_mono_ms(q->resolver->now);
	q->turn_ms = q->throttled_until_ms = turn_ms;
	query_wake(next);
	return false;
}
