#include "net/tally.h"

#include <stdlib.h>

struct tally_entry {
	struct endpoint client; /* port 0 */
	uint32_t count;
	uint32_t next; /* in its chain, or of the free ones; plus one */
};

enum err tally_init(struct tally *t, uint32_t capacity)
{
	uint32_t buckets = 1;

	while (buckets < capacity)
		buckets *= 2;
	*t = (struct tally){.bucket_mask = buckets - 1};
	hash_key_init(&t->key);
	t->entries = calloc(capacity, sizeof(*t->entries));
	t->buckets = calloc(buckets, sizeof(*t->buckets));
	if (!t->entries || !t->buckets) {
		tally_deinit(t);
		return ERR_NO_MEMORY;
	}
	for (uint32_t i = capacity; i > 0; i--) {
		t->entries[i - 1].next = t->free_first;
		t->free_first = i;
	}
	return OK;
}

void tally_deinit(struct tally *t)
{
	free(t->entries);
	free(t->buckets);
	*t = (struct tally){0};
}

static struct endpoint without_port(const struct endpoint *client)
{
	struct endpoint e = *client;
	e.port = 0;
	return e;
}

/* The link that leads to CLIENT's entry, or the end of its chain. */
static uint32_t *find(struct tally *t, const struct endpoint *client)
{
	uint64_t hash = hash_bytes(&t->key, span_of(client, sizeof(*client)));
	uint32_t *link = &t->buckets[hash & t->bucket_mask];

	while (*link && !endpoint_equal(&t->entries[*link - 1].client, client))
		link = &t->entries[*link - 1].next;
	return link;
}

enum err tally_add(struct tally *t, const struct endpoint *client, uint32_t limit)
{
	struct endpoint key = without_port(client);
	uint32_t *link = find(t, &key);

	if (!*link) {
		if (!t->free_first || limit == 0)
			return ERR_LIMIT;
		*link = t->free_first;
		struct tally_entry *fresh = &t->entries[*link - 1];
		t->free_first = fresh->next;
		*fresh = (struct tally_entry){.client = key};
	}
	struct tally_entry *e = &t->entries[*link - 1];
	if (e->count >= limit)
		return ERR_LIMIT;
	e->count++;
	return OK;
}

void tally_remove(struct tally *t, const struct endpoint *client)
{
	struct endpoint key = without_port(client);
	uint32_t *link = find(t, &key);
	uint32_t at = *link;

	REQUIRE(at);
	struct tally_entry *e = &t->entries[at - 1];
	if (--e->count > 0)
		return;
	*link = e->next;
	e->next = t->free_first;
	t->free_first = at;
}
