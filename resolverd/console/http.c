#include "console/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <net/if.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "console/doubts.h"
#include "console/http_slots.h"
#include "machine/selfcheck.h"
#include "net/loop.h"
#include "net/socket.h"

enum {
	CONNECTION_MEMORY = 16 * 1024,
	IDLE_S = HTTP_REQUEST_MS / 1000,
	STATUS_OK = MHD_HTTP_OK,
	STATUS_UNAVAILABLE = MHD_HTTP_SERVICE_UNAVAILABLE,
};

struct http_door { /* what the library's thread holds while an address is served */
	struct http *http;
	bool only_health;
	struct http_slots slots;
};

struct http_place {
	struct endpoint local;
	bool only_health;
	struct MHD_Daemon *daemon; /* NULL: not served */
	struct http_door *door;	   /* the same */
	int error;		   /* why not */
	bool given_up;		   /* not for want of the address */
	bool of_interface;	   /* gone when the interface has it no more */
};

struct http { /* made, changed and freed by the main thread */
	struct http_settings settings;
	pthread_mutex_t lock; /* who writes what is below; other threads read it with the lock */
	size_t count;
	uint64_t refused; /* connections, at doors that were closed */
	struct http_place places[HTTP_PLACES_MAX];
	struct config_interface interfaces[CONFIG_METRICS_MAX];
	uint32_t numbers[CONFIG_METRICS_MAX]; /* of the interfaces; 0: it is not there */
	size_t interface_count;
};

/* ---- /healthz ---- */

/* Name the workers that stand still. */
static unsigned write_standstills(const struct http *h, FILE *out)
{
	const struct exposition *e = &h->settings.exposition;
	uint64_t mono_us = loop_epoch_read().mono_us;
	unsigned status = STATUS_OK;

	for (unsigned i = 0; i < e->worker_count; i++) {
		struct worker_figures f;
		if (worker_is_turning(e->workers[i], mono_us))
			continue;
		worker_read_figures(e->workers[i], &f);
		fprintf(out, "worker %u has stood still for %llu s\n", i,
			(unsigned long long)((mono_us - f.passed_us) / 1000000));
		status = STATUS_UNAVAILABLE;
	}
	return status;
}

static unsigned write_health(struct http *h, FILE *out)
{
	unsigned status = write_standstills(h, out);

	if (status == STATUS_OK)
		fputs("ok\n", out);
	return status;
}

/* ---- /readyz ---- */

static void write_doubt(void *context, const char *text)
{
	fprintf(context, "degraded: %s\n", text);
}

static unsigned write_readiness(struct http *h, FILE *out)
{
	static const char *const transports[] = {"UDP", "TCP"};
	const struct exposition *e = &h->settings.exposition;
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint address;
	unsigned status = write_standstills(h, out);
	bool is_served = listen_probe(e->listen, &address);

	if (!is_served) {
		fputs("there is no address to listen at\n", out);
		status = STATUS_UNAVAILABLE;
	}
	for (int tcp = 0; is_served && tcp < 2; tcp++) {
		if (selfcheck(&address, tcp))
			continue;
		fprintf(out, "no answer over %s from %s\n", transports[tcp],
			endpoint_text(&address, text));
		status = STATUS_UNAVAILABLE;
	}
	if (status == STATUS_OK)
		fputs("ok\n", out);
	const struct doubts doubts = {e->disk,	     e->workers,  e->worker_count,
				      e->allowances, e->throttle, e->strippers,
				      e->listen,     h,		  e->families};
	doubts_read(&doubts, write_doubt, out);
	return status;
}

/* ---- requests ---- */

static unsigned write_metrics(struct http *h, FILE *out)
{
	exposition_write(&h->settings.exposition, loop_epoch_read().mono_us, out);
	return STATUS_OK;
}

static unsigned write_index(struct http *h, FILE *out)
{
	(void)h;
	fputs("resolverd " RESOLVERD_VERSION ": /metrics /healthz /readyz\n", out);
	return STATUS_OK;
}

static const struct page {
	bool is_health;
	const char *path, *content_type;
	unsigned (*write)(struct http *h, FILE *out);
} pages[] = {
	{false, "/metrics", "text/plain; version=0.0.4; charset=utf-8", write_metrics},
	{true, "/healthz", "text/plain; charset=utf-8", write_health},
	{true, "/readyz", "text/plain; charset=utf-8", write_readiness},
	{false, "/", "text/plain; charset=utf-8", write_index},
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
			      const char *content_type, struct MHD_Response *response)
{
	if (!response)
		return MHD_NO; /* closes the connection */
	enum MHD_Result result =
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	if (result == MHD_YES)
		result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (result == MHD_YES)
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
	/* Persistent: the library copies nothing and frees nothing of a static text. */
	return answer(connection, status, "text/plain; charset=utf-8",
		      MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
						      MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result show(struct http *h, struct MHD_Connection *connection,
			    const struct page *page)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return MHD_NO;
	unsigned status = page->write(h, out);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return MHD_NO;
	}
	return answer(connection, status, page->content_type,
		      MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE));
}

/* As the library wants it. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_len, void **request)
{
	static char begun; /* its address only */
	const struct http_door *door = context;

	(void)version;
	(void)upload;
	/* The first call is for the headers alone; a body is not wanted and not kept. */
	if (!*request) {
		*request = &begun;
		return MHD_YES;
	}
	*upload_len = 0;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (strcmp(url, pages[i].path) == 0 && (pages[i].is_health || !door->only_health))
			return show(door->http, connection, &pages[i]);
	return refuse(connection, MHD_HTTP_NOT_FOUND,
		      door->only_health ? "there are /healthz /readyz\n"
					: "there are /metrics /healthz /readyz\n");
}

/* ---- connections ---- */

static enum MHD_Result admit(void *context, const struct sockaddr *address, socklen_t len)
{
	struct http_door *door = context;
	struct endpoint client = endpoint_from_sockaddr(address);

	(void)len;
	return http_slots_admit(&door->slots, &client) ? MHD_YES : MHD_NO;
}

static void notice(void *context, struct MHD_Connection *connection, void **slot,
		   enum MHD_ConnectionNotificationCode code)
{
	struct http_door *door = context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		http_slots_leave(&door->slots, *slot);
		return;
	}
	/* Each is read before the next is asked for: one place holds them since version 1.0. */
	const union MHD_ConnectionInfo *said =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	int fd = said ? said->connect_fd : -1;
	said = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (!said)
		return;
	struct endpoint client = endpoint_from_sockaddr(said->client_addr);
	*slot = http_slots_take(&door->slots, fd, &client, loop_epoch_read().mono_us);
}

static struct http_door *open_door(struct http *h, bool only_health)
{
	struct http_door *door = calloc(1, sizeof(*door));

	if (!door || http_slots_init(&door->slots) != OK) {
		free(door);
		return NULL;
	}
	door->http = h;
	door->only_health = only_health;
	return door;
}

/* The library's thread is gone. NULL is fine. */
static void close_door(struct http_door *door)
{
	if (!door)
		return;
	http_slots_deinit(&door->slots);
	free(door);
}

/* ---- places ---- */

static void hear(void *context, const char *format, va_list arguments)
{
	(void)context;
	(void)format;
	(void)arguments; /* about clients that hang up: none of the operator's business */
}

/* Serve P, which has a door, by FD, which is taken over; NULL if there is no room for a thread. */
static struct MHD_Daemon *start(const struct http_place *p, int fd)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG;

	if (p->local.family == 6)
		flags |= MHD_USE_IPv6;
	return MHD_start_daemon(
		flags, p->local.port, admit, p->door, handle, p->door, MHD_OPTION_EXTERNAL_LOGGER,
		hear, NULL, MHD_OPTION_NOTIFY_CONNECTION, notice, p->door, MHD_OPTION_LISTEN_SOCKET,
		fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_SLOTS_ALL + 1,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_END);
}

static void tell_failure(const struct http_place *p)
{
	char text[ENDPOINT_TEXT_SIZE];

	log_error("metrics not served address=%s reason=\"%s\"", endpoint_text(&p->local, text),
		  strerrordesc_np(p->error));
}

static void tell_served(const struct http_place *p, bool starting)
{
	char text[ENDPOINT_TEXT_SIZE];

	endpoint_text(&p->local, text);
	if (!socket_is_here(&p->local))
		log_warning(
			"metrics address is not there address=%s: it is served as soon as it is",
			text);
	else if (!starting)
		log_notice("metrics served address=%s", text);
}

/* A failure is told when it is a new one. */
static void try_place(struct http *h, struct http_place *p, bool starting)
{
	struct http_place now = *p;
	int fd = socket_listening(&p->local);

	now.error = fd >= 0 ? 0 : errno;
	if (fd >= 0)
		now.door = open_door(h, p->only_health);
	if (now.door)
		now.daemon = start(&now, fd);
	if (fd >= 0 && !now.daemon) {
		close_door(now.door);
		now.door = NULL;
		/* Whether the library has closed FD it does not say: it is left to it. */
		now.error = ENOMEM;
		now.given_up = true;
	}
	if (now.daemon)
		tell_served(&now, starting);
	else if (now.error != p->error)
		tell_failure(&now);
	pthread_mutex_lock(&h->lock);
	*p = now;
	pthread_mutex_unlock(&h->lock);
}

/* ---- addresses of interfaces ---- */

struct wanted { /* by interfaces, now */
	const struct http *http;
	struct endpoint list[HTTP_PLACES_MAX];
	size_t count;
};

static void begin_wanted(void *context)
{
	struct wanted *w = context;

	w->count = 0;
}

static void want_address(void *context, const struct monitor_address *a)
{
	struct wanted *w = context;
	const struct http *h = w->http;

	for (size_t i = 0; a->usable && i < h->interface_count; i++) {
		struct endpoint local = a->address;
		local.port = h->interfaces[i].port;
		if (h->numbers[i] == a->interface && w->count < HTTP_PLACES_MAX)
			w->list[w->count++] = local;
	}
}

static bool is_wanted(const struct wanted *w, const struct endpoint *local)
{
	for (size_t i = 0; i < w->count; i++)
		if (endpoint_equal(&w->list[i], local))
			return true;
	return false;
}

/* LOCAL has a place, or is within one of a wildcard. */
static bool has_place(const struct http *h, const struct endpoint *local)
{
	struct endpoint wildcard = {.family = local->family, .port = local->port};

	for (size_t i = 0; i < h->count; i++)
		if (endpoint_equal(&h->places[i].local, local) ||
		    endpoint_equal(&h->places[i].local, &wildcard))
			return true;
	return false;
}

static void drop_place(struct http *h, size_t i)
{
	struct http_place gone = h->places[i];
	char text[ENDPOINT_TEXT_SIZE];

	pthread_mutex_lock(&h->lock);
	h->places[i] = h->places[--h->count];
	h->refused += gone.door ? http_slots_refused(&gone.door->slots) : 0;
	pthread_mutex_unlock(&h->lock);
	if (gone.daemon) {
		MHD_stop_daemon(gone.daemon);
		close_door(gone.door);
		log_notice("metrics not served any more address=%s",
			   endpoint_text(&gone.local, text));
	}
}

static void follow_interfaces(struct http *h)
{
	struct wanted w = {.http = h};

	for (size_t i = 0; i < h->interface_count; i++) {
		uint32_t number = if_nametoindex(h->interfaces[i].name);
		pthread_mutex_lock(&h->lock);
		h->numbers[i] = number;
		pthread_mutex_unlock(&h->lock);
	}
	if (h->interface_count == 0 ||
	    monitor_addresses(h->settings.monitor, begin_wanted, want_address, &w) != OK)
		return; /* what is not known for sure ends nothing */
	for (size_t i = h->count; i-- > 0;)
		if (h->places[i].of_interface && !is_wanted(&w, &h->places[i].local))
			drop_place(h, i);
	for (size_t i = 0; i < w.count && h->count < HTTP_PLACES_MAX; i++) {
		if (has_place(h, &w.list[i]))
			continue;
		pthread_mutex_lock(&h->lock);
		h->places[h->count++] =
			(struct http_place){.local = w.list[i], .of_interface = true};
		pthread_mutex_unlock(&h->lock);
	}
}

static void follow(struct http *h, bool starting)
{
	follow_interfaces(h);
	for (size_t i = 0; i < h->count; i++) {
		if (!h->places[i].daemon && !h->places[i].given_up)
			try_place(h, &h->places[i], starting);
		if (h->places[i].door)
			http_slots_expire(&h->places[i].door->slots, loop_epoch_read().mono_us);
	}
}

/* ---- life ---- */

enum err http_open(const struct http_settings *settings, struct http **out)
{
	const struct config *c = settings->config;
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return ERR_NO_MEMORY;
	h->settings = *settings;
	h->settings.config = NULL;
	h->settings.exposition.http = h;
	REQUIRE(pthread_mutex_init(&h->lock, NULL) == 0);
	for (size_t i = 0; i < c->metrics_listen_count; i++)
		h->places[h->count++].local = c->metrics_listen[i];
	for (size_t i = 0; i < c->metrics_health_count; i++)
		h->places[h->count++] =
			(struct http_place){.local = c->metrics_health[i], .only_health = true};
	memcpy(h->interfaces, c->metrics_interfaces, sizeof(h->interfaces));
	h->interface_count = c->metrics_interface_count;
	follow(h, true);
	*out = h;
	return OK;
}

void http_tick(struct http *h)
{
	if (h)
		follow(h, false);
}

uint64_t http_refused(struct http *h)
{
	uint64_t refused;

	if (!h)
		return 0;
	pthread_mutex_lock(&h->lock);
	refused = h->refused;
	for (size_t i = 0; i < h->count; i++)
		if (h->places[i].door)
			refused += http_slots_refused(&h->places[i].door->slots);
	pthread_mutex_unlock(&h->lock);
	return refused;
}

void http_doubts(struct http *h, void (*tell)(void *context, const char *text), void *context)
{
	char line[256], text[ENDPOINT_TEXT_SIZE];

	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->count; i++) {
		const struct http_place *p = &h->places[i];
		endpoint_text(&p->local, text);
		if (!p->daemon)
			(void)snprintf(line, sizeof(line), "metrics: %s is not served: %s", text,
				       strerrordesc_np(p->error));
		else if (!socket_is_here(&p->local))
			(void)snprintf(line, sizeof(line),
				       "metrics: %s is not an address of this machine (yet)", text);
		else
			continue;
		tell(context, line);
	}
	for (size_t i = 0; i < h->interface_count; i++) {
		if (h->numbers[i])
			continue;
		(void)snprintf(line, sizeof(line),
			       "metrics: there is no interface %s to listen at (yet)",
			       h->interfaces[i].name);
		tell(context, line);
	}
	pthread_mutex_unlock(&h->lock);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->count; i++) {
		if (h->places[i].daemon)
			MHD_stop_daemon(h->places[i].daemon);
		close_door(h->places[i].door);
	}
	pthread_mutex_destroy(&h->lock);
	free(h);
}
