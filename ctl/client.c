#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/frame.h"
#include "control/interface.h"
#include "ctl.h"

enum {
	READ_BYTES = 64 * 1024,
	/* The longest reply: 128 entries of a cache with all their records as text. */
	REPLY_MAX = 256 * 1024 * 1024,
	PATIENCE_S = 60, /* the longest that a verb takes, a flush of a full cache, is far below */
};

/* ---- the connection ---- */

static void tell_connect_failure(const char *path)
{
	switch (errno) {
	case ENOENT:
		fprintf(stderr,
			"resolverctl: no socket %s: is resolverd running? (--socket names another "
			"place)\n",
			path);
		break;
	case ECONNREFUSED:
		fprintf(stderr, "resolverctl: nobody listens at %s: resolverd is not running\n",
			path);
		break;
	case EACCES:
		fprintf(stderr,
			"resolverctl: access to %s denied: it is for root and members of its "
			"group\n",
			path);
		break;
	default:
		fprintf(stderr, "resolverctl: cannot connect to %s: %s\n", path,
			strerrordesc_np(errno));
		break;
	}
}

/* The descriptor, or -1 with what went wrong told and its status in *STATUS. */
static int connect_to(const char *path, int64_t interval_ms, int *status)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S + interval_ms / 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*status = CTL_UNAVAILABLE;
	if (strlen(path) >= sizeof(address.sun_path)) {
		fprintf(stderr, "resolverctl: %s is too long for a socket's path\n", path);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	*status = errno == EACCES ? CTL_DENIED : CTL_UNAVAILABLE;
	tell_connect_failure(path);
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* ---- errors of the daemon ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int tell_error(const char *verb, const char *error, const json_t *parameters)
{
	const char *name = strrchr(error, '.');

	name = name ? name + 1 : error;
	if (strcmp(name, "PermissionDenied") == 0) {
		fprintf(stderr,
			"resolverctl: access denied: %s is for root and the daemon's group\n",
			verb);
		return CTL_DENIED;
	}
	if (strcmp(name, "InvalidParameter") == 0) {
		fprintf(stderr, "resolverctl: not a valid %s\n", text_of(parameters, "parameter"));
		return CTL_USAGE;
	}
	if (strcmp(name, "NotFound") == 0)
		fprintf(stderr, "resolverctl: not found: %s\n", text_of(parameters, "what"));
	else if (strcmp(name, "MethodNotFound") == 0)
		fprintf(stderr, "resolverctl: the daemon does not know %s: is it older?\n", verb);
	else
		fprintf(stderr, "resolverctl: %s\n",
			*text_of(parameters, "reason") ? text_of(parameters, "reason") : error);
	return CTL_FAILED;
}

/* ---- a call ---- */

struct conversation {
	int fd;
	const char *verb;
	reply_fn *fn;
	void *context;
	struct frame_buffer in;
};

enum { GO_ON = -1 };

/* GO_ON, or the status to end with. */
static int take_message(struct conversation *c, struct span text)
{
	json_t *message = json_loadb((const char *)text.at, text.len, 0, NULL);
	json_t *parameters = json_object_get(message, "parameters");
	const char *error = json_string_value(json_object_get(message, "error"));
	int status = GO_ON;

	if (error) {
		status = tell_error(c->verb, error, parameters);
	} else if (!json_is_object(parameters)) {
		fputs("resolverctl: what the daemon said is no reply\n", stderr);
		status = CTL_PROTOCOL;
	} else if (!c->fn(c->context, parameters) ||
		   !json_is_true(json_object_get(message, "continues"))) {
		status = EXIT_SUCCESS;
	}
	json_decref(message);
	return status;
}

static int tell_lost(ssize_t n)
{
	if (n == 0)
		fputs("resolverctl: the daemon closed the connection\n", stderr);
	else
		fprintf(stderr, "resolverctl: no answer from the daemon: %s\n",
			errno == EAGAIN ? "it takes too long" : strerrordesc_np(errno));
	return CTL_UNAVAILABLE;
}

static int converse(struct conversation *c)
{
	static uint8_t bytes[READ_BYTES];
	struct span message;

	for (;;) {
		while (frame_next(&c->in, &message)) {
			int status = take_message(c, message);
			if (status != GO_ON)
				return status;
		}
		ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
		if (n < 0 && errno == EINTR && live_interrupted())
			return EXIT_SUCCESS;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return tell_lost(n);
		if (frame_push(&c->in, span_of(bytes, (size_t)n), REPLY_MAX) != OK) {
			fputs("resolverctl: the reply is too long\n", stderr);
			return CTL_PROTOCOL;
		}
	}
}

int client_call(const struct invocation *in, const char *verb, json_t *parameters, bool more,
		reply_fn *fn, void *context)
{
	json_t *call =
		json_pack("{s:o, s:o, s:b}", "method", json_sprintf("%s.%s", INTERFACE_NAME, verb),
			  "parameters", parameters, "more", more);
	char *text = call ? json_dumps(call, JSON_COMPACT) : NULL;
	int status;

	if (!text)
		die_no_memory();
	json_decref(call);
	struct conversation c = {.verb = verb, .fn = fn, .context = context};
	c.fd = connect_to(in->socket, in->interval_ms, &status);
	if (c.fd >= 0) {
		status = send_all(c.fd, text, strlen(text) + 1) ? converse(&c) : tell_lost(-1);
		close(c.fd);
	}
	frame_deinit(&c.in);
	free(text);
	return status;
}
