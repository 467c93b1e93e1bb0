#include "console/trace_blame.h"

#include <stdarg.h>
#include <stdio.h>

#include "resolve/throttle.h"

void trace_blame_begin(struct trace_blame *b)
{
	memset(b, 0, sizeof(*b));
}

/* ---- reading ---- */

static struct trace_culprit *culprit_of(struct trace_blame *b, const struct trace_packet *p)
{
	const uint8_t *zone = b->questions[p->question].zone;

	for (size_t i = 0; i < b->culprit_count; i++)
		if (endpoint_equal(&b->culprits[i].server, &p->server) &&
		    dname_equal(b->culprits[i].zone, zone))
			return &b->culprits[i];
	if (b->culprit_count == TRACE_CULPRITS_MAX)
		return &b->culprits[TRACE_CULPRITS_MAX - 1]; /* who is left is many: one for all */
	struct trace_culprit *c = &b->culprits[b->culprit_count++];
	c->server = p->server;
	dname_copy(zone, c->zone);
	return c;
}

static void read_reply(struct trace_culprit *c, const struct trace_step *step)
{
	c->answered++;
	switch ((enum trace_reply)step->code) {
	case TRACE_REPLY_LAME:
		c->lame++;
		break;
	case TRACE_REPLY_ERROR:
		c->errors++;
		c->rcode = step->type;
		break;
	case TRACE_REPLY_BROKEN:
		c->broken++;
		break;
	case TRACE_REPLY_TRUNCATED:
		c->truncated++;
		break;
	case TRACE_REPLY_ANSWER:
	case TRACE_REPLY_ALIAS:
	case TRACE_REPLY_NODATA:
	case TRACE_REPLY_NXDOMAIN:
	case TRACE_REPLY_REFERRAL:
	case TRACE_REPLY_TOO_LONG:
	case TRACE_REPLY_COOKIE:
	case TRACE_REPLY_NO_EDNS:
	case TRACE_REPLY_FRAGMENTS:
	case TRACE_REPLY_LARGE:
	case TRACE_REPLY_COUNT:
		break;
	}
}

static void read_packet(struct trace_blame *b, const struct trace_step *step)
{
	struct trace_packet *p = &b->packets[step->number];

	if (step->kind == TRACE_SEND) {
		*p = (struct trace_packet){.server = *step->server,
					   .at_us = step->at_us,
					   .question = step->question,
					   .tcp = step->code & TRACE_TCP};
		culprit_of(b, p)->sent++;
		return;
	}
	struct trace_culprit *c = culprit_of(b, p);
	if (step->kind == TRACE_REPLY) {
		read_reply(c, step);
	} else if (step->kind == TRACE_WRONG) {
		c->wrong++;
	} else if (step->kind == TRACE_TIMEOUT) {
		c->timeouts++;
		c->tcp_timeouts += p->tcp;
	} else if (step->code == LOSS_ROOM || step->code == LOSS_YIELDED) {
		b->no_room = true;
	} else {
		c->lost++;
		c->tcp_lost += p->tcp;
	}
}

void trace_blame_read(struct trace_blame *b, const struct trace_step *step)
{
	switch (step->kind) {
	case TRACE_QUESTION:
		if (step->number != step->question)
			b->questions[step->question].depth =
				(uint8_t)(b->questions[step->number].depth + 1);
		break;
	case TRACE_ZONE:
		dname_lower(step->name, b->questions[step->question].zone);
		break;
	case TRACE_SEND:
	case TRACE_REPLY:
	case TRACE_TIMEOUT:
	case TRACE_LOST:
	case TRACE_WRONG:
		read_packet(b, step);
		break;
	case TRACE_THROTTLED:
		b->no_room |= step->code == TRACE_THROTTLE_ROOM;
		if (step->code >= TRACE_THROTTLE_ROOM)
			break; /* no limit of the configuration */
		b->by_prefetch = step->code == TRACE_THROTTLE_PREFETCH &&
				 (b->throttled == 0 || b->by_prefetch);
		b->throttled++;
		if (step->value == THROTTLE_NEVER)
			b->throttled_out = true;
		else
			b->throttled_ms += step->value;
		break;
	case TRACE_LIMIT:
		b->limit = step->text;
		break;
	case TRACE_REFUSED:
	case TRACE_NEEDS:
	case TRACE_GOT:
	case TRACE_ALIAS:
	case TRACE_CACHE:
	case TRACE_CHECK:
	case TRACE_DENIAL:
	case TRACE_ELSEWHERE:
	case TRACE_APPEAL:
	case TRACE_PATIENCE:
	case TRACE_END:
	case TRACE_KIND_COUNT:
		break;
	}
}

/* ---- telling ---- */

struct telling {
	trace_words_fn *say;
	void *context;
};

static void PRINTF_LIKE(2, 3) tell(const struct telling *t, const char *format, ...)
{
	char line[2 * DNAME_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	t->say(t->context, line);
}

static const char *times(unsigned count, char out[static 24])
{
	if (count == 1)
		out[0] = '\0';
	else
		(void)snprintf(out, 24, " %u times", count);
	return out;
}

static void tell_culprit(const struct telling *t, const struct trace_culprit *c)
{
	char server[ENDPOINT_TEXT_SIZE], zone[DNAME_TEXT_MAX], rcode[TYPE_TEXT_SIZE], count[24];
	bool tcp_fails = c->tcp_timeouts + c->tcp_lost > 0;

	endpoint_text(&c->server, server);
	dname_text(c->zone, zone);
	if (c->truncated > 0 && tcp_fails)
		tell(t,
		     "Server %s, asked for %s, told over UDP that its answer is truncated, but "
		     "over "
		     "TCP %s: is TCP to port %u blocked on the way?",
		     server, zone,
		     c->tcp_lost ? "it refused or closed the connection" : "it did not answer",
		     c->server.port);
	else if (c->answered == 0 && c->timeouts > 0)
		tell(t, "Server %s, asked for %s, did not answer%s.", server, zone,
		     times(c->timeouts, count));
	else if (c->timeouts > 0)
		tell(t, "Server %s, asked for %s, did not answer in time%s.", server, zone,
		     times(c->timeouts, count));
	if (c->lost > c->tcp_lost)
		tell(t,
		     "Server %s, asked for %s, cannot be reached: the network, or the host, says "
		     "so.",
		     server, zone);
	else if (c->lost > 0 && c->truncated == 0)
		tell(t, "Server %s, asked for %s, refused or closed the TCP connection.", server,
		     zone);
	if (c->lame > 0)
		tell(t,
		     "Server %s is not authoritative for %s, though that is delegated to it "
		     "(lame).",
		     server, zone);
	if (c->errors > 0)
		tell(t, "Server %s, asked for %s, answered %s%s.", server, zone,
		     rcode_text(c->rcode, rcode), times(c->errors, count));
	if (c->broken > 0)
		tell(t, "Server %s, asked for %s, sent contradicting or oversized data.", server,
		     zone);
	if (c->wrong > 0)
		tell(t, "Server %s, asked for %s, sent%s what is malformed or does not match.",
		     server, zone, times(c->wrong, count));
}

void trace_blame_throttled(const struct trace_step *s, char *out, size_t size)
{
	static const char *const words[] = {
		[TRACE_THROTTLE_ZONE] = "the rate limit of the zone",
		[TRACE_THROTTLE_PREFETCH] = "the rate limit of prefetching",
		[TRACE_THROTTLE_ROOM] = "the want of a free socket",
		[TRACE_THROTTLE_WORKER] = "another worker that asks the same already",
	};
	const char *by = words[MIN(s->code, (unsigned)ARRAY_LEN(words) - 1)];

	if (s->value == THROTTLE_NEVER)
		(void)snprintf(out, size, "%s holds it back: too many wait in line", by);
	else
		(void)snprintf(out, size, "%s holds it back for %u ms", by, s->value);
}

void trace_blame_tell(const struct trace_blame *b, const struct trace_report *report,
		      trace_words_fn *say, void *context)
{
	struct telling t = {.say = say, .context = context};
	char time[WORDS_TIME_SIZE];

	for (size_t i = 0; i < b->culprit_count; i++)
		tell_culprit(&t, &b->culprits[i]);
	if (b->no_room)
		tell(&t, "Sockets or connections to servers ran short here; that is no fault of a "
			 "server's.");
	if (b->throttled_out)
		tell(&t, "A rate limit held it back, and too many were waiting in line already.");
	else if (b->throttled > 0)
		tell(&t, "%s held it back, for %s in all.",
		     b->by_prefetch ? "The rate limit of prefetching" : "A rate limit",
		     words_time((int64_t)b->throttled_ms, time));
	if (b->limit.len > 0)
		tell(&t, "A limit ended it: %.*s.", (int)b->limit.len, (const char *)b->limit.at);
	if (report->told & TRACE_TOLD_SERVFAIL)
		tell(&t,
		     "Clients could not wait so long and got SERVFAIL, while the work went on.");
	if (report->told & TRACE_TOLD_STALE)
		tell(&t, "Clients got the old, expired answer instead.");
	if (report->lost > 0)
		tell(&t, "It took so many steps that the last %u were not recorded.", report->lost);
}
