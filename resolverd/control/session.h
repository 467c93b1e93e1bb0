#pragma once
/*
 * One client of the control protocol (https://varlink.org): bytes in, verbs called, bytes back. No
 * sockets, no threads; whoever owns the connection moves the bytes.
 *
 *   session_take(s, now, bytes);          // what came; verbs are called from in here
 *   n = send(session_output(s));          // what is to be sent
 *   session_sent(s, now, n);
 *   session_tick(s, now);                 // at session_wake_us(s)
 *
 * Calls are answered one after the other, and the next is looked at only when the reply to the last
 * has been sent: a client that does not read is not worked for, and what one session holds is
 * bounded by one message in and one reply out. Each of the functions below calls one verb at most.
 * A verb with several replies (`more`) makes each only when the one before has gone.
 *
 * A verb's parameters are checked against the table before it is called, so that it finds what it
 * asked for. What is no call at all (bad JSON, no method) ends the session: there is no telling
 * where the next message begins.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/now.h"
#include "base/span.h"

enum {
	/* Bytes in: the longest calls there are, a name of 1 kB or a path of 4 kB, with room to
	 * spare. */
	SESSION_MESSAGE_MAX = 64 * 1024,
	SESSION_PARAMETERS_MAX = 8,
};

/* ---- what a service offers ---- */

struct call;

/* Answers the call by exactly one of call_reply(), call_error() and call_stream(). */
typedef void verb_fn(void *context, struct call *call);

enum verb_kind { VERB_STRING, VERB_INT, VERB_BOOL, VERB_STRINGS /* a list of them */ };

struct verb_parameter {
	const char *name;
	enum verb_kind kind;
	bool optional;
};

struct verb {
	const char *name; /* "CacheFlush" */
	verb_fn *fn;
	bool changes; /* only for sessions that may change something */
	struct verb_parameter parameters[SESSION_PARAMETERS_MAX]; /* ended by a name of NULL */
};

struct session_service { /* outlives its sessions */
	const char *vendor, *product, *version, *url;
	const struct verb *verbs; /* of the interface INTERFACE_NAME */
	size_t verb_count;
	void *context; /* of the verbs */
};

/* ---- a call, while its verb runs ---- */

/* The value of a parameter of the verb's table. Borrowed; NULL, ABSENT or false if not given. */
const char *call_string(const struct call *call, const char *name);
int64_t call_int(const struct call *call, const char *name, int64_t absent);
bool call_bool(const struct call *call, const char *name);
/* It was given, and not as null. */
bool call_has(const struct call *call, const char *name);
/* Of a list: how many there are, 0 if it was not given; and each of them. */
size_t call_count(const struct call *call, const char *name);
const char *call_item(const struct call *call, const char *name, size_t i);
/* The client takes several replies. */
bool call_wants_more(const struct call *call);
struct now call_now(const struct call *call);

/* The one reply. PARAMETERS, an object, is taken over; NULL means that memory is out. */
void call_reply(struct call *call, json_t *parameters);
/* An error of our interface, as "NotFound", with PARAMETERS as above. */
void call_error(struct call *call, const char *error, json_t *parameters);
/* org.varlink.service.InvalidParameter. */
void call_invalid(struct call *call, const char *parameter);
/* org.varlink.service.ExpectedMore: the verb makes sense only with several replies. */
void call_expects_more(struct call *call);

/* Several replies, if the client takes them, made one at a time. */
enum pull {
	PULL_MORE, /* *OUT is a reply and there are more (*OUT as for call_reply()) */
	PULL_LAST, /* *OUT is the last one */
	PULL_WAIT, /* none yet: ask again at *WAKE_US of now.mono_us */
};
struct call_stream {
	enum pull (*pull)(void *state, struct now now, json_t **out, uint64_t *wake_us);
	void (*free)(void *state);
	void *state;
};
/* STREAM's state is taken over. Unless the client takes more (call_wants_more()) it makes one reply,
 * PULL_LAST, which may come later. */
void call_stream(struct call *call, const struct call_stream *stream);

/* ---- the session ---- */

enum session_access { SESSION_MAY_NOTHING, SESSION_MAY_READ, SESSION_MAY_CHANGE };

struct session;

MUST_USE enum err session_new(const struct session_service *service, enum session_access access,
			      struct session **out);
void session_free(struct session *s); /* NULL is fine */

/* BYTES came. Give none while session_wants_input() is false. */
void session_take(struct session *s, struct now now, struct span bytes);
/* What is to be sent, borrowed until the next call; and LEN bytes of it that were. */
struct span session_output(const struct session *s);
void session_sent(struct session *s, struct now now, size_t len);

/* When session_tick() wants to be called, in now.mono_us; UINT64_MAX: not. */
uint64_t session_wake_us(const struct session *s);
void session_tick(struct session *s, struct now now);

bool session_wants_input(const struct session *s);
/* A call is being answered. */
bool session_is_busy(const struct session *s);
/* Nothing more will come: close the connection once the output has been sent. */
bool session_has_ended(const struct session *s);
