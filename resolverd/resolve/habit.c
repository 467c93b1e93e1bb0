#include "resolve/habit.h"

#include "resolve/servers.h"

enum {
	GUESS_BITS = 32, /* a port and an id */
	COOKIE_BITS = 8 * COOKIE_CLIENT_SIZE,
	BAD_COOKIES_MAX = 3,
};

static unsigned count_letters(const uint8_t *name)
{
	unsigned letters = 0;
	for (size_t i = 0, len = dname_len(name); i < len;) {
		size_t end = i + 1 + name[i];
		for (i++; i < end; i++)
			letters += (name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z';
	}
	return letters;
}

static bool has_capital(const uint8_t *name)
{
	for (size_t i = 0, len = dname_len(name); i < len;) {
		size_t end = i + 1 + name[i];
		for (i++; i < end; i++)
			if (name[i] >= 'A' && name[i] <= 'Z')
				return true;
	}
	return false;
}

/* Replies in a row that have to lack the same. */
static unsigned needed(const struct send *s, enum habit habit)
{
	unsigned bits = habit == HABIT_COOKIE ? COOKIE_BITS : count_letters(s->qname);
	return 1 + MAX(1U, (bits + GUESS_BITS - 1) / GUESS_BITS);
}
static_assert(1 + COOKIE_BITS / GUESS_BITS == 3, "as habit.h says");

bool habit_is_small(const struct query *q, const struct server *server,
		    const struct infra_server *known)
{
	return (known->quirks & INFRA_NO_CASE) ||
	       settings_is_no_case(q->settings, q->name, &server->address);
}

static bool may_try_small(const struct query *q, const struct server *server,
			  const struct infra_server *known)
{
	return !servers_are_counted(q) && !(known->quirks & INFRA_KEEPS_CASE) &&
	       !settings_is_no_case(q->settings, q->name, &server->address);
}

bool habit_tries_small(const struct query *q, const struct server *server,
		       const struct infra_server *known)
{
	return server->small ||
	       /* One packet that was lost says nothing, where other servers may answer. */
	       (server->losses > 0 && may_try_small(q, server, known) && servers_none_is_well(q));
}

static bool has_no_tcp(const struct query *q, const struct server *server)
{
	struct infra_server known;
	infra_get(q->resolver->infra, &server->address, q->resolver->now, &known);
	return server->tcp_failed || known.tcp_backoff_until_ms > q->resolver->now.cache_ms;
}

bool habit_believes(struct query *q, struct send *s, enum habit habit, bool *tcp)
{
	struct server *server = &q->zone.servers[s->server];
	if (server->habit != habit)
		server->habit_count = 0;
	server->habit = habit;
	server->habit_count++;
	/* Small letters are our try: what TCP says of it would not tell whether it was needed. */
	*tcp = habit != HABIT_SMALL && !has_no_tcp(q, server);
	if (*tcp || server->habit_count < needed(s, habit))
		return false;
	if (habit == HABIT_CASE)
		infra_set_quirk(q->resolver->infra, &server->address, INFRA_NO_CASE, true,
				q->resolver->now);
	if (habit == HABIT_COOKIE)
		infra_set_quirk(q->resolver->infra, &server->address, INFRA_SOME_COOKIES, true,
				q->resolver->now);
	return true;
}

bool habit_retries_cookie(struct query *q, struct server *server, bool *tcp)
{
	*tcp = !has_no_tcp(q, server);
	server->bad_cookies++;
	/* Perhaps the machines behind one address make them of different secrets: then without. It was
	 * the server itself that said so, as our cookie came back with it. */
	server->no_cookie = server->bad_cookies > 1;
	return server->bad_cookies <= BAD_COOKIES_MAX;
}

bool habit_leaves_tcp(struct server *server)
{
	if (server->habit_count == 0 && server->bad_cookies == 0)
		return false;
	server->use_tcp = false;
	return true;
}

void habit_learn(struct query *q, const struct send *s, const struct message *m,
		 const struct reply *reply, bool doubted)
{
	struct infra *infra = q->resolver->infra;
	struct server *server = &q->zone.servers[s->server];
	bool useless = reply->kind == REPLY_LAME || reply->kind == REPLY_ERROR ||
		       reply->kind == REPLY_BROKEN;
	bool is_same = useless || (doubted && q->doubtful_reply);
	/* It knows the name, whatever it makes of the type. */
	bool found = m->counts[SECTION_ANSWER] > 0 || reply->kind == REPLY_REFERRAL;
	if (s->transport == TRANSPORT_TCP && server->small && !is_same && !doubted)
		infra_set_quirk(infra, &server->address, INFRA_NO_CASE, true, q->resolver->now);
	if (s->transport != TRANSPORT_UDP || server->habit == HABIT_CASE)
		return;
	/* Small letters are answered no better: these are not what ails it now. */
	if (s->small && is_same) {
		infra_suspect(infra, &server->address, INFRA_KEEPS_CASE, q->resolver->now);
		return;
	}
	if (!s->small && found && has_capital(s->qname)) {
		infra_set_quirk(infra, &server->address, INFRA_KEEPS_CASE, true, q->resolver->now);
		return;
	}
	if (!s->small && has_capital(s->qname))
		infra_small_ends(infra, &server->address, q->resolver->now);
	if (!s->small || doubted)
		return;
	/* It failed for mixed letters and says this now; or it was silent, as it has been before. */
	if (server->small || infra_small_win(infra, &server->address, q->resolver->now))
		infra_set_quirk(infra, &server->address, INFRA_NO_CASE, true, q->resolver->now);
}

/* ... and had the chance to answer. */
static bool has_tried_small(const struct query *q)
{
	for (unsigned i = 0; i < q->zone.server_count; i++)
		if (q->zone.servers[i].small && !q->zone.servers[i].tcp_failed)
			return true;
	return false;
}

/* SERVER has failed for this question, or for others of the zone, so that it has not been asked. */
static bool is_useless(const struct query *q, const struct server *server)
{
	struct resolver *r = q->resolver;
	if (server->bad)
		return server->lame || server->fails;
	return server->sends == 0 && !q->zone.configured &&
	       infra_is_lame(r->infra, &server->address, q->zone.name, r->now);
}

bool habit_begin_small(struct query *q)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	bool is_late = q->doubtful_reply && now_ms >= q->doubt_until_ms;
	bool is_relayed =
		q->doubtful_reply && query_is_forwarded(q); /* by who asks others himself */
	if (has_tried_small(q) || q->bogus_reply || is_late || is_relayed ||
	    count_letters(q->name) == 0)
		return false;
	for (unsigned i = 0; i < q->zone.server_count; i++) {
		struct server *server = &q->zone.servers[i];
		struct infra_server known;
		infra_get(q->resolver->infra, &server->address, q->resolver->now, &known);
		if (server->asked_small || !is_useless(q, server) ||
		    !may_try_small(q, server, &known))
			continue;
		server->small = true;
		server->bad = server->lame = server->fails = false;
		server->sends = 0;
		return true;
	}
	return false;
}
