#include "resolve/sends.h"

#include <stdlib.h>

#include "resolve/query.h"
#include "resolve/upstream.h"

void sends_init(struct sends *s, unsigned room)
{
	*s = (struct sends){.room = room};
	TAILQ_INIT(&s->live);
	TAILQ_INIT(&s->late);
}

void sends_deinit(struct sends *s)
{
	for (uint32_t i = 0; i < s->slot_count; i++)
		free(s->slots[i]);
	free(s->slots);
	free(s->free_slots);
	*s = (struct sends){0};
}

/* ---- slots ---- */

struct send *sends_find(const struct resolver *r, uint64_t token)
{
	uint32_t slot = (uint32_t)token;
	if (slot == 0 || slot > r->sends.slot_count)
		return NULL;
	struct send *s = r->sends.slots[slot - 1];
	return s && s->token == token ? s : NULL;
}

static bool grow(struct sends *t)
{
	uint32_t old = t->slot_count, count = old ? old * 2 : 64;
	struct send **slots = realloc(t->slots, count * sizeof(struct send *));
	if (!slots)
		return false;
	t->slots = slots;
	uint32_t *free_slots = realloc(t->free_slots, count * sizeof(uint32_t));
	if (!free_slots)
		return false;
	t->free_slots = free_slots;
	for (uint32_t i = count; i > old; i--) {
		slots[i - 1] = NULL;
		free_slots[t->free_count++] = i - 1;
	}
	t->slot_count = count;
	return true;
}

static struct send *take_slot(struct sends *t)
{
	if (t->free_count == 0 && !grow(t))
		return NULL;
	uint32_t slot = t->free_slots[t->free_count - 1];
	struct send *s = t->slots[slot];
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		t->slots[slot] = s;
	}
	t->free_count--;
	t->token_generation++;
	*s = (struct send){.token = (uint64_t)t->token_generation << 32 | (slot + 1)};
	t->open++;
	return s;
}

/* ---- room ---- */

static uint32_t mark_of_server(const struct resolver *r, const struct endpoint *e)
{
	return (uint32_t)hash_bytes(&r->table_key, span_of(e->addr, e->family == 4 ? 4 : 16));
}

uint32_t sends_zone_mark(const struct query *q)
{
	const uint8_t *zone = q->zone.name;
	return (uint32_t)hash_bytes(&q->resolver->table_key, span_of(zone, dname_len(zone)));
}

static uint16_t *counter(struct sends *t, uint32_t mark, unsigned row)
{
	return &t->counters[row][(row == 0 ? mark : mark >> 16) % SENDS_COUNTERS];
}

static unsigned count_of(const struct sends *t, uint32_t mark)
{
	return MIN(*counter((struct sends *)t, mark, 0), *counter((struct sends *)t, mark, 1));
}

static void count(struct sends *t, const struct send *s, int by)
{
	for (unsigned row = 0; row < 2; row++) {
		uint16_t *server = counter(t, s->server_mark, row);
		*server = (uint16_t)(*server + by);
		uint16_t *zone = counter(t, s->zone_mark, row);
		*zone = (uint16_t)(*zone + by);
	}
}

static unsigned room_of(const struct resolver *r)
{
	const struct sends *t = &r->sends;
	bool is_less =
		r->now.mono_us < t->found_until_us && (t->room == 0 || t->found_room < t->room);
	return is_less ? t->found_room : t->room;
}

bool sends_are_many(const struct resolver *r)
{
	unsigned room = room_of(r);
	return room > 0 && r->sends.live_count >= room / 2;
}

/* Who would give way to a new send, or NULL. */
static struct send *next_to_yield(const struct resolver *r)
{
	const struct sends *t = &r->sends;
	struct send *s = TAILQ_FIRST(&t->late);
	if (s)
		return s;
	s = TAILQ_FIRST(&t->live);
	return s && r->now.mono_us - s->sent_us >= SENDS_WAITED_MS * 1000u ? s : NULL;
}

static bool is_full(const struct resolver *r)
{
	unsigned room = room_of(r);
	return room > 0 && r->sends.live_count + r->sends.late_count >= room;
}

void sends_found_full(struct resolver *r)
{
	struct sends *t = &r->sends;
	t->found_room = MAX(t->live_count + t->late_count, (unsigned)SENDS_SHARE_MIN);
	t->found_until_us = r->now.mono_us + SENDS_FOUND_MS * 1000u;
}

bool sends_have_room(const struct query *q, const struct endpoint *server)
{
	const struct resolver *r = q->resolver;
	unsigned share = MAX(room_of(r) / SENDS_SHARE, (unsigned)SENDS_SHARE_MIN);
	if (sends_are_many(r) && (count_of(&r->sends, mark_of_server(r, server)) >= share ||
				  count_of(&r->sends, sends_zone_mark(q)) >= share))
		return false;
	return !is_full(r) || next_to_yield(r);
}

static void set_live(struct query *q, struct send *s, const struct endpoint *server)
{
	struct sends *t = &q->resolver->sends;
	s->server_mark = mark_of_server(q->resolver, server);
	s->zone_mark = sends_zone_mark(q);
	s->standing = SEND_LIVE;
	TAILQ_INSERT_TAIL(&t->live, s, in_order);
	t->live_count++;
	count(t, s, 1);
}

static void leave_order(struct sends *t, struct send *s)
{
	if (s->standing == SEND_LIVE) {
		TAILQ_REMOVE(&t->live, s, in_order);
		t->live_count--;
		count(t, s, -1);
	} else if (s->standing == SEND_LATE) {
		TAILQ_REMOVE(&t->late, s, in_order);
		t->late_count--;
	}
	s->standing = SEND_NOT_COUNTED;
}

void sends_set_late(struct resolver *r, struct send *s)
{
	if (s->standing != SEND_LIVE)
		return;
	leave_order(&r->sends, s);
	s->standing = SEND_LATE;
	TAILQ_INSERT_TAIL(&r->sends.late, s, in_order);
	r->sends.late_count++;
}

/* ---- opening and closing ---- */

struct send *sends_open(struct query *q, const struct endpoint *server)
{
	struct resolver *r = q->resolver;
	if (server && is_full(r))
		upstream_yield(next_to_yield(r));
	struct send *s = resolver_reserve(r, 2) ? take_slot(&r->sends) : NULL;
	if (s && server)
		set_live(q, s, server);
	return s;
}

void sends_close(struct resolver *r, struct send *s)
{
	struct sends *t = &r->sends;
	leave_order(t, s);
	t->free_slots[t->free_count++] = (uint32_t)s->token - 1;
	s->token = 0;
	s->query = NULL;
	t->open--;
}
