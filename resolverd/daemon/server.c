#include "daemon/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "anchors/anchors.h"
#include "anchors/scopes.h"
#include "console/console.h"
#include "machine/allowances.h"
#include "machine/holdings.h"
#include "machine/listen.h"
#include "machine/network.h"
#include "machine/node_local.h"
#include "machine/sandbox.h"
#include "machine/selfcheck.h"
#include "machine/service.h"
#include "machine/signals.h"
#include "net/socket.h"
#include "worker/worker.h"

enum {
	/* Addresses beyond those of the configuration that may come to be listened at: of a reload, and
	 * of an interface. */
	ADDRESSES_SPARE = 4,
	ADDRESSES_PER_INTERFACE = 8,
	/* Of the memory that is configured, the part for validated denials. */
	RANGES_DIVISOR = 16,
	LOG_TICK_MS = 1000,
	/* At the end, for who waits already: most answers are there by then, and all who ask
	 * meanwhile wait as well. */
	DRAIN_MAX_MS = 300,
	DRAIN_TICK_MS = 5,
	/* The kernel finishes an IPv6 address a moment after it has told of it: a packet may be
	 * lost before. */
	READY_TRIES = 4,
};

struct server { /* main thread */
	struct worker_shared shared;
	struct throttle throttle;
	struct holdings holdings;
	struct own_addresses own_addresses;
	_Atomic int64_t clock_ahead_ms; /* of all threads: loop.h */
	uint32_t breaks;		/* of the loop, that were heeded */
	struct allowances allowances;
	struct snapshot *snapshot;
	struct worker *workers[CONFIG_WORKERS_MAX];
	unsigned worker_count;
	struct loop loop;
	struct loop_timer log_timer, anchor_timer, watchdog_timer;
	struct signals signals;
	struct anchor_store *anchor_store;
	struct cache_reader *reader; /* of what commands show */
	struct console console;
	struct scopes *scopes; /* of what is cached */
	struct listen listen;
	struct network network;
	struct node_local node_local;
	struct loop_timer drain_timer;
	uint64_t drain_until_us;
	unsigned next_keeper; /* the loading thread's */
	bool disk_came;	      /* in time for the start */
	const char *path;
};

/* ---- what is shared ---- */

/* As many descriptors as the system allows; how many that are. */
static uint64_t raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	return limit.rlim_cur;
}

static void divide_descriptors(struct worker_shared *shared, const struct config *c)
{
	size_t addresses = c->listen_count + ADDRESSES_SPARE +
			   c->listen_interface_count * ADDRESSES_PER_INTERFACE;
	const struct allotment_needs needs = {
		.descriptors = raise_descriptors(),
		.workers = c->workers,
		.addresses = (unsigned)MIN(addresses, (size_t)LISTEN_MAX),
	};

	shared->descriptors = needs.descriptors;
	shared->share = allotment_of(&needs);
	if (shared->share.few)
		log_warning("few descriptors limit=%llu workers=%u: raise LimitNOFILE",
			    (unsigned long long)needs.descriptors, c->workers);
}

/* Each worker's shares of the accounts that are theirs. */
static void divide_memory(struct server *s)
{
	const struct config *c = s->snapshot->config;
	struct worker_shared *shared = &s->shared;

	holdings_init(&s->holdings, c);
	shared->ledger = &s->holdings.ledger;
	shared->question_bytes = c->memory_shares[LEDGER_questions] / c->workers;
	shared->input_bytes = c->memory_shares[LEDGER_input] / c->workers;
	shared->output_bytes = c->memory_shares[LEDGER_output] / c->workers;
}

static enum err open_shared(struct server *s)
{
	const struct config *c = s->snapshot->config;
	size_t ranges_bytes = c->memory_bytes / RANGES_DIVISOR;
	struct cache_settings cache = {.memory_bytes = c->memory_bytes - ranges_bytes};
	struct worker_shared *shared = &s->shared;
	enum err err = warm_open(c->state_path, c->disk_bytes, &shared->warm);

	if (err == OK) {
		disk_limit_pending(warm_disk(shared->warm), c->memory_shares[LEDGER_disk]);
		/* What looks at it from here on, and finds it there meanwhile, is asked again then. */
		s->disk_came = disk_is_opened(warm_disk(shared->warm));
		cache.sink = warm_sink(shared->warm);
		err = cache_new(&cache, &shared->cache);
	}
	if (err == OK)
		err = infra_new(&shared->infra);
	if (err == OK)
		err = ranges_new(ranges_bytes, &shared->ranges);
	if (err == OK) {
		const struct scopes_parts parts = {.cache = shared->cache,
						   .ranges = shared->ranges,
						   .disk = warm_disk(shared->warm),
						   .flushes = &s->console.flushes};
		err = scopes_new(&parts, &s->scopes);
	}
	if (err == OK)
		err = cache_reader_new(shared->cache, &s->reader);
	if (err == OK)
		err = prefetch_shared_new(&shared->prefetch);
	if (err == OK)
		err = strippers_new(&shared->strippers);
	if (err == OK)
		err = asking_new(&shared->asking);
	shared->throttle = &s->throttle;
	shared->own_addresses = &s->own_addresses;
	shared->epoch = loop_epoch_read();
	shared->epoch.ahead_ms = &s->clock_ahead_ms;
	hash_key_init(&shared->cookie_secret);
	divide_descriptors(shared, c);
	shared->recorder_bytes = c->recorder_bytes / c->workers;
	divide_memory(s);
	return err;
}

static void close_shared(struct server *s)
{
	cache_reader_free(s->reader);
	scopes_free(s->scopes);
	anchors_free(s->shared.anchors);
	anchor_store_free(s->anchor_store);
	prefetch_shared_free(s->shared.prefetch);
	asking_free(s->shared.asking);
	strippers_free(s->shared.strippers);
	enum err err = warm_close(s->shared.warm, s->loop.now);
	if (s->shared.ranges)
		ranges_free(s->shared.ranges);
	if (s->shared.infra)
		infra_free(s->shared.infra);
	/* Threads that wait for a disk that hangs may yet put something into it. */
	if (s->shared.cache && err == OK)
		cache_free(s->shared.cache);
}

/* ---- trust anchors ---- */

/* Give everybody the configuration with anchors, and what was changed at run time, as they stand
 * now. */
static enum err publish_anchors(struct server *s)
{
	struct snapshot_changes changes = {.negative = &s->console.negative,
					   .forwards = &s->console.forwards,
					   .queries = s->console.queries_set ? &s->console.queries
									     : NULL};
	changes.anchors = anchors_list(s->shared.anchors, &changes.anchor_count);
	struct snapshot *fresh = snapshot_with_changes(s->snapshot, &changes);

	if (!fresh)
		return ERR_NO_MEMORY;
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_adopt(s->workers[i], fresh);
	snapshot_release(s->snapshot);
	s->snapshot = fresh;
	return OK;
}

static void set_anchor_timer(struct server *s)
{
	uint64_t due_us = anchors_due_us(s->shared.anchors);

	if (due_us == UINT64_MAX)
		loop_timer_clear(&s->loop, &s->anchor_timer);
	else
		loop_timer_set(&s->loop, &s->anchor_timer, due_us);
}

static void handle_anchor_timer(void *context)
{
	struct server *s = context;
	const uint8_t *zone;

	while ((zone = anchors_take_due(s->shared.anchors, s->loop.now)))
		worker_refresh(s->workers[0], zone, TYPE_DNSKEY);
	set_anchor_timer(s);
}

/* What workers have observed meanwhile. */
static void take_anchors(struct server *s)
{
	if (anchors_step(s->shared.anchors, s->loop.now) && publish_anchors(s) != OK)
		log_error("trust anchors: out of memory, workers go on with the old ones");
	set_anchor_timer(s);
}

static void wake_loop(void *context)
{
	loop_wake(context);
}

/* The state that was kept, under what is configured. */
static enum err open_anchors(struct server *s)
{
	const struct config *c = s->snapshot->config;
	enum err err = anchor_store_new(c->state_path, warm_disk(s->shared.warm), &s->anchor_store);

	if (err == OK)
		err = anchors_new(s->anchor_store, wake_loop, &s->loop, &s->shared.anchors);
	if (err != OK)
		return err;
	s->anchor_timer = (struct loop_timer){.fn = handle_anchor_timer, .context = s};
	err = anchors_configure(s->shared.anchors, c, s->loop.now);
	if (err == OK)
		err = publish_anchors(s);
	if (err == OK)
		scopes_apply(s->scopes, &s->snapshot->settings, s->snapshot->config, s->loop.now);
	return err;
}

/* The names are spread over the workers, so that keeping them fresh is too. */
static void keep(void *context, const struct entry *e)
{
	struct server *s = context;

	worker_keep(s->workers[s->next_keeper++ % s->worker_count], e);
}

/* The disk has not answered before the start, and does now. */
static void take_disk(struct server *s)
{
	const struct config *c = s->snapshot->config;

	if (warm_is_taken(s->shared.warm) || !disk_is_opened(warm_disk(s->shared.warm)))
		return;
	log_notice("the disk answers, and is taken into use path=%s", c->state_path);
	anchor_store_take(s->anchor_store);
	enum err err = anchors_take(s->shared.anchors, c, s->loop.now);
	if (err == OK)
		err = publish_anchors(s);
	if (err != OK)
		log_error("trust anchors: out of memory, workers go on with the old ones");
	scopes_take(s->scopes, s->loop.now);
	warm_take(s->shared.warm, s->loop.now);
	warm_load(s->shared.warm, s->loop.now, keep, s);
}

/* ---- workers ---- */

static enum err open_workers(struct server *s)
{
	unsigned count = s->snapshot->config->workers;

	for (unsigned i = 0; i < count; i++) {
		enum err err = worker_new(&s->shared, s->snapshot, i, &s->workers[i]);
		if (err != OK)
			return err;
		s->worker_count++;
	}
	return OK;
}

static enum err start_workers(struct server *s)
{
	for (unsigned i = 0; i < s->worker_count; i++) {
		enum err err = worker_start(s->workers[i]);
		if (err != OK)
			return err;
	}
	return OK;
}

static void close_workers(struct server *s)
{
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_stop(s->workers[i]);
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_free(s->workers[i]);
}

/* ---- life ---- */

static void tell_start(struct server *s)
{
	const struct config *c = s->snapshot->config;
	char list[LISTEN_MAX * ENDPOINT_TEXT_SIZE] = "none", text[ENDPOINT_TEXT_SIZE];
	struct endpoint served[LISTEN_MAX];
	size_t len = 0, count = listen_read_served(&s->listen, served);

	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? "," : "",
					endpoint_text(&served[i], text));
	log_notice("started version=%s listen=%s workers=%u memory=%zuM tcp_connections=%u "
		   "sandbox=%s config=%s",
		   RESOLVERD_VERSION, list, c->workers, c->memory_bytes >> 20,
		   s->shared.share.clients * c->workers, sandbox_text(),
		   s->path ? s->path : "defaults");
}

/* What is decided at the start stays as it was. */
static void note_unchangeable(struct server *s, const struct config *fresh)
{
	const struct config *old = s->snapshot->config;

	console_reload(&s->console, old, fresh);
	if (memcmp(&old->node_local, &fresh->node_local, sizeof(old->node_local)) != 0)
		console_needs_restart(&s->console, "node-local");
	if (old->workers != fresh->workers)
		console_needs_restart(&s->console, "workers");
	if (old->recorder_bytes != fresh->recorder_bytes)
		console_needs_restart(&s->console, "recorder.memory");
	if (old->memory_limit != fresh->memory_limit && !(old->memory_auto && fresh->memory_auto))
		console_needs_restart(&s->console, "memory.limit");
	if (old->memory_bytes != fresh->memory_bytes)
		console_needs_restart(&s->console, "cache.memory");
	if (old->sandbox != fresh->sandbox || old->sandbox_uid != fresh->sandbox_uid)
		console_needs_restart(&s->console, "sandbox");
	if (strcmp(old->state_path, fresh->state_path) != 0)
		console_needs_restart(&s->console, "cache.path");
	if (old->disk_bytes != fresh->disk_bytes)
		console_needs_restart(&s->console, "cache.disk");
}

/* FRESH, which is taken over, for everybody from now on. ERR_NO_MEMORY: all stays as it was. */
static enum err use_config(struct server *s, struct config *fresh)
{
	struct snapshot *old = s->snapshot, *snapshot = snapshot_new(fresh);

	if (!snapshot)
		return ERR_NO_MEMORY;
	bool queries_set = s->console.queries_set;
	s->console.queries_set = false; /* until the next reload, which this is */
	s->snapshot = snapshot;
	enum err err = anchors_configure(s->shared.anchors, fresh, s->loop.now);
	if (err == OK)
		err = publish_anchors(s);
	if (err != OK) {
		snapshot_release(snapshot);
		s->snapshot = old;
		s->console.queries_set = queries_set;
		return err;
	}
	snapshot_release(old);
	scopes_apply(s->scopes, &s->snapshot->settings, s->snapshot->config, s->loop.now);
	log_set_level(s->snapshot->config->log_level);
	return OK;
}

static void log_notes(const struct config *config)
{
	for (const struct config_note *n = config->notes; n; n = n->next)
		log_warning("configuration: %s", n->line);
}

/* ERROR says why not. */
static enum err reload(void *context, struct config_error *error)
{
	struct server *s = context;
	struct config *fresh;

	service_reloading(s->loop.now);
	enum err err = config_load(s->path, &fresh, error);
	if (err == OK) {
		note_unchangeable(s, fresh);
		err = use_config(s, fresh);
		if (err != OK)
			(void)snprintf(error->line, sizeof(error->line), "%s", err_text(err));
	}
	if (err != OK) {
		log_error("configuration not changed: %s", error->line);
		service_ready("serving; the last reload was refused");
		return err;
	}
	network_follow(&s->network);
	console_reloaded(&s->console, s->snapshot->config);
	log_notes(s->snapshot->config);
	log_notice("configuration reloaded config=%s", s->path ? s->path : "defaults");
	service_ready("serving");
	return OK;
}

static void handle_reload(void *context)
{
	struct config_error error = {0};

	(void)!reload(context, &error); /* which has told */
}

/* What is asked from now on waits in inherited sockets for the next daemon, or reaches others who share
 * the address; who has asked before is answered first. */
static void handle_drain_timer(void *context)
{
	struct server *s = context;
	bool drained = true;

	for (unsigned i = 0; i < s->worker_count; i++)
		drained &= worker_is_drained(s->workers[i]);
	if (drained || s->loop.now.mono_us >= s->drain_until_us)
		loop_stop(&s->loop);
	else
		loop_timer_set(&s->loop, &s->drain_timer,
			       s->loop.now.mono_us + DRAIN_TICK_MS * 1000ULL);
}

static void handle_stop(void *context)
{
	struct server *s = context;

	service_stopping();
	if (s->drain_until_us) { /* told twice */
		loop_stop(&s->loop);
		return;
	}
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_drain(s->workers[i]);
	s->drain_until_us = s->loop.now.mono_us + DRAIN_MAX_MS * 1000ULL;
	handle_drain_timer(s);
}

/* What is ordered after us can resolve names only once we answer. Where there is no address to
 * answer at yet, nothing is gained by keeping the service manager waiting until it starts us again. */
static void become_ready(struct server *s)
{
	struct endpoint address;

	if (!listen_probe(&s->listen, &address)) {
		service_ready("waiting for an address to listen at");
		return;
	}
	for (unsigned i = 0; i < READY_TRIES; i++) {
		if (!selfcheck(&address, false) || !selfcheck(&address, true))
			continue;
		service_ready("serving");
		return;
	}
}

/* Time has passed that nobody counted: perhaps there is a copy of this machine now, which must not know
 * our cookies' secret. Workers have their random numbers anew by themselves. */
static void heed_break(struct server *s)
{
	struct worker_shared *shared = &s->shared;

	if (s->loop.breaks == s->breaks)
		return;
	s->breaks = s->loop.breaks;
	hash_key_init(&shared->cookie_secret);
	for (unsigned i = 0; i < s->worker_count; i++)
		worker_set_cookie_secret(s->workers[i], &shared->cookie_secret);
	log_notice("time passed uncounted: suspended, restored or set ahead clock_ahead_ms=%lld "
		   "renewed=\""
		   "random numbers, cookies\"",
		   (long long)atomic_load(&s->clock_ahead_ms));
}

static void handle_log_timer(void *context)
{
	struct server *s = context;
	const struct holdings_parts held = {s->shared.cache, s->shared.ranges,
					    warm_disk(s->shared.warm)};

	heed_break(s);
	log_tick();
	holdings_tick(&s->holdings, &held);
	sandbox_tick();
	console_tick(&s->console, s->loop.now);
	take_disk(s);
	warm_tick(s->shared.warm, s->loop.now);
	loop_timer_set(&s->loop, &s->log_timer, s->loop.now.mono_us + LOG_TICK_MS * 1000ULL);
}

static enum err open_loop(struct server *s)
{
	enum err err = loop_init(&s->loop, s->shared.epoch);

	if (err != OK)
		return err;
	s->log_timer = (struct loop_timer){.fn = handle_log_timer, .context = s};
	s->drain_timer = (struct loop_timer){.fn = handle_drain_timer, .context = s};
	s->signals = (struct signals){
		.loop = &s->loop, .stop = handle_stop, .reload = handle_reload, .context = s};
	err = signals_init(&s->signals);
	if (err != OK)
		loop_deinit(&s->loop);
	return err;
}

/* The service manager's watchdog: fed only while every worker turns. */
static void handle_watchdog(void *context)
{
	struct server *s = context;
	bool turning = true;

	for (unsigned i = 0; i < s->worker_count; i++)
		turning = turning && worker_is_turning(s->workers[i], s->loop.now.mono_us);
	if (turning)
		service_alive();
	loop_timer_set(&s->loop, &s->watchdog_timer, s->loop.now.mono_us + service_watchdog_us());
}

static void serve(struct server *s)
{
	handle_log_timer(s);
	s->watchdog_timer = (struct loop_timer){.fn = handle_watchdog, .context = s};
	if (service_watchdog_us() > 0)
		handle_watchdog(s);
	while (!loop_stopped(&s->loop)) {
		cache_reader_pass(s->reader);
		cache_reader_idle(s->reader);
		loop_wait(&s->loop);
		cache_reader_wake(s->reader);
		loop_dispatch(&s->loop);
		take_anchors(s);
	}
	log_notice("stopping");
}

static int tell_failure(enum err err)
{
	log_error("cannot start reason=\"%s\"", err_text(err));
	return EX_OSERR;
}

/* Other negative trust anchors. Who made them so flushes. */
static enum err publish(void *context)
{
	struct server *s = context;
	enum err err = publish_anchors(s);

	if (err == OK)
		scopes_note(s->scopes, &s->snapshot->settings, s->snapshot->config, s->loop.now);
	return err;
}

static bool open_network(struct server *s)
{
	const struct network_parts parts = {.listen = &s->listen,
					    .snapshot = &s->snapshot,
					    .workers = s->workers,
					    .own = &s->own_addresses,
					    .infra = s->shared.infra};

	return network_open(&s->network, &s->loop, &parts);
}

static void open_console(struct server *s)
{
	const struct console_parts parts = {
		.loop = &s->loop,
		.shared = &s->shared,
		.holdings = &s->holdings,
		.reader = s->reader,
		.allowances = &s->allowances,
		.throttle = &s->throttle,
		.workers = s->workers,
		.worker_count = &s->worker_count,
		.snapshot = &s->snapshot,
		.listen = &s->listen,
		.monitor = &s->network.monitor,
		.path = s->path,
		.reload = reload,
		.publish = publish,
		.server = s,
	};

	console_open(&s->console, &parts);
}

/* Workers to their end; everything below them is there. */
static int run_workers(struct server *s)
{
	int status = EX_OSERR;
	enum err err = open_anchors(s);

	warm_begin(s->shared.warm, s->shared.cache, s->shared.infra, s->loop.now);
	if (s->disk_came)
		warm_take(s->shared.warm, s->loop.now);
	if (err == OK)
		err = open_workers(s);
	if (err != OK) {
		status = tell_failure(err);
		goto close;
	}
	if (!open_network(s))
		goto close;
	allowances_open(&s->allowances, &s->loop, &s->throttle);
	open_console(s);
	err = start_workers(s);
	if (err != OK) {
		status = tell_failure(err);
		goto close;
	}
	if (!node_local_open(&s->node_local, &s->snapshot->config->node_local))
		goto close;
	s->network.node_local = &s->node_local;
	(void)listen_follow(&s->listen, s->snapshot->config, &s->network.monitor);
	become_ready(s);
	tell_start(s);
	if (warm_is_taken(s->shared.warm))
		warm_load(s->shared.warm, s->loop.now, keep, s);
	serve(s);
	status = EX_OK;
close:
	warm_load_stop(s->shared.warm);
	console_close(&s->console);
	allowances_close(&s->allowances);
	network_close(&s->network);
	close_workers(s);
	node_local_close(&s->node_local);
	return status;
}

int server_run(struct config *config, const char *path)
{
	struct server *s = calloc(1, sizeof(*s));
	int status = EX_OSERR;

	if (!s) {
		config_free(config);
		return tell_failure(ERR_NO_MEMORY);
	}
	s->path = path;
	listen_init(&s->listen);
	s->snapshot = snapshot_new(config);
	if (!s->snapshot) {
		status = tell_failure(ERR_NO_MEMORY);
		goto free_server;
	}
	log_notes(config);
	if (!listen_prepare(&s->listen, config))
		goto release_snapshot;
	enum err err = open_shared(s);
	if (err == OK)
		err = open_loop(s);
	if (err != OK) {
		status = tell_failure(err);
		goto close_shared;
	}
	status = run_workers(s);
	signals_deinit(&s->signals);
	loop_deinit(&s->loop);

close_shared:
	close_shared(s);
release_snapshot:
	snapshot_release(s->snapshot);
free_server:
	listen_deinit(&s->listen);
	free(s);
	return status;
}
