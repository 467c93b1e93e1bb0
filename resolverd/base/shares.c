#include "base/shares.h"

#include <stdlib.h>

#include "base/require.h"

enum {
	LOAD_SCALE = 1 << 16, /* loads are fractions: of a trusted account 1/16 for each member */
	ADDRESS_BITS = 128,
};

struct shares_account {
	struct shares_holder holder;
	struct heap_node node;	     /* in by_load, while anything is held */
	struct shares_list members;  /* not used for longest first */
	struct shares_account *next; /* in its chain, or of the free ones */
	uint32_t count;
};

/* ---- whose ---- */

/* IPv4 that came in over an IPv6 socket is IPv4. */
static struct endpoint unmapped(const struct endpoint *e)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (e->family == 6 && memcmp(e->addr, mapped, sizeof(mapped)) == 0)
		return endpoint_of(span_of(e->addr + sizeof(mapped), 4), 0);
	return *e;
}

struct shares_holder shares_holder_of(const struct endpoint *client, bool is_trusted)
{
	struct shares_holder h = {.prefix = unmapped(client),
				  .weight = is_trusted ? SHARES_TRUSTED_WEIGHT : 1};

	h.prefix.port = 0;
	if (h.prefix.family == 6 && !is_trusted)
		memset(h.prefix.addr + SHARES_PREFIX_BITS / 8, 0,
		       (ADDRESS_BITS - SHARES_PREFIX_BITS) / 8);
	return h;
}

/* The link that leads to the account of PREFIX, or the end of its chain. */
static struct shares_account **find(const struct shares *s, const struct endpoint *prefix)
{
	uint64_t hash = hash_bytes(&s->key, span_of(prefix, sizeof(*prefix)));
	struct shares_account **link = &s->buckets[hash & s->bucket_mask];

	while (*link && !endpoint_equal(&(*link)->holder.prefix, prefix))
		link = &(*link)->next;
	return link;
}

/* ---- how much ---- */

static uint64_t load_of(const struct shares_account *a)
{
	return (uint64_t)a->count * LOAD_SCALE / a->holder.weight;
}

/* The heap has its smallest key first. It was given room for all accounts at once. */
static void file_by_load(struct shares *s, struct shares_account *a)
{
	REQUIRE(heap_set(&s->by_load, &a->node, UINT64_MAX - load_of(a)) == OK);
}

static struct shares_account *heaviest(const struct shares *s)
{
	struct heap_node *node = heap_min(&s->by_load);

	return node ? CONTAINER_OF(node, struct shares_account, node) : NULL;
}

/* What HOLDER would hold with MORE. */
static uint64_t load_with(const struct shares *s, const struct shares_holder *holder, uint32_t more)
{
	return ((uint64_t)shares_held(s, holder) + more) * LOAD_SCALE / holder->weight;
}

uint32_t shares_held(const struct shares *s, const struct shares_holder *holder)
{
	const struct shares_account *a = *find(s, &holder->prefix);

	return a ? a->count : 0;
}

bool shares_is_lighter(const struct shares *s, const struct shares_holder *a,
		       const struct shares_holder *b)
{
	return load_with(s, a, 1) < load_with(s, b, 0);
}

bool shares_outweighs(const struct shares_member *a, const struct shares_member *b)
{
	return load_of(a->account) > 2 * load_of(b->account);
}

struct shares_member *shares_victim(const struct shares *s, const struct shares_holder *holder)
{
	const struct shares_account *a = heaviest(s);

	if (!a || (holder && load_of(a) <= load_with(s, holder, 1)))
		return NULL;
	return TAILQ_FIRST(&a->members);
}

struct shares_member *shares_oldest(const struct shares *s, const struct shares_holder *holder)
{
	const struct shares_account *a = *find(s, &holder->prefix);

	return a ? TAILQ_FIRST(&a->members) : NULL;
}

/* ---- coming and going ---- */

void shares_join(struct shares *s, struct shares_member *m, const struct shares_holder *holder)
{
	struct shares_account **link = find(s, &holder->prefix), *a = *link;

	REQUIRE(!m->account && holder->weight > 0);
	if (!a) {
		a = s->free_first;
		REQUIRE(a); /* more members than places */
		s->free_first = a->next;
		*a = (struct shares_account){.holder = *holder};
		TAILQ_INIT(&a->members);
		*link = a;
	}
	/* Which networks are trusted a reload may change: the newest word counts. */
	a->holder.weight = holder->weight;
	a->count++;
	m->account = a;
	TAILQ_INSERT_TAIL(&a->members, m, in_account);
	file_by_load(s, a);
}

void shares_leave(struct shares *s, struct shares_member *m)
{
	struct shares_account *a = m->account;

	if (!a)
		return;
	TAILQ_REMOVE(&a->members, m, in_account);
	m->account = NULL;
	if (--a->count > 0) {
		file_by_load(s, a);
		return;
	}
	heap_remove(&s->by_load, &a->node);
	*find(s, &a->holder.prefix) = a->next;
	a->next = s->free_first;
	s->free_first = a;
}

void shares_touch(struct shares_member *m)
{
	struct shares_account *a = m->account;

	TAILQ_REMOVE(&a->members, m, in_account);
	TAILQ_INSERT_TAIL(&a->members, m, in_account);
}

const struct shares_holder *shares_holder(const struct shares_member *m)
{
	return &m->account->holder;
}

/* ---- life ---- */

enum err shares_init(struct shares *s, uint32_t capacity)
{
	uint32_t buckets = 1;

	while (buckets < capacity)
		buckets *= 2;
	*s = (struct shares){.bucket_mask = buckets - 1};
	hash_key_init(&s->key);
	heap_init(&s->by_load);
	s->accounts = calloc(capacity, sizeof(*s->accounts));
	s->buckets = calloc(buckets, sizeof(struct shares_account *));
	if (!s->accounts || !s->buckets || heap_reserve(&s->by_load, capacity) != OK) {
		shares_deinit(s);
		return ERR_NO_MEMORY;
	}
	for (uint32_t i = capacity; i > 0; i--) {
		s->accounts[i - 1].next = s->free_first;
		s->free_first = &s->accounts[i - 1];
	}
	return OK;
}

void shares_deinit(struct shares *s)
{
	heap_deinit(&s->by_load);
	free(s->accounts);
	free(s->buckets);
	*s = (struct shares){0};
}
