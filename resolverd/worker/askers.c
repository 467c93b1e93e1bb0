#include "worker/askers.h"

#include <stdlib.h>

enum err askers_init(struct askers *c, unsigned connections)
{
	*c = (struct askers){0};
	c->slots = calloc(ASKERS_MAX, sizeof(*c->slots));
	c->first_of = calloc(connections, sizeof(*c->first_of));
	if (!c->slots || !c->first_of || shares_init(&c->shares, ASKERS_MAX) != OK) {
		askers_deinit(c);
		return ERR_NO_MEMORY;
	}
	for (uint32_t i = ASKERS_MAX; i > 0; i--) {
		c->slots[i - 1].next = c->free_first;
		c->free_first = i;
	}
	return OK;
}

void askers_deinit(struct askers *c)
{
	free(c->slots);
	free(c->first_of);
	shares_deinit(&c->shares);
	*c = (struct askers){0};
}

static uint64_t token_of(const struct askers *c, const struct asker *client)
{
	return (uint64_t)client->generation << 32 | (uint64_t)(client - c->slots);
}

bool askers_victim(const struct askers *c, const struct shares_holder *holder, uint64_t *token)
{
	const struct shares_member *m = shares_victim(&c->shares, holder);

	if (!m)
		return false;
	*token = token_of(c, CONTAINER_OF(m, struct asker, share));
	return true;
}

static struct asker *add(struct askers *c, enum asker_kind kind, const struct shares_holder *holder,
			 struct now now)
{
	REQUIRE(c->free_first); /* else it would be written where no client is */
	struct asker *client = &c->slots[c->free_first - 1];
	c->free_first = client->next;
	client->kind = kind;
	client->since_us = now.mono_us;
	client->next = client->previous = 0;
	shares_join(&c->shares, &client->share, holder);
	return client;
}

uint64_t askers_add_udp(struct askers *c, const struct udp_path *path,
			const struct shares_holder *holder, struct now now)
{
	struct asker *client = add(c, ASKER_UDP, holder, now);

	client->path = *path;
	return token_of(c, client);
}

uint64_t askers_add_tcp(struct askers *c, struct tcp_handle handle,
			const struct shares_holder *holder, struct now now)
{
	struct asker *client = add(c, ASKER_TCP, holder, now);
	uint64_t token = token_of(c, client);

	client->handle = handle;
	uint32_t *first = &c->first_of[handle.slot], self = (uint32_t)token + 1;
	client->next = *first;
	if (*first)
		c->slots[*first - 1].previous = self;
	*first = self;
	return token;
}

static void leave_connection(struct askers *c, const struct asker *client)
{
	if (client->previous)
		c->slots[client->previous - 1].next = client->next;
	else
		c->first_of[client->handle.slot] = client->next;
	if (client->next)
		c->slots[client->next - 1].previous = client->previous;
}

bool askers_take(struct askers *c, uint64_t token, struct asker *out)
{
	uint32_t index = (uint32_t)token;

	REQUIRE(index < ASKERS_MAX);
	struct asker *client = &c->slots[index];
	if (client->kind == ASKER_NONE || client->generation != token >> 32)
		return false;
	*out = *client;
	if (client->kind == ASKER_TCP)
		leave_connection(c, client);
	shares_leave(&c->shares, &client->share);
	client->kind = ASKER_NONE;
	client->generation++;
	client->next = c->free_first;
	c->free_first = index + 1;
	return true;
}

bool askers_of(const struct askers *c, struct tcp_handle handle, uint64_t *token)
{
	uint32_t first = c->first_of[handle.slot];

	if (!first)
		return false;
	*token = token_of(c, &c->slots[first - 1]);
	return true;
}

bool askers_of_socket(const struct askers *c, const struct udp_socket *socket, uint32_t *from,
		      uint64_t *token)
{
	for (; *from < ASKERS_MAX; (*from)++) {
		const struct asker *client = &c->slots[*from];
		if (client->kind != ASKER_UDP || client->path.socket != socket)
			continue;
		*token = token_of(c, client);
		return true;
	}
	return false;
}
