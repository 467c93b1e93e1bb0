#include "console/console.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- sessions ---- */

static enum session_access access_of(const struct console *c, const struct control_peer *peer)
{
	if (peer->uid == 0 || peer->uid == geteuid())
		return SESSION_MAY_CHANGE;
	switch (c->readonly) {
	case CONFIG_READONLY_NONE:
		return peer->in_group ? SESSION_MAY_CHANGE : SESSION_MAY_NOTHING;
	case CONFIG_READONLY_GROUP:
		return peer->in_group ? SESSION_MAY_READ : SESSION_MAY_NOTHING;
	case CONFIG_READONLY_ALL:
		return peer->in_group ? SESSION_MAY_CHANGE : SESSION_MAY_READ;
	}
	return SESSION_MAY_NOTHING;
}

static void *open_session(void *context, const struct control_peer *peer)
{
	struct console *c = context;
	struct session *s;

	if (session_new(&c->service, access_of(c, peer), &s) != OK)
		return NULL;
	return s;
}

static void close_session(void *session)
{
	session_free(session);
}

/* What commands find in the cache is theirs until the call returns. */
static void take(void *session, struct now now, struct span bytes)
{
	session_take(session, now, bytes);
}

static void sent(void *session, struct now now, size_t len)
{
	session_sent(session, now, len);
}

static void tick(void *session, struct now now)
{
	session_tick(session, now);
}

static void wants(const void *session, struct control_wants *out)
{
	*out = (struct control_wants){.output = session_output(session),
				      .input = session_wants_input(session),
				      .ended = session_has_ended(session),
				      .wake_us = session_wake_us(session)};
}

/* ---- the socket ---- */

/* The directory of the default place is made by the service manager; by hand it may be missing. */
static void make_directory(const char *path)
{
	char directory[CONTROL_PATH_MAX + 1];
	size_t len = (size_t)(strrchr(path, '/') - path);

	memcpy(directory, path, len);
	directory[len] = '\0';
	if (len > 0)
		(void)mkdir(directory, 0755);
}

static void open_control(struct console *c, struct loop *loop, const struct config *config)
{
	struct control_settings settings = {
		.path = config->control_socket,
		.open_to_all = config->control_readonly == CONFIG_READONLY_ALL,
		.has_group = config->control_group != NULL,
		.group = config->control_gid,
		.open = open_session,
		.close = close_session,
		.take = take,
		.sent = sent,
		.tick = tick,
		.wants = wants,
		.context = c,
	};

	if (!settings.path)
		return;
	make_directory(settings.path);
	errno = 0;
	enum err err = control_listen(&c->control, loop, &settings);
	if (err != OK)
		log_warning("no control socket path=%s reason=\"%s\"", settings.path,
			    err == ERR_EXISTS ? "somebody else is there"
			    : errno	      ? strerrordesc_np(errno)
					      : err_text(err));
}

static void open_http(struct console *c, const struct console_parts *parts)
{
	const struct config *config = (*parts->snapshot)->config;
	struct http_settings settings = {
		.exposition = {.holdings = parts->holdings,
			       .cache = parts->shared->cache,
			       .ranges = parts->shared->ranges,
			       .disk = warm_disk(parts->shared->warm),
			       .allowances = parts->allowances,
			       .throttle = parts->throttle,
			       .strippers = parts->shared->strippers,
			       .families = infra_families(parts->shared->infra),
			       .workers = parts->workers,
			       .worker_count = *parts->worker_count,
			       .listen = parts->listen,
			       .started_unix_s = parts->loop->now.unix_s},
		.config = config,
		.monitor = parts->monitor,
	};

	if (config->metrics_listen_count + config->metrics_interface_count +
			    config->metrics_health_count >
		    0 &&
	    http_open(&settings, &c->http) != OK)
		log_error("metrics not served reason=\"%s\"", err_text(ERR_NO_MEMORY));
}

/* ---- forward zones ---- */

static enum err set_forwards(void *context, const struct forwards *fresh)
{
	struct console *c = context;
	struct forwards before = c->forwards;

	c->forwards = *fresh;
	enum err err = c->publish(c->server);
	if (err != OK)
		c->forwards = before;
	return err;
}

/* ---- the query log ---- */

static enum err set_queries(void *context, const struct query_filter *fresh)
{
	struct console *c = context;
	struct query_filter before = c->queries;
	bool was_set = c->queries_set;

	c->queries = *fresh;
	c->queries_set = true;
	enum err err = c->publish(c->server);
	if (err != OK) {
		c->queries = before;
		c->queries_set = was_set;
	}
	return err;
}

/* ---- negative anchors ---- */

static enum err set_negative(void *context, const uint8_t *name, uint32_t seconds)
{
	struct console *c = context;
	struct negative before = c->negative;
	uint64_t until_us = c->loop->now.mono_us + seconds * 1000000ULL;
	enum err err = OK;

	if (seconds > 0)
		err = negative_add(&c->negative, name, until_us);
	else if (!negative_remove(&c->negative, name))
		err = ERR_NOT_FOUND;
	if (err == OK)
		err = c->publish(c->server);
	if (err != OK)
		c->negative = before;
	return err;
}

static void expire_negative(struct console *c, struct now now)
{
	uint8_t name[DNAME_MAX];
	char text[DNAME_TEXT_MAX];

	while (negative_expire(&c->negative, now, name)) {
		log_notice("negative trust anchor ended name=%s", dname_text(name, text));
		if (c->publish(c->server) != OK) {
			/* It stays in the workers' settings; try again with the next tick. */
			(void)!negative_add(&c->negative, name, now.mono_us);
			return;
		}
		struct flushed flushed;
		commands_flush(&c->commands, name, 0, true, now, &flushed);
	}
}

/* ---- life ---- */

void console_open(struct console *c, const struct console_parts *parts)
{
	const struct config *config = (*parts->snapshot)->config;
	size_t verb_count;
	const struct verb *verbs = commands_table(&verb_count);

	c->commands = (struct commands){
		.holdings = parts->holdings,
		.cache = parts->shared->cache,
		.reader = parts->reader,
		.infra = parts->shared->infra,
		.ranges = parts->shared->ranges,
		.disk = warm_disk(parts->shared->warm),
		.allowances = parts->allowances,
		.throttle = parts->throttle,
		.strippers = parts->shared->strippers,
		.descriptors = parts->shared->descriptors,
		.share = parts->shared->share,
		.prefetch = parts->shared->prefetch,
		.workers = parts->workers,
		.worker_count = parts->worker_count,
		.snapshot = parts->snapshot,
		.listen = parts->listen,
		.negative = &c->negative,
		.flushes = &c->flushes,
		.forwards = &c->forwards,
		.rates = &c->rates,
		.feeds = &c->feeds,
		.path = parts->path,
		.started_us = parts->loop->now.mono_us,
		.restart = c->restart,
		.reload = parts->reload,
		.set_negative = set_negative,
		.reload_context = parts->server,
		.negative_context = c,
		.set_forwards = set_forwards,
		.forwards_context = c,
		.set_queries = set_queries,
		.queries_context = c,
	};
	c->service = (struct session_service){
		.vendor = "resolverd",
		.product = "resolverd",
		.version = RESOLVERD_VERSION,
		.url = "https://varlink.org",
		.verbs = verbs,
		.verb_count = verb_count,
		.context = &c->commands,
	};
	for (unsigned i = 0; i < *parts->worker_count; i++)
		c->feed_list[i] = worker_feed(parts->workers[i]);
	c->feeds = (struct feeds){.list = c->feed_list, .count = parts->worker_count};
	c->loop = parts->loop;
	c->publish = parts->publish;
	c->server = parts->server;
	c->readonly = config->control_readonly;
	open_control(c, parts->loop, config);
	open_http(c, parts);
	c->commands.http = c->http;
}

void console_close(struct console *c)
{
	control_close(&c->control);
	http_close(c->http);
	c->http = NULL;
}

void console_tick(struct console *c, struct now now)
{
	uint64_t totals[METRIC_COUNT] = {0};

	for (unsigned i = 0; i < *c->commands.worker_count; i++) {
		const struct metrics *m = worker_metrics(c->commands.workers[i]);
		for (size_t k = 0; k < METRIC_COUNT; k++)
			totals[k] += metrics_get(m, (enum metric)k);
	}
	rates_add(&c->rates, now, totals);
	http_tick(c->http);
	expire_negative(c, now);
}

static bool same_endpoints(const struct endpoint *a, size_t a_count, const struct endpoint *b,
			   size_t b_count)
{
	bool same = a_count == b_count;

	for (size_t i = 0; same && i < a_count; i++)
		same = endpoint_equal(&a[i], &b[i]);
	return same;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

void console_reload(struct console *c, const struct config *old, const struct config *fresh)
{
	c->commands.restart_count = 0;
	if (!same_text(old->control_socket, fresh->control_socket))
		console_needs_restart(c, "control.socket");
	if (!same_text(old->control_group, fresh->control_group))
		console_needs_restart(c, "control.group");
	if (!same_endpoints(old->metrics_listen, old->metrics_listen_count, fresh->metrics_listen,
			    fresh->metrics_listen_count) ||
	    old->metrics_interface_count != fresh->metrics_interface_count ||
	    memcmp(old->metrics_interfaces, fresh->metrics_interfaces,
		   sizeof(old->metrics_interfaces)) != 0)
		console_needs_restart(c, "metrics.listen");
	if (!same_endpoints(old->metrics_health, old->metrics_health_count, fresh->metrics_health,
			    fresh->metrics_health_count))
		console_needs_restart(c, "metrics.health");
}

void console_needs_restart(struct console *c, const char *key)
{
	REQUIRE(c->commands.restart_count < CONSOLE_RESTART_MAX);
	c->restart[c->commands.restart_count++] = key;
	log_warning("changed only by a restart key=%s", key);
}

void console_reloaded(struct console *c, const struct config *fresh)
{
	c->readonly = fresh->control_readonly;
	control_open_to_all(&c->control, c->readonly == CONFIG_READONLY_ALL);
}
