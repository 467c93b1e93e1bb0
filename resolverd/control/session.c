#include "control/session.h"

#include <stdlib.h>

#include "control/frame.h"
#include "control/interface.h"

struct call { /* while its verb runs */
	struct session *session;
	const json_t *parameters; /* an object */
	struct now now;
	bool more;
	bool answered;
};

struct session { /* one thread */
	const struct session_service *service;
	enum session_access access;
	struct frame_buffer in;
	char *out; /* one reply with its NUL, as json_dumps() made it */
	size_t out_len, out_sent;
	struct call_stream stream;
	uint64_t wake_us; /* of the stream; 0: at once */
	bool streaming;
	bool more;   /* several replies are wanted of it */
	bool oneway; /* of the present call: no reply is wanted */
	bool ended;
};

/* ---- replies ---- */

/* Take MESSAGE over as the output; NULL, or no memory for its text, ends the session. */
static void put(struct session *s, json_t *message)
{
	REQUIRE(!s->out);
	if (message && !s->oneway)
		s->out = json_dumps(message, JSON_COMPACT);
	if (s->out)
		s->out_len = strlen(s->out) + 1;
	else if (!s->oneway)
		s->ended = true;
	s->out_sent = 0;
	json_decref(message);
}

static void put_reply(struct session *s, json_t *parameters, bool continues)
{
	json_t *message = parameters ? json_pack("{s:o}", "parameters", parameters) : NULL;

	if (message && continues && json_object_set_new(message, "continues", json_true()) != 0) {
		json_decref(message);
		message = NULL;
	}
	put(s, message);
}

static void put_error(struct session *s, const char *interface, const char *name,
		      json_t *parameters)
{
	json_t *error = json_sprintf("%s.%s", interface, name);

	if (error && parameters) {
		put(s, json_pack("{s:o, s:o}", "error", error, "parameters", parameters));
		return;
	}
	json_decref(error);
	json_decref(parameters);
	put(s, NULL);
}

/* An error of org.varlink.service whose one parameter KEY is VALUE. */
static void put_service_error(struct session *s, const char *name, const char *key,
			      const char *value)
{
	json_t *parameters = key ? json_pack("{s:s}", key, value) : json_object();

	put_error(s, INTERFACE_SERVICE_NAME, name, parameters);
}

/* ---- what a verb may do ---- */

const char *call_string(const struct call *call, const char *name)
{
	return json_string_value(json_object_get(call->parameters, name));
}

int64_t call_int(const struct call *call, const char *name, int64_t absent)
{
	const json_t *value = json_object_get(call->parameters, name);

	return json_is_integer(value) ? json_integer_value(value) : absent;
}

bool call_bool(const struct call *call, const char *name)
{
	return json_is_true(json_object_get(call->parameters, name));
}

bool call_has(const struct call *call, const char *name)
{
	const json_t *value = json_object_get(call->parameters, name);

	return value && !json_is_null(value);
}

size_t call_count(const struct call *call, const char *name)
{
	return json_array_size(json_object_get(call->parameters, name));
}

const char *call_item(const struct call *call, const char *name, size_t i)
{
	return json_string_value(json_array_get(json_object_get(call->parameters, name), i));
}

bool call_wants_more(const struct call *call)
{
	return call->more;
}

struct now call_now(const struct call *call)
{
	return call->now;
}

static void answer_once(struct call *call)
{
	REQUIRE(!call->answered);
	call->answered = true;
}

void call_reply(struct call *call, json_t *parameters)
{
	answer_once(call);
	put_reply(call->session, parameters, false);
}

void call_error(struct call *call, const char *error, json_t *parameters)
{
	answer_once(call);
	put_error(call->session, INTERFACE_NAME, error, parameters);
}

void call_invalid(struct call *call, const char *parameter)
{
	answer_once(call);
	put_service_error(call->session, "InvalidParameter", "parameter", parameter);
}

void call_expects_more(struct call *call)
{
	answer_once(call);
	put_service_error(call->session, "ExpectedMore", NULL, NULL);
}

void call_stream(struct call *call, const struct call_stream *stream)
{
	struct session *s = call->session;

	answer_once(call);
	s->stream = *stream;
	s->streaming = true;
	s->more = call->more;
	s->wake_us = 0;
}

/* ---- calls ---- */

static bool is_list_of_strings(const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!json_is_string(json_array_get(value, i)))
			return false;
	return json_is_array(value);
}

static bool has_kind(const json_t *value, enum verb_kind kind)
{
	switch (kind) {
	case VERB_STRING:
		return json_is_string(value);
	case VERB_INT:
		return json_is_integer(value);
	case VERB_BOOL:
		return json_is_boolean(value);
	case VERB_STRINGS:
		return is_list_of_strings(value);
	}
	return false;
}

static const struct verb_parameter *find_parameter(const struct verb *verb, const char *name)
{
	for (size_t i = 0; i < SESSION_PARAMETERS_MAX && verb->parameters[i].name; i++)
		if (strcmp(verb->parameters[i].name, name) == 0)
			return &verb->parameters[i];
	return NULL;
}

/* The name of a parameter that is missing, unknown or of the wrong kind; NULL if all is well. An
 * optional one may be given as null. */
static const char *wrong_parameter(const struct verb *verb, const json_t *parameters)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)parameters, name, value)
	{
		const struct verb_parameter *p = find_parameter(verb, name);
		if (!p || (!has_kind(value, p->kind) && !(p->optional && json_is_null(value))))
			return name;
	}
	for (size_t i = 0; i < SESSION_PARAMETERS_MAX && verb->parameters[i].name; i++) {
		const struct verb_parameter *p = &verb->parameters[i];
		if (!p->optional && !json_object_get(parameters, p->name))
			return p->name;
	}
	return NULL;
}

static void call_verb(struct session *s, const char *method, const char *name, struct call *call)
{
	const struct session_service *service = s->service;
	const struct verb *verb = NULL;

	for (size_t i = 0; i < service->verb_count && !verb; i++)
		if (strcmp(service->verbs[i].name, name) == 0)
			verb = &service->verbs[i];
	if (!verb) {
		put_service_error(s, "MethodNotFound", "method", method);
		return;
	}
	if (s->access < (verb->changes ? SESSION_MAY_CHANGE : SESSION_MAY_READ)) {
		put_service_error(s, "PermissionDenied", NULL, NULL);
		return;
	}
	const char *wrong = wrong_parameter(verb, call->parameters);
	if (wrong) {
		put_service_error(s, "InvalidParameter", "parameter", wrong);
		return;
	}
	verb->fn(service->context, call);
	REQUIRE(call->answered);
}

/* org.varlink.service. */
static void call_service(struct session *s, const char *method, const char *name,
			 const struct call *call)
{
	const struct session_service *service = s->service;
	const char *wanted = call_string(call, "interface");

	if (strcmp(name, "GetInfo") == 0) {
		put_reply(s,
			  json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", service->vendor,
				    "product", service->product, "version", service->version, "url",
				    service->url, "interfaces", INTERFACE_SERVICE_NAME,
				    INTERFACE_NAME),
			  false);
	} else if (strcmp(name, "GetInterfaceDescription") != 0) {
		put_service_error(s, "MethodNotFound", "method", method);
	} else if (!wanted) {
		put_service_error(s, "InvalidParameter", "parameter", "interface");
	} else if (strcmp(wanted, INTERFACE_NAME) == 0) {
		put_reply(s, json_pack("{s:s}", "description", interface_text), false);
	} else if (strcmp(wanted, INTERFACE_SERVICE_NAME) == 0) {
		put_reply(s, json_pack("{s:s}", "description", interface_service_text), false);
	} else {
		put_service_error(s, "InterfaceNotFound", "interface", wanted);
	}
}

/* METHOD is "INTERFACE.VERB". */
static void call_method(struct session *s, const char *method, struct call *call)
{
	const char *dot = strrchr(method, '.');
	size_t len = dot ? (size_t)(dot - method) : 0;
	struct span interface = span_of(method, len);

	if (span_equal(interface, span_of(INTERFACE_NAME, strlen(INTERFACE_NAME)))) {
		call_verb(s, method, dot + 1, call);
	} else if (span_equal(interface,
			      span_of(INTERFACE_SERVICE_NAME, strlen(INTERFACE_SERVICE_NAME)))) {
		call_service(s, method, dot + 1, call);
	} else {
		json_t *name = json_stringn(method, dot ? len : strlen(method));
		put_error(s, INTERFACE_SERVICE_NAME, "InterfaceNotFound",
			  name ? json_pack("{s:o}", "interface", name) : NULL);
	}
}

/* A key that is true, false or not there at all; anything else is not understood. */
static bool read_flag(const json_t *message, const char *key, bool *out)
{
	const json_t *value = json_object_get(message, key);

	*out = json_is_true(value);
	return !value || json_is_boolean(value);
}

static void call_message(struct session *s, struct now now, struct span text)
{
	json_error_t error;
	json_t *message =
		json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, &error);
	const char *method = json_string_value(json_object_get(message, "method"));
	json_t *given = json_object_get(message, "parameters");
	json_t *nothing = given && !json_is_null(given) ? NULL : json_object();
	struct call call = {.session = s, .parameters = nothing ? nothing : given, .now = now};
	bool upgrade;

	if (method && json_is_object(call.parameters) && read_flag(message, "more", &call.more) &&
	    read_flag(message, "oneway", &s->oneway) && read_flag(message, "upgrade", &upgrade))
		call_method(s, method, &call);
	else
		s->ended = true;
	json_decref(nothing);
	json_decref(message);
}

/* ---- going on ---- */

static void end_stream(struct session *s)
{
	if (s->streaming && s->stream.free)
		s->stream.free(s->stream.state);
	s->streaming = false;
}

static void pull_reply(struct session *s, struct now now)
{
	json_t *reply = NULL;
	enum pull pull = s->stream.pull(s->stream.state, now, &reply, &s->wake_us);

	switch (pull) {
	case PULL_MORE:
		REQUIRE(s->more);
		s->wake_us = 0;
		put_reply(s, reply, true);
		break;
	case PULL_LAST:
		end_stream(s);
		put_reply(s, reply, false);
		break;
	case PULL_WAIT:
		REQUIRE(s->wake_us > now.mono_us);
		break;
	}
	if (s->ended)
		end_stream(s);
}

/* Answer one call or make one reply, if there is no output to be sent first. Only one: what is left
 * waits for the next turn of the loop, so that nobody keeps others waiting by sending much. */
static void go_on(struct session *s, struct now now)
{
	struct span message;

	if (s->out || s->ended)
		return;
	if (s->streaming) {
		if (s->wake_us <= now.mono_us)
			pull_reply(s, now);
	} else if (frame_next(&s->in, &message)) {
		call_message(s, now, message);
	}
}

/* ---- the session ---- */

enum err session_new(const struct session_service *service, enum session_access access,
		     struct session **out)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NO_MEMORY;
	s->service = service;
	s->access = access;
	*out = s;
	return OK;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	end_stream(s);
	frame_deinit(&s->in);
	free(s->out);
	free(s);
}

void session_take(struct session *s, struct now now, struct span bytes)
{
	if (s->ended)
		return;
	if (frame_push(&s->in, bytes, SESSION_MESSAGE_MAX) != OK) {
		s->ended = true;
		end_stream(s);
		return;
	}
	go_on(s, now);
}

struct span session_output(const struct session *s)
{
	return s->out ? span_of(s->out + s->out_sent, s->out_len - s->out_sent) : (struct span){0};
}

void session_sent(struct session *s, struct now now, size_t len)
{
	REQUIRE(len <= s->out_len - s->out_sent);
	s->out_sent += len;
	if (!s->out || s->out_sent < s->out_len)
		return;
	free(s->out);
	s->out = NULL;
	go_on(s, now);
}

uint64_t session_wake_us(const struct session *s)
{
	if (s->out || s->ended)
		return UINT64_MAX;
	if (s->streaming)
		return s->wake_us;
	return frame_is_ready(&s->in) ? 0 : UINT64_MAX;
}

void session_tick(struct session *s, struct now now)
{
	go_on(s, now);
}

bool session_wants_input(const struct session *s)
{
	return !s->out && !s->streaming && !s->ended && !frame_is_ready(&s->in);
}

bool session_is_busy(const struct session *s)
{
	return s->out || s->streaming;
}

bool session_has_ended(const struct session *s)
{
	return s->ended;
}
