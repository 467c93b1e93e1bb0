#include "worker/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/errands.h"
#include "worker/traffic.h"

enum {
	TICK_MS = 5000,
	/* Without a turn for so long a worker stands still: one tick, and what a loaded machine
	 * may keep a thread waiting. */
	STILL_MS = 2 * TICK_MS,
	/* Older configurations that queries still use: a query lasts 10 s, so more come only from
	 * reloads in quick succession; the next one then waits in the mailbox. */
	RETIRED_MAX = 8,
	/* Errands done in one turn: each costs a few look-ups in the cache, or a question asked, and
	 * clients are waiting. */
	ERRANDS_PER_TURN = 64,
};

struct worker { /* its own thread, but for what says otherwise */
	struct loop loop;
	struct resolver *resolver;
	struct cache_reader *reader;
	struct warm_reader *recaller; /* NULL: no disk tier */
	struct traffic traffic;
	struct loop_timer tick;
	struct snapshot *snapshot, *retired[RETIRED_MAX];
	size_t retired_count;
	bool told_network, has_ipv4, has_ipv6;
	atomic_bool route4, route6; /* the main thread writes */
	struct metrics metrics;	    /* any thread reads */
	struct {
		_Atomic uint64_t passed_us;
		_Atomic size_t open_queries, open_sends, waiting_clients;
		_Atomic size_t kept_names, waiting_refreshes;
		_Atomic uint64_t not_yet_valid_us, anchor_mismatch_us;
	} figures;				 /* any thread reads */
	uint64_t not_yet_valid, anchor_mismatch; /* counted when last looked at */
	struct {
		size_t used[LEDGER_COUNT];
		uint64_t shed[LEDGER_COUNT];
	} told;				    /* of what the ledger knows */
	_Atomic(struct snapshot *) mailbox; /* any thread writes */
	atomic_bool draining, drained;	    /* any thread: asked for; done */
	struct errands errands;		    /* its own rules */
	struct feed feed;		    /* its own rules */
	struct recorder *recorder;	    /* its own rules */
	struct tracing_desk desk;
	const struct worker_shared *shared;
	unsigned index;
	uint32_t breaks; /* of the loop, that were heeded */
	pthread_t thread;
	bool running;
};

/* ---- what the core tells ---- */

static void handle_report(void *context, const struct trace_report *report)
{
	struct worker *w = context;

	recorder_take(w->recorder, report);
	if (UNLIKELY(feed_wants(&w->feed, FEED_FAILURE)))
		feed_failure(&w->feed, report, w->loop.now);
	if (report->watched)
		tracing_report(&w->desk, report);
}

static void handle_change(void *context, const struct prefetch_change *change)
{
	struct worker *w = context;

	if (feed_wants(&w->feed, FEED_CHANGE))
		feed_change(&w->feed, change, w->loop.now);
}

/* ---- housekeeping ---- */

static void tell_network(struct worker *w)
{
	const struct config *c = w->snapshot->config;
	bool ipv4 = !c->ipv4_auto || atomic_load_explicit(&w->route4, memory_order_relaxed);
	bool ipv6 = !c->ipv6_auto || atomic_load_explicit(&w->route6, memory_order_relaxed);
	struct event event = {.kind = EV_NETWORK, .has_ipv4 = ipv4, .has_ipv6 = ipv6};

	if (LIKELY(w->told_network && ipv4 == w->has_ipv4 && ipv6 == w->has_ipv6))
		return;
	/* Of what all workers notice, one counts. */
	if (w->told_network && w->index == 0)
		metrics_add(&w->metrics, METRIC_network_changes_total, 1);
	w->told_network = true;
	w->has_ipv4 = ipv4;
	w->has_ipv6 = ipv6;
	traffic_step(&w->traffic, &event);
}

/* Let go of older configurations that no query uses any more. */
static void release_retired(struct worker *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->retired_count; i++) {
		struct snapshot *s = w->retired[i];
		if (resolver_settings_in_use(w->resolver, &s->settings))
			w->retired[kept++] = s;
		else
			snapshot_release(s);
	}
	w->retired_count = kept;
}

static void adopt_config(struct worker *w, const struct snapshot *s)
{
	const struct config *c = s->config;
	struct recorder_settings recorder = {.slow_ms = c->recorder_slow_ms,
					     .redact = c->recorder_redact};

	w->traffic.log = s->queries.on ? &s->queries : NULL;
	recorder_configure(w->recorder, &recorder);
}

static void adopt_mail(struct worker *w)
{
	if (!atomic_load_explicit(&w->mailbox, memory_order_relaxed))
		return;
	if (w->retired_count == RETIRED_MAX)
		release_retired(w);
	if (w->retired_count == RETIRED_MAX)
		return; /* the tick will come */
	struct snapshot *s = atomic_exchange_explicit(&w->mailbox, NULL, memory_order_acquire);
	w->retired[w->retired_count++] = w->snapshot;
	w->snapshot = s;
	adopt_config(w, s);
	resolver_set_settings(w->resolver, &s->settings);
	w->told_network = false;
	release_retired(w);
}

static void keep(struct worker *w, const struct errand *e)
{
	const struct entry *entry = cache_find(w->reader, e->entry, e->name, e->name_len, e->type);

	if (entry)
		resolver_keep(w->resolver, w->loop.now, entry);
}

static void refresh(struct worker *w, const struct errand *e)
{
	struct event event = {.kind = EV_REFRESH, .name = e->name, .type = e->type};

	traffic_step(&w->traffic, &event);
}

static void trace(struct worker *w, struct errand *e)
{
	struct tracing *t = e->tracing;
	struct event event = {.kind = EV_WATCH,
			      .name = t->name,
			      .type = t->type,
			      .cached = t->cached,
			      .from_root = t->from_root,
			      .refresh = t->refresh};

	e->tracing = NULL;
	if (tracing_begin(&w->desk, t, w->loop.now))
		traffic_step(&w->traffic, &event);
}

static void listen_there(struct worker *w, struct errand *e)
{
	char text[ENDPOINT_TEXT_SIZE];
	enum err err = traffic_listen(&w->traffic, &e->address, e->tcp, e->fd, e->owner);

	e->fd = -1;
	if (err != OK)
		log_error("cannot listen address=%s transport=%s worker=%u reason=\"%s\"",
			  endpoint_text(&e->address, text), e->tcp ? "tcp" : "udp", w->index,
			  err == ERR_SYSTEM ? strerrordesc_np(errno) : err_text(err));
}

static void do_errand(struct worker *w, struct errand *e)
{
	bool listens = e->kind == ERRAND_LISTEN || e->kind == ERRAND_UNLISTEN;

	if (listens && !e->tcp && w->index == 0)
		metrics_add(&w->metrics, METRIC_listen_changes_total, 1);
	switch (e->kind) {
	case ERRAND_REFRESH:
		refresh(w, e);
		break;
	case ERRAND_KEEP:
		keep(w, e);
		break;
	case ERRAND_TRACE:
		trace(w, e);
		break;
	case ERRAND_LISTEN:
		listen_there(w, e);
		break;
	case ERRAND_UNLISTEN:
		traffic_unlisten(&w->traffic, &e->address, e->tcp);
		break;
	case ERRAND_SECRET:
		resolver_set_cookie_secret(w->resolver, &e->secret);
		break;
	}
}

static void do_errands(struct worker *w)
{
	struct errand *e;

	if (LIKELY(!errands_wait(&w->errands)))
		return;
	for (unsigned i = 0; i < ERRANDS_PER_TURN && (e = errands_take(&w->errands)); i++) {
		do_errand(w, e);
		errand_free(e);
	}
	if (errands_wait(&w->errands))
		loop_wake(&w->loop);
}

/* Random numbers of this machine's alone, whatever became of a copy of its memory: at once where the
 * clocks tell of one, and before long where they do not. */
static void renew_chance(struct worker *w)
{
	w->breaks = w->loop.breaks;
	resolver_renew(w->resolver);
	outbound_renew(&w->traffic.outbound);
}

/* What the disk has told meanwhile. */
static void read_letters(struct worker *w)
{
	struct event event = {.kind = EV_RECALLED};

	while (w->recaller && warm_next_letter(w->recaller, &event.token, &event.found)) {
		traffic_step(&w->traffic, &event);
		loop_breathe(&w->loop);
	}
}

static void handle_tick(void *context)
{
	struct worker *w = context;

	renew_chance(w);
	release_retired(w);
	tracing_expire(&w->desk, w->loop.now);
	traffic_count(&w->traffic);
	loop_timer_set(&w->loop, &w->tick, w->loop.now.mono_us + TICK_MS * 1000ULL);
}

static void drain(struct worker *w)
{
	struct resolver_stats stats;

	traffic_drain(&w->traffic);
	resolver_read_stats(w->resolver, &stats); /* with those who came just now */
	atomic_store(&w->drained, stats.waiting_clients == 0 && traffic_is_drained(&w->traffic));
}

/* Into *AT when METRIC has last risen above SEEN. */
static void tell_rise(const struct worker *w, enum metric metric, uint64_t *seen,
		      _Atomic uint64_t *at)
{
	uint64_t count = metrics_get(&w->metrics, metric);

	if (LIKELY(count == *seen))
		return;
	*seen = count;
	atomic_store_explicit(at, w->loop.now.mono_us, memory_order_relaxed);
}

/* W holds USED bytes of WHICH, and has had to shed SHED times in all. */
static void tell_account(struct worker *w, enum ledger_account which, size_t used, uint64_t shed)
{
	struct ledger *l = w->shared->ledger;

	ledger_tell(l, which, &w->told.used[which], used);
	ledger_note_shed(l, which, shed - w->told.shed[which]);
	w->told.shed[which] = shed;
}

static void tell_memory(struct worker *w, const struct resolver_stats *stats)
{
	struct traffic_memory m = traffic_memory(&w->traffic);

	tell_account(w, LEDGER_questions, stats->question_bytes, stats->shed_questions);
	tell_account(w, LEDGER_input, m.input_bytes, m.shed_input);
	tell_account(w, LEDGER_output, m.output_bytes, m.shed_output);
}

static void tell_figures(struct worker *w)
{
	struct resolver_stats stats;

	resolver_read_stats(w->resolver, &stats);
	tell_memory(w, &stats);
	if (UNLIKELY(atomic_load_explicit(&w->draining, memory_order_relaxed)))
		drain(w);
	atomic_store_explicit(&w->figures.passed_us, w->loop.now.mono_us, memory_order_relaxed);
	atomic_store_explicit(&w->figures.open_queries, stats.open_queries, memory_order_relaxed);
	atomic_store_explicit(&w->figures.open_sends, stats.open_sends, memory_order_relaxed);
	atomic_store_explicit(&w->figures.kept_names, stats.kept_names, memory_order_relaxed);
	atomic_store_explicit(&w->figures.waiting_refreshes, stats.waiting_refreshes,
			      memory_order_relaxed);
	atomic_store_explicit(&w->figures.waiting_clients, stats.waiting_clients,
			      memory_order_relaxed);
	tell_rise(w, METRIC_dnssec_root_not_yet_valid_total, &w->not_yet_valid,
		  &w->figures.not_yet_valid_us);
	tell_rise(w, METRIC_dnssec_anchor_mismatch_total, &w->anchor_mismatch,
		  &w->figures.anchor_mismatch_us);
}

/*
 * One turn, and why each step stands where it does. What the batch has changed is told before the thread
 * may sleep: when the core wants to be called, the figures (nobody else tells them meanwhile), and that no
 * entry of the cache is in hand any more, for a sleeping reader must not hold up what others free. The
 * wait is over: first the chance is renewed where the machine may be a copy, before an id is drawn from
 * the old one; then packets, by what was in effect when they came; then what others have left for this
 * thread - settings, the network, errands, what the disk has read - which next turn's packets find done.
 */
static void *run(void *context)
{
	struct worker *w = context;
	char name[16];

	/* For top(1) and the debugger. A thread may name itself without writing to /proc. */
	(void)snprintf(name, sizeof(name), "worker/%u", w->index);
	(void)pthread_setname_np(pthread_self(), name);
	cache_reader_wake(w->reader);
	tell_network(w);
	loop_timer_set(&w->loop, &w->tick, w->loop.now.mono_us + TICK_MS * 1000ULL);
	while (!loop_stopped(&w->loop)) {
		traffic_set_deadline(&w->traffic);
		tell_figures(w);
		cache_reader_pass(w->reader);
		cache_reader_idle(w->reader);
		loop_wait(&w->loop);
		cache_reader_wake(w->reader);
		if (UNLIKELY(w->loop.breaks != w->breaks))
			renew_chance(w);
		loop_dispatch(&w->loop);
		adopt_mail(w);
		tell_network(w);
		do_errands(w);
		read_letters(w);
		recorder_settle(w->recorder);
	}
	return NULL;
}

/* ---- life ---- */

static void wake_loop(void *context)
{
	loop_wake(context);
}

static enum err open_resolver(struct worker *w)
{
	const struct worker_shared *shared = w->shared;
	struct resolver_parts parts = {
		.settings = &w->snapshot->settings,
		.cache = shared->cache,
		.infra = shared->infra,
		.ranges = shared->ranges,
		.metrics = &w->metrics,
		.throttle = shared->throttle,
		.own_addresses = shared->own_addresses,
		.prefetch = shared->prefetch,
		.asking = shared->asking,
		.cookie_secret = &shared->cookie_secret,
		.question_bytes = shared->question_bytes,
		.udp_sockets = shared->share.servers,
		.observe_keys = shared->anchors ? anchors_observe : NULL,
		.observe_context = shared->anchors,
		.forwarded = shared->strippers ? strippers_note : NULL,
		.forwarded_context = shared->strippers,
		.report = handle_report,
		.report_context = w,
		.changed = handle_change,
		.changed_context = w,
	};
	enum err err = cache_reader_new(shared->cache, &w->reader);

	if (err != OK)
		return err;
	cache_reader_idle(w->reader); /* until the thread runs */
	err = warm_reader_new(shared->warm, wake_loop, &w->loop, &w->recaller);
	if (err != OK)
		return err;
	parts.recall = w->recaller ? warm_recall : NULL;
	parts.recall_context = w->recaller;
	parts.reader = w->reader;
	rng_init(&parts.rng);
	return resolver_new(&parts, &w->resolver);
}

static void close_resolver(struct worker *w)
{
	if (w->resolver)
		resolver_free(w->resolver);
	if (w->reader)
		cache_reader_free(w->reader);
	warm_reader_free(w->recaller);
}

/* The resolver, and the network around it. */
static enum err open_parts(struct worker *w)
{
	struct traffic_parts parts = {
		.loop = &w->loop,
		.metrics = &w->metrics,
		.feed = &w->feed,
		.tcp_connections = w->shared->share.clients,
		.udp_sockets = w->shared->share.servers,
		.input_bytes = w->shared->input_bytes,
		.output_bytes = w->shared->output_bytes,
	};
	enum err err = open_resolver(w);

	if (err != OK)
		goto close_resolver;
	parts.resolver = w->resolver;
	err = traffic_init(&w->traffic, &parts);
	if (err != OK)
		goto close_resolver;
	adopt_config(w, w->snapshot);
	return OK;

close_resolver:
	close_resolver(w);
	return err;
}

enum err worker_new(const struct worker_shared *shared, struct snapshot *snapshot, unsigned index,
		    struct worker **out)
{
	struct worker *w = calloc(1, sizeof(*w));
	enum err err = ERR_NO_MEMORY;

	if (!w)
		return err;
	w->shared = shared;
	w->index = index;
	w->tick = (struct loop_timer){.fn = handle_tick, .context = w};
	w->snapshot = snapshot_use(snapshot);
	err = recorder_new(shared->recorder_bytes, &w->recorder);
	if (err != OK)
		goto release_snapshot;
	err = loop_init(&w->loop, shared->epoch);
	if (err != OK)
		goto free_recorder;
	err = open_parts(w);
	if (err != OK)
		goto deinit_loop;
	*out = w;
	return OK;

deinit_loop:
	loop_deinit(&w->loop);
free_recorder:
	recorder_free(w->recorder);
release_snapshot:
	snapshot_release(w->snapshot);
	free(w);
	return err;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	REQUIRE(!w->running);
	traffic_deinit(&w->traffic);
	close_resolver(w);
	loop_deinit(&w->loop);
	tracing_close(&w->desk);
	recorder_free(w->recorder);
	feed_deinit(&w->feed);
	for (size_t i = 0; i < w->retired_count; i++)
		snapshot_release(w->retired[i]);
	snapshot_release(atomic_load(&w->mailbox));
	errands_deinit(&w->errands);
	snapshot_release(w->snapshot);
	free(w);
}

void worker_drain(struct worker *w)
{
	atomic_store(&w->draining, true);
	loop_wake(&w->loop);
}

bool worker_is_drained(const struct worker *w)
{
	return atomic_load(&w->drained);
}

enum err worker_start(struct worker *w)
{
	if (pthread_create(&w->thread, NULL, run, w) != 0)
		return ERR_SYSTEM;
	w->running = true;
	return OK;
}

void worker_stop(struct worker *w)
{
	if (!w->running)
		return;
	loop_stop(&w->loop);
	REQUIRE(pthread_join(w->thread, NULL) == 0);
	w->running = false;
}

void worker_adopt(struct worker *w, struct snapshot *snapshot)
{
	struct snapshot *unread =
		atomic_exchange_explicit(&w->mailbox, snapshot_use(snapshot), memory_order_acq_rel);

	snapshot_release(unread);
	loop_wake(&w->loop);
}

/* ---- errands ---- */

static void post(struct worker *w, struct errand *e)
{
	errands_post(&w->errands, e);
	loop_wake(&w->loop);
}

enum err worker_listen(struct worker *w, const struct endpoint *address, bool tcp, int fd,
		       enum socket_owner owner)
{
	if (!w->running)
		return traffic_listen(&w->traffic, address, tcp, fd, owner);
	struct errand *e = errand_new(ERRAND_LISTEN, NULL, 0);
	if (!e) {
		close(fd);
		return ERR_NO_MEMORY;
	}
	e->address = *address;
	e->tcp = tcp;
	e->fd = fd;
	e->owner = owner;
	post(w, e);
	return OK;
}

enum err worker_unlisten(struct worker *w, const struct endpoint *address, bool tcp)
{
	if (!w->running) {
		traffic_unlisten(&w->traffic, address, tcp);
		return OK;
	}
	struct errand *e = errand_new(ERRAND_UNLISTEN, NULL, 0);
	if (!e)
		return ERR_NO_MEMORY;
	e->address = *address;
	e->tcp = tcp;
	post(w, e);
	return OK;
}

void worker_set_routes(struct worker *w, bool ipv4, bool ipv6)
{
	atomic_store_explicit(&w->route4, ipv4, memory_order_relaxed);
	atomic_store_explicit(&w->route6, ipv6, memory_order_relaxed);
	loop_wake(&w->loop);
}

void worker_set_cookie_secret(struct worker *w, const struct hash_key *secret)
{
	struct errand *e = errand_new(ERRAND_SECRET, NULL, 0);

	if (!e)
		return; /* it stays with the old one, whose cookies others refuse: clients ask again */
	e->secret = *secret;
	post(w, e);
}

void worker_refresh(struct worker *w, const uint8_t *name, uint16_t type)
{
	struct errand *e = errand_new(ERRAND_REFRESH, name, dname_len(name));

	if (!e)
		return; /* as if the question had been lost on its way */
	e->type = type;
	post(w, e);
}

void worker_keep(struct worker *w, const struct entry *entry)
{
	struct errand *e = errand_new(ERRAND_KEEP, entry_name(entry), entry->name_len);

	if (!e)
		return; /* clients will bring it back */
	e->entry = (enum entry_kind)entry->kind;
	e->type = entry->type;
	post(w, e);
}

void worker_trace(struct worker *w, struct tracing *t)
{
	struct errand *e = errand_new(ERRAND_TRACE, NULL, 0);

	tracing_use(t);
	if (!e) {
		tracing_refuse(t);
		return;
	}
	e->tracing = t;
	post(w, e);
}

/* ---- what others read ---- */

struct recorder *worker_recorder(const struct worker *w)
{
	return w->recorder;
}

void worker_read_figures(const struct worker *w, struct worker_figures *out)
{
	*out = (struct worker_figures){
		.passed_us = atomic_load_explicit(&w->figures.passed_us, memory_order_relaxed),
		.open_queries =
			atomic_load_explicit(&w->figures.open_queries, memory_order_relaxed),
		.open_sends = atomic_load_explicit(&w->figures.open_sends, memory_order_relaxed),
		.waiting_clients =
			atomic_load_explicit(&w->figures.waiting_clients, memory_order_relaxed),
		.kept_names = atomic_load_explicit(&w->figures.kept_names, memory_order_relaxed),
		.waiting_refreshes =
			atomic_load_explicit(&w->figures.waiting_refreshes, memory_order_relaxed),
		.not_yet_valid_us =
			atomic_load_explicit(&w->figures.not_yet_valid_us, memory_order_relaxed),
		.anchor_mismatch_us =
			atomic_load_explicit(&w->figures.anchor_mismatch_us, memory_order_relaxed),
	};
}

bool worker_is_turning(const struct worker *w, uint64_t mono_us)
{
	uint64_t passed_us = atomic_load_explicit(&w->figures.passed_us, memory_order_relaxed);

	return mono_us < passed_us + STILL_MS * 1000ULL;
}

struct feed *worker_feed(struct worker *w)
{
	return &w->feed;
}

const struct metrics *worker_metrics(const struct worker *w)
{
	return &w->metrics;
}
