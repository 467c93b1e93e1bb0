#include "resolve/no_ds.h"

#include "resolve/servers.h"

enum { NO_DS_LOSSES = 3 }; /* as many forms as there are */

static bool concerns(const struct query *q)
{
	return q->qtype == TYPE_DS && !servers_are_counted(q);
}

bool no_ds_wants_tcp(const struct query *q, const struct server *server)
{
	return concerns(q) && server->losses == NO_DS_LOSSES && !server->tcp_failed;
}

void no_ds_learn(struct query *q)
{
	for (unsigned i = 0; concerns(q) && i < q->zone.server_count; i++) {
		const struct server *server = &q->zone.servers[i];
		if (server->losses >= NO_DS_LOSSES && server->tcp_failed && !server->bad)
			infra_suspect(q->resolver->infra, &server->address, INFRA_NO_DS,
				      q->resolver->now);
	}
}

void no_ds_hear(struct query *q, const struct send *s)
{
	if (s->qtype == TYPE_DS)
		infra_set_quirk(q->resolver->infra, &q->zone.servers[s->server].address,
				INFRA_NO_DS, false, q->resolver->now);
}

/* It was silent to Q too, but not to everybody. */
static bool is_silent(const struct query *q, const struct server *server)
{
	struct infra_server known;
	if (server->losses == 0)
		return false;
	infra_get(q->resolver->infra, &server->address, q->resolver->now, &known);
	return (known.quirks & INFRA_NO_DS) && known.losses_in_row < INFRA_LOSSES_DOWN;
}

bool no_ds_gives_up(struct query *q)
{
	char text[ENDPOINT_TEXT_SIZE];
	const struct server *silent = NULL;
	if (!concerns(q) || q->doubtful_reply || q->bogus_reply)
		return false;
	for (unsigned i = 0; i < q->zone.server_count; i++) {
		const struct server *server = &q->zone.servers[i];
		if (server->bad)
			continue;
		if (!is_silent(q, server))
			return false;
		silent = server;
	}
	if (!silent)
		return false;
	query_trouble(q, EDE_NO_REACHABLE_AUTHORITY, "%s leaves questions for DS unanswered",
		      endpoint_text(&silent->address, text));
	return true;
}
