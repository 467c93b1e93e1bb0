#include "daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/clients.h"
#include "daemon/query_log.h"
#include "net/outbound.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "resolve/resolver.h"

enum {
	TICK_MS = 5000, /* how soon a route that came or went is noticed */
	/* Without a turn for so long a worker stands still: one tick, and what a loaded machine
	 * may keep a thread waiting. */
	STILL_MS = 2 * TICK_MS,
	/* Older configurations that queries still use: a query lasts 10 s, so more come only from
	 * reloads in quick succession; the next one then waits in the mailbox. */
	RETIRED_MAX = 8,
	/* Names taken up for keeping in one turn: each costs a few look-ups in the cache, and
	 * clients are waiting. */
	KEEPS_PER_TURN = 64,
};

/* A question of the daemon's own. */
struct refresh {
	struct refresh *next;
	uint8_t name[DNAME_MAX];
	uint16_t type;
};

/* What was popular before the last restart. */
struct popular {
	struct popular *next;
	enum entry_kind kind;
	uint16_t type;
	uint8_t name_len;
	uint8_t name[];
};

struct worker { /* its own thread, but for what says otherwise */
	struct loop loop;
	struct resolver *resolver;
	struct cache_reader *reader;
	struct warm_reader *recaller; /* NULL: no disk tier */
	struct clients clients;
	struct udp_server udp;
	struct udp_socket udp_sockets[CONFIG_LISTEN_MAX];
	size_t udp_socket_count;
	struct tcp_server tcp;
	struct outbound outbound;
	struct loop_timer deadline, tick;
	uint64_t deadline_ms; /* as it is set; UINT64_MAX: not */
	struct snapshot *snapshot, *retired[RETIRED_MAX];
	size_t retired_count;
	bool log_queries;
	uint32_t queries_seen; /* by the query log */
	bool told_network, has_ipv4, has_ipv6;
	uint64_t counted_accepted, counted_rejected, counted_dropped; /* in the metrics */
	struct metrics metrics;					      /* any thread reads */
	struct {
		_Atomic uint64_t passed_us;
		_Atomic size_t open_queries, open_sends, waiting_clients;
		_Atomic size_t kept_names, waiting_refreshes;
	} figures;			     /* any thread reads */
	_Atomic(struct snapshot *) mailbox;  /* any thread writes */
	atomic_bool draining, drained;	     /* any thread: asked for; done */
	_Atomic(struct refresh *) refreshes; /* any thread adds */
	struct feed feed;		     /* its own rules */
	_Atomic(struct popular *) popular;   /* any thread adds */
	struct tracing_desk desk;	     /* its own rules */
	struct recorder *recorder;	     /* its own rules */
	struct popular *to_keep;	     /* of those, what was taken over; oldest first */
	const struct worker_shared *shared;
	unsigned index;
	pthread_t thread;
	bool running;
};

/* ---- the query log ---- */

/* EVENT, a query, was answered at once; an empty ANSWER: not, and never will be. */
static void log_now(struct worker *w, const struct event *event, struct span answer)
{
	const struct query_record record = {
		.client = event->peer,
		.tcp = event->transport == TRANSPORT_TCP,
		.hit = true,
		.message = event->packet,
		.answer = answer,
		.took_us = loop_awake_us(&w->loop),
	};

	query_log(&w->snapshot->queries, &record, &w->queries_seen);
}

static void log_later(struct worker *w, const struct client *client, struct span answer)
{
	bool tcp = client->kind == CLIENT_TCP;
	const struct query_record record = {
		.client = tcp ? tcp_peer(&w->tcp, client->handle) : &client->path.peer,
		.tcp = tcp,
		.message = answer,
		.answer = answer,
		.took_us = w->loop.now.mono_us - client->since_us + loop_awake_us(&w->loop),
	};

	if (record.client)
		query_log(&w->snapshot->queries, &record, &w->queries_seen);
}

/* ---- actions ---- */

static void answer_client(struct worker *w, uint64_t token, struct span packet)
{
	struct client client;

	if (!clients_take(&w->clients, token, &client))
		return; /* gone meanwhile */
	metrics_observe(&w->metrics, HISTOGRAM_miss_latency_seconds,
			w->loop.now.mono_us - client.since_us);
	if (UNLIKELY(w->log_queries))
		log_later(w, &client, packet);
	if (client.kind == CLIENT_TCP)
		metrics_observe(&w->metrics, HISTOGRAM_tcp_answer_bytes, packet.len);
	if (client.kind == CLIENT_UDP)
		udp_send(&client.path, packet);
	else if (tcp_answer(&w->tcp, client.handle, packet) != OK)
		metrics_add(&w->metrics, METRIC_queries_dropped_total, 1);
}

static void drop_client(struct worker *w, uint64_t token)
{
	struct client client;

	if (!clients_take(&w->clients, token, &client))
		return;
	metrics_add(&w->metrics, METRIC_queries_dropped_total, 1);
	if (client.kind == CLIENT_TCP)
		tcp_drop(&w->tcp, client.handle);
}

/* Nothing that an action does leads back into the resolver: losses and closed connections are
 * reported by the loop. So the list stays valid. */
static void step(struct worker *w, const struct event *event)
{
	struct actions actions;

	resolver_step(w->resolver, w->loop.now, event, &actions);
	for (size_t i = 0; i < actions.count; i++) {
		const struct action *a = &actions.list[i];
		switch (a->kind) {
		case ACT_SEND:
			outbound_send(&w->outbound, a->token, a->packet, &a->peer,
				      a->transport == TRANSPORT_TCP);
			break;
		case ACT_CANCEL:
			outbound_cancel(&w->outbound, a->token);
			break;
		case ACT_ANSWER:
			answer_client(w, a->token, a->packet);
			break;
		case ACT_DROP:
			drop_client(w, a->token);
			break;
		}
	}
}

/* ---- events ---- */

static size_t handle_udp(void *context, struct span packet, const struct udp_path *path,
			 uint8_t *out, size_t size_bytes)
{
	struct worker *w = context;
	struct event event = {.kind = EV_QUERY,
			      .packet = packet,
			      .peer = &path->peer,
			      .transport = TRANSPORT_UDP};

	metrics_add(&w->metrics, METRIC_queries_udp_total, 1);
	ptrdiff_t len = resolver_answer_now(w->resolver, w->loop.now, &event, out, size_bytes);
	if (UNLIKELY(feed_wants(&w->feed, FEED_QUESTION)))
		feed_question(&w->feed, packet, &path->peer, len != 0, w->loop.now);
	if (UNLIKELY(w->log_queries) && len != 0)
		log_now(w, &event, span_of(out, len > 0 ? (size_t)len : 0));
	if (len != 0)
		return len > 0 ? (size_t)len : 0;
	if (clients_add_udp(&w->clients, path, w->loop.now, &event.token))
		step(w, &event);
	else
		metrics_add(&w->metrics, METRIC_queries_dropped_total, 1);
	return 0;
}

static ptrdiff_t handle_tcp(void *context, struct span packet, const struct tcp_client *client,
			    uint8_t *out, size_t size_bytes)
{
	struct worker *w = context;
	struct event event = {.kind = EV_QUERY,
			      .packet = packet,
			      .peer = &client->peer,
			      .transport = TRANSPORT_TCP};

	metrics_add(&w->metrics, METRIC_queries_tcp_total, 1);
	ptrdiff_t len = resolver_answer_now(w->resolver, w->loop.now, &event, out, size_bytes);
	if (UNLIKELY(feed_wants(&w->feed, FEED_QUESTION)))
		feed_question(&w->feed, packet, &client->peer, len != 0, w->loop.now);
	if (UNLIKELY(w->log_queries) && len != 0)
		log_now(w, &event, span_of(out, len > 0 ? (size_t)len : 0));
	if (len > 0)
		metrics_observe(&w->metrics, HISTOGRAM_tcp_answer_bytes, (uint64_t)len);
	if (len != 0)
		return len > 0 ? len : TCP_NEVER;
	if (!clients_add_tcp(&w->clients, client->handle, w->loop.now, &event.token)) {
		metrics_add(&w->metrics, METRIC_queries_dropped_total, 1);
		return TCP_NEVER;
	}
	step(w, &event);
	return TCP_LATER;
}

static void handle_gone(void *context, struct tcp_handle handle)
{
	struct worker *w = context;
	struct event event = {.kind = EV_GONE, .transport = TRANSPORT_TCP};
	struct client client;

	while (clients_of(&w->clients, handle, &event.token)) {
		REQUIRE(clients_take(&w->clients, event.token, &client));
		step(w, &event);
	}
}

static void handle_reply(void *context, const struct outbound_reply *reply)
{
	struct event event = {.kind = EV_REPLY,
			      .token = reply->token,
			      .packet = reply->packet,
			      .peer = &reply->peer,
			      .transport = reply->tcp ? TRANSPORT_TCP : TRANSPORT_UDP};

	step(context, &event);
}

static void handle_lost(void *context, uint64_t token)
{
	struct event event = {.kind = EV_LOST, .token = token};

	step(context, &event);
}

static void handle_deadline(void *context)
{
	struct worker *w = context;
	struct event event = {.kind = EV_DEADLINE};

	w->deadline_ms = UINT64_MAX;
	step(w, &event);
}

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
	bool ipv4 = !c->ipv4_auto || udp_has_route(4);
	bool ipv6 = !c->ipv6_auto || udp_has_route(6);
	struct event event = {.kind = EV_NETWORK, .has_ipv4 = ipv4, .has_ipv6 = ipv6};

	if (w->told_network && ipv4 == w->has_ipv4 && ipv6 == w->has_ipv6)
		return;
	if (w->index == 0)
		log_info("network ipv4=%s ipv6=%s", ipv4 ? "yes" : "no", ipv6 ? "yes" : "no");
	w->told_network = true;
	w->has_ipv4 = ipv4;
	w->has_ipv6 = ipv6;
	step(w, &event);
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

	w->log_queries = s->queries.on;
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
	tell_network(w);
	release_retired(w);
}

static void ask_refreshes(struct worker *w)
{
	if (LIKELY(!atomic_load_explicit(&w->refreshes, memory_order_relaxed)))
		return;
	struct refresh *list = atomic_exchange_explicit(&w->refreshes, NULL, memory_order_acquire);
	while (list) {
		struct refresh *first = list;
		struct event event = {.kind = EV_REFRESH, .name = first->name, .type = first->type};
		step(w, &event);
		list = first->next;
		free(first);
	}
}

static void ask_traces(struct worker *w)
{
	const struct tracing *t;

	while ((t = tracing_begin(&w->desk, w->loop.now))) {
		struct event event = {.kind = EV_WATCH,
				      .name = t->name,
				      .type = t->type,
				      .cached = t->cached,
				      .from_root = t->from_root};
		step(w, &event);
	}
}

/* Behind what waits already, in the order in which they came. */
static void take_popular(struct worker *w)
{
	struct popular *list = atomic_exchange_explicit(&w->popular, NULL, memory_order_acquire);
	struct popular *ordered = NULL, **end = &w->to_keep;

	while (list) {
		struct popular *next = list->next;
		list->next = ordered;
		ordered = list;
		list = next;
	}
	while (*end)
		end = &(*end)->next;
	*end = ordered;
}

static void keep_popular(struct worker *w)
{
	if (UNLIKELY(atomic_load_explicit(&w->popular, memory_order_relaxed)) && !w->to_keep)
		take_popular(w);
	for (unsigned i = 0; w->to_keep && i < KEEPS_PER_TURN; i++) {
		struct popular *p = w->to_keep;
		const struct entry *e =
			cache_find(w->reader, p->kind, p->name, p->name_len, p->type);
		if (e)
			resolver_keep(w->resolver, w->loop.now, e);
		w->to_keep = p->next;
		free(p);
	}
	if (UNLIKELY(w->to_keep))
		loop_wake(&w->loop);
}

static void count(struct worker *w, enum metric which, uint64_t total, uint64_t *counted)
{
	metrics_add(&w->metrics, which, total - *counted);
	*counted = total;
}

static void handle_tick(void *context)
{
	struct worker *w = context;

	tell_network(w);
	release_retired(w);
	tracing_expire(&w->desk, w->loop.now);
	count(w, METRIC_tcp_accepted_total, w->tcp.accepted, &w->counted_accepted);
	count(w, METRIC_tcp_rejected_total, w->tcp.rejected, &w->counted_rejected);
	count(w, METRIC_queries_dropped_total, w->udp.dropped_answers, &w->counted_dropped);
	loop_timer_set(&w->loop, &w->tick, w->loop.now.mono_us + TICK_MS * 1000ULL);
}

static void set_deadline(struct worker *w)
{
	uint64_t deadline_ms = resolver_deadline_ms(w->resolver);

	if (deadline_ms == w->deadline_ms)
		return;
	w->deadline_ms = deadline_ms;
	if (deadline_ms == UINT64_MAX)
		loop_timer_clear(&w->loop, &w->deadline);
	else
		loop_timer_set(&w->loop, &w->deadline, deadline_ms * 1000);
}

static void drain(struct worker *w, const struct resolver_stats *stats)
{
	for (size_t i = 0; i < w->udp_socket_count; i++)
		udp_pause(&w->udp_sockets[i]);
	tcp_pause(&w->tcp);
	atomic_store(&w->drained, stats->waiting_clients == 0);
}

static void tell_figures(struct worker *w)
{
	struct resolver_stats stats;

	resolver_read_stats(w->resolver, &stats);
	if (UNLIKELY(atomic_load_explicit(&w->draining, memory_order_relaxed)))
		drain(w, &stats);
	atomic_store_explicit(&w->figures.passed_us, w->loop.now.mono_us, memory_order_relaxed);
	atomic_store_explicit(&w->figures.open_queries, stats.open_queries, memory_order_relaxed);
	atomic_store_explicit(&w->figures.open_sends, stats.open_sends, memory_order_relaxed);
	atomic_store_explicit(&w->figures.kept_names, stats.kept_names, memory_order_relaxed);
	atomic_store_explicit(&w->figures.waiting_refreshes, stats.waiting_refreshes,
			      memory_order_relaxed);
	atomic_store_explicit(&w->figures.waiting_clients, stats.waiting_clients,
			      memory_order_relaxed);
}

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
		set_deadline(w);
		tell_figures(w);
		cache_reader_pass(w->reader);
		cache_reader_idle(w->reader);
		loop_wait(&w->loop);
		cache_reader_wake(w->reader);
		loop_dispatch(&w->loop);
		adopt_mail(w);
		ask_refreshes(w);
		ask_traces(w);
		recorder_settle(w->recorder);
		keep_popular(w);
	}
	return NULL;
}

/* ---- life ---- */

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
		.prefetch = shared->prefetch,
		.cookie_secret = &shared->cookie_secret,
		.observe_keys = shared->anchors ? anchors_observe : NULL,
		.observe_context = shared->anchors,
		.report = handle_report,
		.report_context = w,
		.changed = handle_change,
		.changed_context = w,
	};
	enum err err = cache_reader_new(shared->cache, &w->reader);

	if (err != OK)
		return err;
	cache_reader_idle(w->reader); /* until the thread runs */
	err = warm_reader_new(shared->warm, &w->recaller);
	if (err != OK)
		return err;
	parts.recall = w->recaller ? warm_recall : NULL;
	parts.recall_context = w->recaller;
	parts.reader = w->reader;
	rng_init(&parts.rng);
	return resolver_new(&parts, &w->resolver);
}

static enum err open_network(struct worker *w)
{
	struct tcp_settings tcp = {
		.connections = w->shared->tcp_connections,
		.per_client = TCP_PER_CLIENT,
		.pending = TCP_PENDING,
		.idle_ms = TCP_IDLE_MS,
		.handler = handle_tcp,
		.gone = handle_gone,
		.context = w,
	};
	struct outbound_settings outbound = {
		.udp_sockets = w->shared->udp_sockets,
		.reply = handle_reply,
		.lost = handle_lost,
		.context = w,
	};
	struct rng rng;
	enum err err = udp_server_init(&w->udp, &w->loop, handle_udp, w);

	if (err != OK)
		return err;
	w->udp.metrics = &w->metrics;
	err = tcp_server_init(&w->tcp, &w->loop, &tcp);
	if (err != OK)
		goto deinit_udp;
	rng_init(&rng);
	err = outbound_init(&w->outbound, &w->loop, &rng, &outbound);
	if (err != OK)
		goto deinit_tcp;
	return OK;

deinit_tcp:
	tcp_server_deinit(&w->tcp);
deinit_udp:
	udp_server_deinit(&w->udp);
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
	w->deadline_ms = UINT64_MAX;
	w->deadline = (struct loop_timer){.fn = handle_deadline, .context = w};
	w->tick = (struct loop_timer){.fn = handle_tick, .context = w};
	w->snapshot = snapshot_use(snapshot);
	err = recorder_new(shared->recorder_bytes, &w->recorder);
	if (err != OK)
		goto release_snapshot;
	adopt_config(w, snapshot);
	err = loop_init(&w->loop, shared->epoch);
	if (err != OK)
		goto free_recorder;
	err = clients_init(&w->clients, shared->tcp_connections);
	if (err != OK)
		goto deinit_loop;
	err = open_network(w);
	if (err != OK)
		goto deinit_clients;
	err = open_resolver(w);
	if (err != OK) {
		worker_free(w);
		return err;
	}
	*out = w;
	return OK;

deinit_clients:
	clients_deinit(&w->clients);
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
	for (size_t i = 0; i < w->udp_socket_count; i++)
		udp_close(&w->udp_sockets[i]);
	udp_server_deinit(&w->udp);
	tcp_server_deinit(&w->tcp);
	outbound_deinit(&w->outbound);
	if (w->resolver)
		resolver_free(w->resolver);
	if (w->reader)
		cache_reader_free(w->reader);
	warm_reader_free(w->recaller);
	clients_deinit(&w->clients);
	loop_deinit(&w->loop);
	tracing_close(&w->desk);
	recorder_free(w->recorder);
	feed_deinit(&w->feed);
	for (size_t i = 0; i < w->retired_count; i++)
		snapshot_release(w->retired[i]);
	snapshot_release(atomic_load(&w->mailbox));
	for (struct refresh *r = atomic_load(&w->refreshes), *next; r; r = next) {
		next = r->next;
		free(r);
	}
	take_popular(w);
	while (w->to_keep) {
		struct popular *first = w->to_keep;
		w->to_keep = first->next;
		free(first);
	}
	snapshot_release(w->snapshot);
	free(w);
}

enum err worker_listen(struct worker *w, const struct endpoint *address, bool tcp, int fd)
{
	REQUIRE(!w->running);
	if (tcp)
		return tcp_listen(&w->tcp, address, fd);
	REQUIRE(w->udp_socket_count < CONFIG_LISTEN_MAX);
	enum err err = udp_listen(&w->udp_sockets[w->udp_socket_count], &w->udp, address, fd);
	w->udp_socket_count += err == OK;
	return err;
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

void worker_refresh(struct worker *w, const uint8_t *name, uint16_t type)
{
	struct refresh *r = calloc(1, sizeof(*r));

	if (!r)
		return; /* as if the question had been lost on its way */
	dname_copy(name, r->name);
	r->type = type;
	r->next = atomic_load_explicit(&w->refreshes, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&w->refreshes, &r->next, r,
						      memory_order_release, memory_order_relaxed))
		;
	loop_wake(&w->loop);
}

void worker_trace(struct worker *w, struct tracing *t)
{
	tracing_post(&w->desk, t);
	loop_wake(&w->loop);
}

struct recorder *worker_recorder(const struct worker *w)
{
	return w->recorder;
}

void worker_keep(struct worker *w, const struct entry *e)
{
	struct popular *p = malloc(sizeof(*p) + e->name_len);

	if (!p)
		return; /* clients will bring it back */
	p->kind = (enum entry_kind)e->kind;
	p->type = e->type;
	p->name_len = e->name_len;
	memcpy(p->name, entry_name(e), e->name_len);
	p->next = atomic_load_explicit(&w->popular, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&w->popular, &p->next, p,
						      memory_order_release, memory_order_relaxed))
		;
	loop_wake(&w->loop);
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
