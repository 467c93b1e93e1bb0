#include <stdio.h>

#include "dns/cookie.h"
#include "dns/edns.h"
#include "dns/text.h"
#include "scenario/scene.h"

enum {
	CONNECT_LOST_MS = 3000,
	UNREACHABLE_MS = 1,
	OPT_FIXED_SIZE = 11,
};

bool scene_has_options(const struct message *m)
{
	return m->opt_count > 0 && m->wire.len > (size_t)m->opt_offset + OPT_FIXED_SIZE;
}

/* NAME, a pattern of the file, takes QNAME (both as text, lower case). */
static bool name_fits(const char *name, const char *qname)
{
	size_t len = strlen(qname), rest = strlen(name);
	if (strcmp(name, "*") == 0)
		return true;
	if (strncmp(name, "*.", 2) != 0)
		return strcmp(name, qname) == 0;
	return len > rest - 1 && strcmp(qname + len - (rest - 1), name + 1) == 0;
}

static bool has_capital(const struct message *m)
{
	uint8_t asked[DNAME_MAX], lower[DNAME_MAX];
	message_name(m, m->qname_offset, asked);
	return memcmp(asked, lower, dname_lower(asked, lower)) != 0;
}

static bool with_fits(const struct scene_reply *r, const struct message *m)
{
	struct edns asked;
	bool with_edns = edns_view(m, &asked) == EDNS_OK;
	bool with_options = scene_has_options(m);
	if (r->offers && (with_edns ? asked.size : EDNS_SIZE_MIN) > r->offers)
		return false;
	switch (r->with) {
	case WITH_ANY:
		return true;
	case WITH_EDNS:
		return with_edns;
	case WITHOUT_EDNS:
		return !with_edns;
	case WITH_OPTIONS:
		return with_options;
	case WITHOUT_OPTIONS:
		return with_edns && !with_options;
	}
	return false;
}

static bool reply_fits(const struct scene_reply *r, const struct message *m, const char *qname,
		       enum transport transport)
{
	if (r->spent || (r->type != TYPE_ANY && r->type != m->qtype) || !name_fits(r->name, qname))
		return false;
	if (r->over != OVER_BOTH && (r->over == OVER_TCP) != (transport == TRANSPORT_TCP))
		return false;
	if (r->letters != LETTERS_ANY && (r->letters == LETTERS_MIXED) != has_capital(m))
		return false;
	return with_fits(r, m);
}

static struct scene_reply *find_reply(struct scene *s, const struct scene_server *server,
				      const struct message *m, const char *qname,
				      enum transport transport)
{
	for (unsigned i = s->reply_count; i > 0; i--) {
		struct scene_reply *r = &s->replies[i - 1];
		if (r->server == server && reply_fits(r, m, qname, transport))
			return r;
	}
	return NULL;
}

static uint32_t wire_ttl_s(const struct scene_record *r, const struct text_record *record)
{
	return r->signature.wire_ttl_s ? r->signature.wire_ttl_s : record->ttl_s;
}

static bool add_signature(struct scene *s, struct builder *b, const struct scene_record *r,
			  const struct text_record *record)
{
	uint8_t rdata[SIGNER_RDATA_MAX];
	if (!r->signature.key)
		return true;
	size_t len = scene_sign(s, &r->signature, record, rdata);
	return builder_record(b, r->section, record->owner, TYPE_RRSIG, CLASS_IN,
			      wire_ttl_s(r, record), span_of(rdata, len));
}

static void add_record(struct scene *s, struct builder *b, const struct scene_record *r,
		       unsigned copy, const char *qname)
{
	char text[SCENE_TEXT_MAX + DNAME_TEXT_MAX], counted[sizeof(text)];
	struct text_record record;
	snprintf(text, sizeof(text), "%s%s", r->text[0] == '@' ? qname : "",
		 r->text + (r->text[0] == '@'));
	const char *number = strstr(text, "%d");
	if (number)
		snprintf(counted, sizeof(counted), "%.*s%u%s", (int)(number - text), text, copy,
			 number + 2);
	if (text_parse_record(number ? counted : text, &s->arena, &record) != OK) {
		scene_fail(s, "no record: %s", text);
		return;
	}
	if (!builder_record(b, r->section, record.owner, record.type, CLASS_IN,
			    wire_ttl_s(r, &record), record.rdata) ||
	    !add_signature(s, b, r, &record))
		scene_fail(s, "the reply grows too large: say tc, and the rest over tcp");
}

static void add_opt(struct scene *s, const struct scene_reply *r, const struct message *query,
		    struct builder *b)
{
	struct edns asked;
	uint8_t cookie[COOKIE_CLIENT_SIZE + 8] = {0};
	struct edns_reply opt = {
		.size = 1232, .rcode = r->rcode, .ede = EDE_NONE, .ede2 = EDE_NONE};
	if (r->no_opt || edns_view(query, &asked) != EDNS_OK)
		return;
	if (r->cookie != COOKIES_NONE && asked.client_cookie_len > 0) {
		memcpy(cookie, asked.client_cookie, COOKIE_CLIENT_SIZE);
		cookie[0] ^= r->cookie == COOKIES_WRONG;
		opt.cookie = span_of(cookie, sizeof(cookie));
	}
	for (int n = 0; n <= r->two_opts; n++)
		if (!edns_write(b, &opt))
			scene_fail(s, "no room for OPT");
}

static struct span write_reply(struct scene *s, const struct scene_reply *r,
			       const struct message *query, const char *qname, struct builder *b)
{
	uint8_t name[DNAME_MAX];
	message_name(query, query->qname_offset, name);
	if (r->in_lower_case)
		dname_lower(name, name);
	builder_set_flags(b, (uint16_t)(FLAG_QR | r->flags | (r->rcode & FLAG_RCODE_MASK)));
	if (!r->no_question)
		REQUIRE(builder_question(b, name, query->qtype, CLASS_IN));
	for (unsigned i = 0; i < r->record_count; i++)
		for (unsigned copy = 0; copy < r->records[i].copies; copy++)
			add_record(s, b, &r->records[i], copy, qname);
	add_opt(s, r, query, b);
	return builder_finish(b);
}

/* What somebody sends who wants to be taken for the server: an address of his own. */
static void deliver_before(struct scene *s, const struct scene_reply *r, const struct action *a,
			   const struct message *query, uint64_t delay_ms)
{
	static const uint8_t poison[4] = {192, 0, 2, 66};
	uint8_t wire[600], name[DNAME_MAX];
	struct action from = *a;
	struct builder b;
	message_name(query, query->qname_offset, name);
	if (r->before == BEFORE_WRONG_QUESTION)
		name[1] ^= 1;
	if (r->before == BEFORE_WRONG_PEER)
		from.peer.addr[3] ^= 1;
	for (unsigned n = 0; n < r->before_count; n++) {
		uint16_t id = (uint16_t)(query->id + (r->before == BEFORE_WRONG_ID ? n + 1 : 0));
		builder_init(&b, wire, sizeof(wire), id, FLAG_QR | FLAG_AA);
		REQUIRE(builder_question(&b, name, query->qtype, CLASS_IN));
		REQUIRE(builder_record(&b, SECTION_ANSWER, name, TYPE_A, CLASS_IN, 86400,
				       span_of(poison, sizeof(poison))));
		struct span packet = builder_finish(&b);
		if (r->before == BEFORE_GARBAGE)
			packet.len -= 3;
		scene_deliver(s, &from, delay_ms / 2, packet);
	}
}

void scene_answer(struct scene *s, const struct action *a, const struct message *m)
{
	static uint8_t wire[MESSAGE_MAX];
	char qname[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE], peer[ENDPOINT_TEXT_SIZE];
	uint8_t name[DNAME_MAX];
	const struct scene_server *server = scene_server_at(s, &a->peer);
	bool tcp = a->transport == TRANSPORT_TCP;
	message_name(m, m->qname_offset, name);
	dname_lower(name, name);
	dname_text(name, qname);
	if (!server || server->silent) {
		if (tcp)
			scene_lose(s, a, CONNECT_LOST_MS, LOSS_TIMEOUT);
		return;
	}
	struct scene_reply *r = find_reply(s, server, m, qname, a->transport);
	if (!r) {
		scene_fail(s, "%s has no reply to %s %s%s", endpoint_text(&a->peer, peer), qname,
			   type_text(m->qtype, type), tcp ? " over tcp" : "");
		return;
	}
	r->spent = r->once;
	uint64_t delay_ms = r->delay_ms ? r->delay_ms : server->delay_ms;
	if (r->no_room) {
		scene_lose(s, a, 0, LOSS_ROOM);
		return;
	}
	if (r->lost || (r->silent && tcp)) {
		scene_lose(s, a, r->lost ? UNREACHABLE_MS : CONNECT_LOST_MS,
			   !tcp	     ? LOSS_HINT
			   : r->lost ? LOSS_CLOSED
				     : LOSS_TIMEOUT);
		return;
	}
	if (r->hinted)
		scene_lose(s, a, UNREACHABLE_MS, LOSS_HINT);
	deliver_before(s, r, a, m, delay_ms);
	if (r->silent)
		return;
	struct builder b;
	builder_init(&b, wire,
		     tcp || r->oversized ? sizeof(wire)
		     : m->opt_count	 ? EDNS_SIZE_OURS
					 : EDNS_SIZE_MIN,
		     m->id, 0);
	struct span packet = write_reply(s, r, m, qname, &b);
	packet = scene_spoil(&r->spoils, m->qtype, packet, wire, sizeof(wire));
	scene_deliver(s, a, delay_ms, packet)->fragmented = r->fragmented;
}
