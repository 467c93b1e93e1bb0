#include "resolve/witness.h"

#include "resolve/upstream.h"

uint16_t witness_type(const struct query *q)
{
	return q->qtype == TYPE_A ? TYPE_AAAA : TYPE_A;
}

bool witness_may_ask(const struct query *q, unsigned index)
{
	const struct settings *settings = q->settings;
	bool is_asked_for = !q->internal || q->waiters;
	bool is_same_zone = settings_zone_for(settings, q->name, q->qtype) ==
			    settings_zone_for(settings, q->name, witness_type(q));
	return is_asked_for && is_same_zone && !q->zone.servers[index].witness;
}

void witness_note(struct query *q, unsigned index, bool plain)
{
	q->zone.servers[index].mute = true;
	q->zone.servers[index].mute_plain = plain;
}

bool witness_is_asked(const struct query *q, unsigned index)
{
	return q->zone.witness_asked && q->zone.witness == index;
}

static bool is_mute(const struct query *q)
{
	return q->doubtful_reply && q->doubtful_reply->mute;
}

static void cancel(struct query *q)
{
	for (unsigned i = q->open_count; i > 0; i--)
		if (q->open[i - 1]->witness)
			upstream_cancel(q, q->open[i - 1]);
	q->zone.witness_asked = false;
}

static void blame(struct query *q, struct server *server)
{
	char address[ENDPOINT_TEXT_SIZE], zone[DNAME_TEXT_MAX];
	server->mute = false;
	if (!q->zone.configured)
		infra_set_lame(q->resolver->infra, &server->address, q->zone.name,
			       q->resolver->now);
	query_trouble(q, EDE_NO_REACHABLE_AUTHORITY, "%s is not authoritative for %s (lame)",
		      endpoint_text(&server->address, address), dname_text(q->zone.name, zone));
}

void witness_blame(struct query *q)
{
	struct trouble trouble = q->trouble; /* is none of a question that goes on */
	for (unsigned i = 0; i < q->zone.server_count; i++)
		if (q->zone.servers[i].mute)
			blame(q, &q->zone.servers[i]);
	q->trouble = trouble;
}

/* The server that is asked does not know the name. */
static void lose(struct query *q)
{
	cancel(q);
	blame(q, &q->zone.servers[q->zone.witness]);
	for (unsigned i = 0; i < q->zone.server_count; i++)
		if (q->zone.servers[i].mute)
			return; /* is the next one */
	q->doubtful_reply = NULL;
}

bool witness_begin(struct query *q)
{
	struct zone_context *z = &q->zone;
	if (!is_mute(q))
		return false;
	for (unsigned i = 0; i < z->server_count && z->witnesses < LIMIT_WITNESSES; i++) {
		struct server *server = &z->servers[i];
		if (!server->mute)
			continue;
		z->witness_asked = server->witness = true;
		z->witness = i;
		z->witnesses++;
		server->sends = 0;
		return true;
	}
	witness_blame(q);
	q->doubtful_reply = NULL;
	return false;
}

enum step witness_step(struct query *q)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	const struct server *server = &q->zone.servers[q->zone.witness];
	if (!is_mute(q)) {
		cancel(q);
		return STEP_AGAIN;
	}
	for (unsigned i = 0; i < q->open_count; i++)
		if (q->open[i]->witness && upstream_has_time(q->open[i]))
			return STEP_WAIT;
	if (q->throttled_until_ms > now_ms)
		return STEP_WAIT;
	bool may_ask =
		server->sends < LIMIT_WITNESS_SENDS && !(server->use_tcp && server->tcp_failed);
	if (may_ask && (upstream_send(q, q->zone.witness) || q->throttled_until_ms > now_ms))
		return STEP_WAIT;
	lose(q);
	return STEP_AGAIN;
}

/* What it said makes sense if it can say this of the name. */
static enum witness judge(const struct query *q, const struct reply *reply)
{
	switch (reply->kind) {
	case REPLY_ANSWER:
	case REPLY_ALIAS:
		return WITNESS_KNOWS;
	case REPLY_NODATA:
	case REPLY_NXDOMAIN:
		return reply->set_count > 0 || (reply->authoritative && reply->has_soa)
			       ? WITNESS_KNOWS
			       : WITNESS_LAME;
	case REPLY_REFERRAL: /* DS is of the zone above the cut */
		return q->qtype == TYPE_DS && dname_equal(reply->cut, q->name) ? WITNESS_LAME
									       : WITNESS_REFERS;
	case REPLY_LAME:
	case REPLY_ERROR:
	case REPLY_TOO_LONG:
	case REPLY_BROKEN:
		return WITNESS_LAME;
	}
	return WITNESS_LAME;
}

enum witness witness_hear(struct query *q, unsigned index, const struct reply *reply)
{
	struct server *server = &q->zone.servers[index];
	enum witness witness = is_mute(q) ? judge(q, reply) : WITNESS_LAME;
	if (witness == WITNESS_LAME) {
		lose(q);
		return WITNESS_LAME;
	}
	cancel(q);
	server->mute = server->lame = false;
	if (witness == WITNESS_REFERS) {
		q->doubtful_reply = NULL;
		return witness;
	}
	q->doubtful_server = index;
	q->doubtful_reply->kind = REPLY_NODATA;
	q->doubtful_reply->mute = false;
	q->doubtful_reply->unsigned_ok = server->mute_plain;
	return witness;
}
