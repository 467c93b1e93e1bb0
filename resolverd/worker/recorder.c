#include "worker/recorder.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/ring.h"
#include "dns/types.h"
#include "resolve/limits.h"

enum {
	TEXT_MAX = 255,
	/* Of the whole: what waits while somebody reads, which takes a millisecond. */
	WAITING_DIVISOR = 32,
};

/* Of what is left, in percent. */
static const unsigned share[RECORDER_KIND_COUNT] = {
	[RECORDER_FAILED] = 50, [RECORDER_SLOW] = 25, [RECORDER_OTHER] = 25};

/* A trace as it lies in a ring: this, the name, the text with its NUL, the steps. */
struct kept_trace {
	struct trace_report report; /* its pointers are not valid */
	uint32_t text_size, steps_len;
	enum recorder_kind kind;
};
enum { RECORD_MAX = sizeof(struct kept_trace) + DNAME_MAX + TEXT_MAX + 1 + LIMIT_TRACE_BYTES };

struct recorder {
	pthread_mutex_t lock;				    /* the worker only ever tries it */
	struct ring rings[RECORDER_KIND_COUNT];		    /* lock */
	struct recorder_settings settings;		    /* the worker */
	struct ring waiting;				    /* the worker */
	uint64_t buffer[RECORD_MAX / sizeof(uint64_t) + 1]; /* the worker */
};

/* ---- records as bytes ---- */

static size_t pack(const struct trace_report *report, enum recorder_kind kind, uint8_t *out)
{
	size_t name_len = dname_len(report->name);
	size_t text_len = report->text ? strnlen(report->text, TEXT_MAX) : 0;
	struct kept_trace head = {.report = *report,
				  .text_size = report->text ? (uint32_t)text_len + 1 : 0,
				  .steps_len = (uint32_t)report->steps.len,
				  .kind = kind};
	uint8_t *at = out;

	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	memcpy(at, report->name, name_len);
	at += name_len;
	if (head.text_size > 0) {
		memcpy(at, report->text, text_len);
		at[text_len] = '\0';
		at += head.text_size;
	}
	if (report->steps.len > 0)
		memcpy(at, report->steps.at, report->steps.len);
	return (size_t)(at - out) + report->steps.len;
}

/* Borrows from BYTES. */
static enum recorder_kind unpack(struct span bytes, struct trace_report *out)
{
	struct kept_trace head;

	memcpy(&head, bytes.at, sizeof(head));
	*out = head.report;
	out->name = bytes.at + sizeof(head);
	const uint8_t *text = out->name + dname_len(out->name);
	out->text = head.text_size > 0 ? (const char *)text : NULL;
	out->steps = span_of(text + head.text_size, head.steps_len);
	return (enum recorder_kind)head.kind;
}

struct recorder_copy *recorder_copy(const struct trace_report *report)
{
	size_t head = sizeof(struct recorder_copy);
	struct recorder_copy *copy = malloc(head + RECORD_MAX);

	if (!copy)
		return NULL;
	REQUIRE(report->steps.len <= LIMIT_TRACE_BYTES);
	uint8_t *bytes = (uint8_t *)(copy + 1);
	size_t len = pack(report, RECORDER_OTHER, bytes);
	(void)unpack(span_of(bytes, len), &copy->report);
	return copy;
}

/* ---- life ---- */

enum err recorder_new(size_t size_bytes, struct recorder **out)
{
	size_t waiting = size_bytes / WAITING_DIVISOR;
	struct recorder *r = calloc(1, sizeof(*r));
	enum err err = OK;

	if (!r || pthread_mutex_init(&r->lock, NULL) != 0) {
		free(r);
		return ERR_NO_MEMORY;
	}
	for (size_t i = 0; err == OK && i < RECORDER_KIND_COUNT; i++)
		err = ring_init(&r->rings[i], (size_bytes - waiting) / 100 * share[i]);
	if (err == OK)
		err = ring_init(&r->waiting, waiting);
	if (err != OK) {
		recorder_free(r);
		return err;
	}
	*out = r;
	return OK;
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < RECORDER_KIND_COUNT; i++)
		ring_deinit(&r->rings[i]);
	ring_deinit(&r->waiting);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- the worker ---- */

void recorder_configure(struct recorder *r, const struct recorder_settings *settings)
{
	r->settings = *settings;
}

static enum recorder_kind kind_of(const struct recorder *r, const struct trace_report *report)
{
	bool good = report->rcode == RCODE_NOERROR || report->rcode == RCODE_NXDOMAIN;

	if (!good || report->verdict == VERDICT_BOGUS || report->told)
		return RECORDER_FAILED;
	return report->took_us >= r->settings.slow_ms * UINT64_C(1000) ? RECORDER_SLOW
								       : RECORDER_OTHER;
}

static void settle(struct recorder *r)
{
	struct trace_report report;
	struct ring_walk walk = {0};
	struct span record;

	while (ring_next(&r->waiting, &walk, &record)) {
		(void)ring_push(&r->rings[unpack(record, &report)], record);
		ring_pop(&r->waiting);
		walk = (struct ring_walk){0};
	}
}

void recorder_take(struct recorder *r, const struct trace_report *report)
{
	struct trace_report kept = *report;
	enum recorder_kind kind = kind_of(r, report);

	if (r->rings[kind].size_bytes == 0 || (report->refresh && kind == RECORDER_OTHER))
		return;
	if (r->settings.redact)
		kept.client = (struct endpoint){0};
	REQUIRE(report->steps.len <= LIMIT_TRACE_BYTES);
	uint8_t *bytes = (uint8_t *)r->buffer;
	struct span record = span_of(bytes, pack(&kept, kind, bytes));
	if (pthread_mutex_trylock(&r->lock) != 0) {
		(void)ring_push(&r->waiting, record);
		return;
	}
	settle(r);
	(void)ring_push(&r->rings[kind], record);
	pthread_mutex_unlock(&r->lock);
}

void recorder_settle(struct recorder *r)
{
	if (LIKELY(r->waiting.count == 0) || pthread_mutex_trylock(&r->lock) != 0)
		return;
	settle(r);
	pthread_mutex_unlock(&r->lock);
}

/* ---- others ---- */

void recorder_walk(struct recorder *r,
		   bool (*fn)(void *context, enum recorder_kind kind,
			      const struct trace_report *report),
		   void *context)
{
	struct trace_report report;
	struct span record;
	bool more = true;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; more && i < RECORDER_KIND_COUNT; i++) {
		struct ring_walk walk = {0};
		while (more && ring_next(&r->rings[i], &walk, &record)) {
			enum recorder_kind kind = unpack(record, &report);
			more = fn(context, kind, &report);
		}
	}
	pthread_mutex_unlock(&r->lock);
}
