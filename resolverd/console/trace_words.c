#include "console/trace_words.h"

#include <stdarg.h>
#include <stdio.h>

#include "console/trace_blame.h"
#include "console/trace_source.h"

enum {
	LINE_MAX = DNAME_TEXT_MAX + 512, /* a name, a reason, and what stands around them */
	WHY_MAX = 256,
};

/* ---- steps as text ---- */

static const char *const source_words[] = {
	[TRACE_SOURCE_CACHE] = "the delegation is cached",
	[TRACE_SOURCE_REFERRAL] = "from the referral",
	[TRACE_SOURCE_HINTS] = "from the root hints",
	[TRACE_SOURCE_FORWARD] = "a forward zone of the configuration",
	[TRACE_SOURCE_STUB] = "a stub zone of the configuration",
};
static const char *const cache_words[] = {
	[TRACE_CACHE_ANSWER] = "has the answer",
	[TRACE_CACHE_ALIAS] = "has an alias",
	[TRACE_CACHE_UNCHECKED] = "has it from a referral, to be validated",
	[TRACE_CACHE_MADE] = "proves the answer by denials that are validated (RFC 8198)",
	[TRACE_CACHE_FAILURE] = "remembers that this failed (RFC 9520)",
};
static const char *const reply_words[TRACE_REPLY_COUNT] = {
	[TRACE_REPLY_ANSWER] = "answer",
	[TRACE_REPLY_ALIAS] = "alias of",
	[TRACE_REPLY_NODATA] = "no such records",
	[TRACE_REPLY_NXDOMAIN] = "no such name",
	[TRACE_REPLY_REFERRAL] = "referral to",
	[TRACE_REPLY_LAME] = "lame: it is not authoritative for the zone",
	[TRACE_REPLY_ERROR] = "error",
	[TRACE_REPLY_TOO_LONG] = "the name becomes too long (YXDOMAIN)",
	[TRACE_REPLY_BROKEN] = "contradicting or oversized data",
	[TRACE_REPLY_TRUNCATED] = "truncated: again over TCP",
	[TRACE_REPLY_COOKIE] = "wants a cookie: again over TCP",
	[TRACE_REPLY_NO_EDNS] = "does not know what EDNS says: again with less",
	[TRACE_REPLY_FRAGMENTS] = "in fragments, which are not believed: again over TCP",
	[TRACE_REPLY_LARGE] = "larger than we take, which is not believed: again over TCP",
};
static const char *const wrong_words[] = {
	[TRACE_WRONG_MALFORMED] = "is malformed",
	[TRACE_WRONG_MISMATCH] = "does not match the question",
	[TRACE_WRONG_CASE] = "does not keep the letters' case",
	[TRACE_WRONG_COOKIE] = "lacks our cookie",
};

static const char *const lost_words[] = {
	[LOSS_ROOM] = "was not asked after all: no socket or connection was free here",
	[LOSS_YIELDED] = "is waited for no longer: others needed the socket",
	[LOSS_ROUTE] = "cannot be reached: there is no way, or it is not permitted",
	[LOSS_HINT] = "cannot be reached, an ICMP message says; it may yet answer",
	[LOSS_CLOSED] = "refused or closed the connection",
	[LOSS_TIMEOUT] = "did not take the connection in time",
};

/* Codes come from our own core: others are our bug. */
#define WORD_OF(words, code) ((code) < ARRAY_LEN(words) ? (words)[code] : "unknown")

static const char *name_of(const struct trace_step *s, char out[static DNAME_TEXT_MAX])
{
	out[0] = '\0';
	return s->name ? dname_text(s->name, out) : out;
}

static const char *text_of(const struct trace_step *s, char out[static WHY_MAX])
{
	(void)snprintf(out, WHY_MAX, "%s%.*s", s->text.len > 0 ? ": " : "", (int)s->text.len,
		       s->text.at ? (const char *)s->text.at : "");
	return out;
}

/* Steps of packets. */
static void packet_text(const struct trace_blame *b, const struct trace_step *s, char *out,
			size_t size)
{
	const struct trace_packet *p = &b->packets[s->number];
	char server[ENDPOINT_TEXT_SIZE], name[DNAME_TEXT_MAX], word[TYPE_TEXT_SIZE];
	char type[TYPE_TEXT_SIZE];

	endpoint_text(&p->server, server);
	name_of(s, name);
	switch (s->kind) {
	case TRACE_SEND:
		(void)snprintf(out, size, "asks %s over %s%s%s%s%s%s%s", server,
			       s->code & TRACE_TCP ? "TCP" : "UDP", s->name ? " for " : "", name,
			       s->name ? " " : "", s->name ? type_text(s->type, type) : "",
			       s->code & TRACE_PLAIN ? ", without EDNS" : "",
			       s->code & TRACE_HEDGE ? ", beside the one that is slow" : "");
		break;
	case TRACE_REPLY:
		(void)snprintf(out, size, "%s, %.1f ms, %u bytes: %s%s%s%s%s", server,
			       (s->at_us - p->at_us) / 1000.0, s->value,
			       WORD_OF(reply_words, s->code), s->name ? " " : "", name,
			       s->type ? ", " : "", s->type ? rcode_text(s->type, word) : "");
		break;
	case TRACE_TIMEOUT:
		(void)snprintf(out, size, "%s did not answer within %u ms", server, s->value);
		break;
	case TRACE_LOST:
		(void)snprintf(out, size, "%s %s", server, WORD_OF(lost_words, s->code));
		break;
	default: /* TRACE_WRONG */
		(void)snprintf(out, size, "a reply of %s %s, and is not believed", server,
			       WORD_OF(wrong_words, s->code));
		break;
	}
}

static void end_text(const struct trace_step *s, const char *what, char *out, size_t size)
{
	char rcode[TYPE_TEXT_SIZE], why[WHY_MAX];

	(void)snprintf(out, size, "%s%s%s, %s%s", what, *what ? ": " : "",
		       rcode_text(s->type, rcode), words_verdict(s->code), text_of(s, why));
}

/* Steps of validation. */
static void check_text(const struct trace_step *s, char *out, size_t size)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE], why[WHY_MAX];

	(void)snprintf(out, size, "%s%s%s%s is %s%s",
		       s->kind == TRACE_DENIAL ? "the denial of " : "", name_of(s, name),
		       s->type ? " " : "", s->type ? type_text(s->type, type) : "",
		       words_verdict(s->code), text_of(s, why));
}

static void step_text(const struct trace_blame *b, const struct trace_step *s, char *out,
		      size_t size)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE], time[WORDS_TIME_SIZE];
	char server[ENDPOINT_TEXT_SIZE];

	name_of(s, name);
	type_text(s->type, type);
	switch (s->kind) {
	case TRACE_QUESTION:
		(void)snprintf(out, size, "%s%s %s", s->number == s->question ? "" : "needs ", name,
			       type);
		break;
	case TRACE_NEEDS:
		(void)snprintf(out, size, "needs %s %s, which is being resolved already", name,
			       type);
		break;
	case TRACE_GOT:
		end_text(s, name, out, size);
		break;
	case TRACE_ALIAS:
		(void)snprintf(out, size, "goes on with %s", name);
		break;
	case TRACE_CACHE:
		(void)snprintf(out, size, "the cache %s%s%s%s", WORD_OF(cache_words, s->code),
			       s->value ? ", " : "", s->value ? words_time(s->value, time) : "",
			       s->value ? " old" : "");
		break;
	case TRACE_ZONE:
		(void)snprintf(out, size, "zone %s: %u address%s known, %s", name, s->value,
			       s->value == 1 ? "" : "es", WORD_OF(source_words, s->code));
		break;
	case TRACE_REFUSED:
		(void)snprintf(out, size,
			       "a server of %s is said to be at %s, which is %s and not asked",
			       name, endpoint_text(s->server, server),
			       s->code < ASKABLE_COUNT ? askable_text(s->code) : "?");
		break;
	case TRACE_SEND:
	case TRACE_REPLY:
	case TRACE_TIMEOUT:
	case TRACE_LOST:
	case TRACE_WRONG:
		packet_text(b, s, out, size);
		break;
	case TRACE_THROTTLED:
		trace_blame_throttled(s, out, size);
		break;
	case TRACE_LIMIT:
		(void)snprintf(out, size, "%.*s", (int)s->text.len, (const char *)s->text.at);
		break;
	case TRACE_CHECK:
	case TRACE_DENIAL:
		check_text(s, out, size);
		break;
	case TRACE_ELSEWHERE:
		(void)snprintf(out, size, "it is asked for once more before that is believed");
		break;
	case TRACE_APPEAL:
		(void)snprintf(out, size,
			       "no server of %s is of use: its parent is asked once more", name);
		break;
	case TRACE_PATIENCE:
		(void)snprintf(out, size, "clients wait no longer: they get %s",
			       s->code == TRACE_TOLD_STALE ? "the expired answer" : "SERVFAIL");
		break;
	case TRACE_END:
		end_text(s, "done", out, size);
		break;
	case TRACE_KIND_COUNT:
		break;
	}
}

/* ---- JSON ---- */

static const char *const kind_words[TRACE_KIND_COUNT] = {
	[TRACE_QUESTION] = "question",
	[TRACE_NEEDS] = "needs",
	[TRACE_GOT] = "got",
	[TRACE_ALIAS] = "alias",
	[TRACE_CACHE] = "cache",
	[TRACE_ZONE] = "zone",
	[TRACE_REFUSED] = "refused",
	[TRACE_SEND] = "send",
	[TRACE_REPLY] = "reply",
	[TRACE_TIMEOUT] = "timeout",
	[TRACE_LOST] = "lost",
	[TRACE_WRONG] = "wrong",
	[TRACE_THROTTLED] = "throttled",
	[TRACE_LIMIT] = "limit",
	[TRACE_CHECK] = "check",
	[TRACE_DENIAL] = "denial",
	[TRACE_ELSEWHERE] = "elsewhere",
	[TRACE_APPEAL] = "appeal",
	[TRACE_PATIENCE] = "patience",
	[TRACE_END] = "end",
};

static bool is_of_packet(const struct trace_step *s)
{
	return s->kind >= TRACE_SEND && s->kind <= TRACE_WRONG;
}

static json_t *step_json(const struct trace_blame *b, const struct trace_step *s)
{
	const struct trace_packet *p = is_of_packet(s) ? &b->packets[s->number] : NULL;
	bool back = p && s->kind != TRACE_SEND;
	char line[LINE_MAX] = "";

	REQUIRE(s->kind < TRACE_KIND_COUNT);
	step_text(b, s, line, sizeof(line));
	return json_pack("{s:I, s:i, s:i, s:s, s:o, s:o, s:o, s:o, s:o}", "at_us",
			 (json_int_t)s->at_us, "question", (int)s->question, "depth",
			 (int)b->questions[s->question].depth, "kind", kind_words[s->kind], "text",
			 words_text(line, strlen(line)), "name",
			 s->name ? words_name(s->name) : json_null(), "server",
			 p ? words_endpoint(&p->server) : json_null(), "transport",
			 p ? json_string(p->tcp ? "tcp" : "udp") : json_null(), "took_us",
			 back ? json_integer(s->at_us - p->at_us) : json_null());
}

static json_t *steps_json(const struct trace_report *report)
{
	struct trace_reader reader = trace_reader_of(report->steps);
	struct trace_blame blame;
	struct trace_step step;
	json_t *steps = json_array();

	trace_blame_begin(&blame);
	while (trace_next(&reader, &step)) {
		trace_blame_read(&blame, &step);
		words_append(&steps, step_json(&blame, &step));
	}
	return steps;
}

static json_t *told_json(uint8_t told)
{
	json_t *list = json_array();

	if (told & TRACE_TOLD_STALE)
		words_append(&list, json_string("stale"));
	if (told & TRACE_TOLD_SERVFAIL)
		words_append(&list, json_string("servfail"));
	return list;
}

static json_t *sources_json(const struct trace_report *r)
{
	char text[ENDPOINT_TEXT_SIZE];
	struct trace_sources sources;
	json_t *list = json_array();

	trace_source_read(r, &sources);
	for (size_t i = 0; i < sources.count; i++)
		words_append(&list, json_string(trace_source_text(&sources.list[i], text)));
	return list;
}

json_t *trace_words_json(const struct trace_report *r, struct now now)
{
	char rcode[TYPE_TEXT_SIZE];
	bool extended = r->ede != EDE_NONE;

	return json_pack(
		"{s:o, s:o, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:b, s:b, s:b, s:o, "
		"s:o, s:i, s:o}",
		"name", words_name(r->name), "type", words_type(r->type), "age_ms",
		(json_int_t)(now.cache_ms - r->ended_ms), "took_us", (json_int_t)r->took_us,
		"rcode", rcode_text(r->rcode, rcode), "verdict", words_verdict(r->verdict), "ede",
		extended ? json_integer(r->ede) : json_null(), "ede_name",
		extended ? json_string(ede_text(r->ede)) : json_null(), "text",
		r->text ? words_text(r->text, strlen(r->text)) : json_null(), "client",
		r->client.family ? words_endpoint(&r->client) : json_null(), "clients",
		(json_int_t)r->clients, "packets", (json_int_t)r->packets, "refresh", r->refresh,
		"operator", r->watched, "unfinished", r->unfinished, "told", told_json(r->told),
		"sources", sources_json(r), "missing_steps", (int)r->lost, "steps", steps_json(r));
}

/* ---- the whole ---- */

const char *trace_words_summary(const struct trace_report *r, char out[static TRACE_SUMMARY_MAX])
{
	char rcode[TYPE_TEXT_SIZE], time[WORDS_TIME_SIZE], ede[80] = "";
	bool failed = r->rcode != RCODE_NOERROR && r->rcode != RCODE_NXDOMAIN;
	const char *verdict = failed ? "" : words_verdict(r->verdict);
	char from[TRACE_SOURCES_TEXT] = "";
	struct trace_sources sources;

	if (r->ede != EDE_NONE)
		(void)snprintf(ede, sizeof(ede), " (EDE %u, %s)", r->ede, ede_text(r->ede));
	if (r->unfinished) {
		(void)snprintf(out, TRACE_SUMMARY_MAX,
			       "was not answered within %s (%u packet%s), and the client got "
			       "SERVFAIL while the work went on: %s%s",
			       words_time((int64_t)(r->took_us / 1000), time), r->packets,
			       r->packets == 1 ? "" : "s", r->text ? r->text : "", ede);
		return out;
	}
	trace_source_read(r, &sources);
	if (!failed && sources.count > 0)
		trace_source_list(&sources, from);
	(void)snprintf(out, TRACE_SUMMARY_MAX, "%s %s%s%s%s%s after %s and %u packet%s%s%s%s",
		       failed ? "failed with" : "was answered", rcode_text(r->rcode, rcode),
		       *verdict ? ", " : "", verdict, *from ? ", from " : "", from,
		       words_time((int64_t)(r->took_us / 1000), time), r->packets,
		       r->packets == 1 ? "" : "s", r->text && *r->text ? ": " : "",
		       r->text ? r->text : "", ede);
	return out;
}

void trace_words_blame(const struct trace_report *report, trace_words_fn *say, void *context)
{
	struct trace_reader reader = trace_reader_of(report->steps);
	struct trace_blame blame;
	struct trace_step step;

	trace_blame_begin(&blame);
	while (trace_next(&reader, &step))
		trace_blame_read(&blame, &step);
	trace_blame_tell(&blame, report, say, context);
}
