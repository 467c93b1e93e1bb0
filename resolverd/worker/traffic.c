#include "worker/traffic.h"

#include <unistd.h>

#include "base/require.h"
#include "worker/query_log.h"

/* ---- the query log ---- */

/* EVENT, a query, was answered at once; an empty ANSWER: not, and never will be. */
static void log_now(struct traffic *t, const struct event *event, struct span answer)
{
	const struct query_record record = {
		.client = event->peer,
		.tcp = event->transport == TRANSPORT_TCP,
		.hit = true,
		.message = event->packet,
		.answer = answer,
		.took_us = loop_awake_us(t->loop),
	};

	query_log(t->log, &record, &t->log_seen);
}

static void log_later(struct traffic *t, const struct asker *client, struct span answer)
{
	bool tcp = client->kind == ASKER_TCP;
	const struct query_record record = {
		.client = tcp ? tcp_peer(&t->tcp, client->handle) : &client->path.peer,
		.tcp = tcp,
		.message = answer,
		.answer = answer,
		.took_us = t->loop->now.mono_us - client->since_us + loop_awake_us(t->loop),
	};

	if (record.client)
		query_log(t->log, &record, &t->log_seen);
}

/* ---- actions ---- */

static void answer_client(struct traffic *t, uint64_t token, struct span packet)
{
	struct asker client;

	if (!askers_take(&t->askers, token, &client))
		return; /* gone meanwhile */
	metrics_observe(t->metrics, HISTOGRAM_miss_latency_seconds,
			t->loop->now.mono_us - client.since_us);
	if (UNLIKELY(t->log))
		log_later(t, &client, packet);
	if (client.kind == ASKER_TCP)
		metrics_observe(t->metrics, HISTOGRAM_tcp_answer_bytes, packet.len);
	if (client.kind == ASKER_UDP)
		udp_send(&client.path, packet);
	else if (tcp_answer(&t->tcp, client.handle, packet) != OK)
		metrics_add(t->metrics, METRIC_queries_dropped_total, 1);
}

static void drop_client(struct traffic *t, uint64_t token)
{
	struct asker client;

	if (!askers_take(&t->askers, token, &client))
		return;
	metrics_add(t->metrics, METRIC_queries_dropped_total, 1);
	if (client.kind == ASKER_TCP)
		tcp_drop(&t->tcp, client.handle);
}

static void send_upstream(struct traffic *t, const struct action *a)
{
	const struct outbound_packet packet = {.bytes = a->packet,
					       .peer = a->peer,
					       .tcp = a->transport == TRANSPORT_TCP,
					       .zone = a->zone};

	outbound_send(&t->outbound, a->token, &packet);
}

static void act(struct traffic *t, const struct action *a)
{
	switch (a->kind) {
	case ACT_SEND:
		send_upstream(t, a);
		break;
	case ACT_CANCEL:
		outbound_cancel(&t->outbound, a->token);
		break;
	case ACT_ANSWER:
		answer_client(t, a->token, a->packet);
		break;
	case ACT_DROP:
		drop_client(t, a->token);
		break;
	}
}

/* Nothing that an action does leads back into the resolver: losses and closed connections are
 * reported by the loop, and whoever asks meanwhile is answered from the cache or waits. So the list stays
 * valid. It may be long: a question has as many waiters as somebody has connections. */
void traffic_step(struct traffic *t, const struct event *event)
{
	struct actions actions;

	resolver_step(t->resolver, t->loop->now, event, &actions);
	udp_hold(&t->udp);
	for (size_t i = 0; i < actions.count; i++) {
		if (i > 0)
			loop_breathe(t->loop);
		act(t, &actions.list[i]);
	}
	udp_release(&t->udp);
}

/* ---- events ---- */

/* EVENT, a query, has got the answer OUT, or what else LEN means in resolver_answer_now(). */
static void tell(struct traffic *t, const struct event *event, const uint8_t *out, ptrdiff_t len)
{
	if (feed_wants(t->feed, FEED_QUESTION))
		feed_question(t->feed, event->packet, event->peer, len != 0, t->loop->now);
	if (t->log && len != 0)
		log_now(t, event, span_of(out, len > 0 ? (size_t)len : 0));
}

static bool somebody_listens(const struct traffic *t)
{
	return t->log || feed_wants(t->feed, FEED_QUESTION);
}

/* CLIENT, who was taken, gets no answer. */
static void abandon_client(struct traffic *t, const struct asker *client, uint64_t token)
{
	bool tcp = client->kind == ASKER_TCP;
	struct event event = {
		.kind = EV_GONE, .token = token, .transport = tcp ? TRANSPORT_TCP : TRANSPORT_UDP};

	metrics_add(t->metrics, METRIC_queries_dropped_total, 1);
	if (tcp)
		tcp_drop(&t->tcp, client->handle);
	traffic_step(t, &event);
}

/* One more client of HOLDER may wait. */
static bool has_room_for(struct traffic *t, const struct shares_holder *holder)
{
	struct asker client;
	uint64_t token;

	if (LIKELY(!askers_is_full(&t->askers)))
		return true;
	metrics_add(t->metrics, METRIC_shares_clients_total, 1);
	if (!askers_victim(&t->askers, holder, &token)) {
		metrics_add(t->metrics, METRIC_queries_dropped_total, 1);
		return false;
	}
	REQUIRE(askers_take(&t->askers, token, &client)); /* else it would be in use twice */
	abandon_client(t, &client, token);
	return true;
}

static ptrdiff_t handle_udp(void *context, struct span packet, const struct udp_path *path,
			    uint8_t *out, size_t size_bytes)
{
	struct traffic *t = context;
	struct event event = {.kind = EV_QUERY,
			      .packet = packet,
			      .peer = &path->peer,
			      .transport = TRANSPORT_UDP};

	metrics_add(t->metrics, METRIC_queries_udp_total, 1);
	ptrdiff_t len = resolver_answer_now(t->resolver, t->loop->now, &event, out, size_bytes);
	if (UNLIKELY(somebody_listens(t)))
		tell(t, &event, out, len);
	if (len == 0)
		return UDP_LATER;
	return len > 0 ? len : UDP_NEVER;
}

static void work_udp(void *context, struct span packet, const struct udp_path *path)
{
	struct traffic *t = context;
	struct event event = {.kind = EV_QUERY,
			      .packet = packet,
			      .peer = &path->peer,
			      .transport = TRANSPORT_UDP};
	struct shares_holder holder = resolver_holder_of(t->resolver, &path->peer);

	if (!has_room_for(t, &holder))
		return;
	event.token = askers_add_udp(&t->askers, path, &holder, t->loop->now);
	traffic_step(t, &event);
}

static ptrdiff_t handle_tcp(void *context, struct span packet, const struct tcp_client *client,
			    uint8_t *out, size_t size_bytes)
{
	struct traffic *t = context;
	struct event event = {.kind = EV_QUERY,
			      .packet = packet,
			      .peer = &client->peer,
			      .transport = TRANSPORT_TCP};

	metrics_add(t->metrics, METRIC_queries_tcp_total, 1);
	ptrdiff_t len = resolver_answer_now(t->resolver, t->loop->now, &event, out, size_bytes);
	if (UNLIKELY(somebody_listens(t)))
		tell(t, &event, out, len);
	if (len > 0)
		metrics_observe(t->metrics, HISTOGRAM_tcp_answer_bytes, (uint64_t)len);
	if (len != 0)
		return len > 0 ? len : TCP_NEVER;
	struct shares_holder holder = resolver_holder_of(t->resolver, &client->peer);
	if (!has_room_for(t, &holder))
		return TCP_NEVER;
	event.token = askers_add_tcp(&t->askers, client->handle, &holder, t->loop->now);
	traffic_step(t, &event);
	return TCP_LATER;
}

static struct shares_holder holder_of(void *context, const struct endpoint *peer)
{
	const struct traffic *t = context;

	return resolver_holder_of(t->resolver, peer);
}

static void handle_gone(void *context, struct tcp_handle handle)
{
	struct traffic *t = context;
	struct event event = {.kind = EV_GONE, .transport = TRANSPORT_TCP};
	struct asker client;

	while (askers_of(&t->askers, handle, &event.token)) {
		REQUIRE(askers_take(&t->askers, event.token, &client));
		traffic_step(t, &event);
	}
}

static void handle_reply(void *context, const struct outbound_reply *reply)
{
	struct event event = {.kind = EV_REPLY,
			      .token = reply->token,
			      .packet = reply->packet,
			      .peer = &reply->peer,
			      .transport = reply->tcp ? TRANSPORT_TCP : TRANSPORT_UDP,
			      .fragmented = reply->fragmented};

	traffic_step(context, &event);
}

static void handle_lost(void *context, uint64_t token, enum loss loss)
{
	struct event event = {.kind = EV_LOST, .token = token, .loss = loss};

	traffic_step(context, &event);
}

static void handle_deadline(void *context)
{
	struct traffic *t = context;
	struct event event = {.kind = EV_DEADLINE};

	t->deadline_ms = UINT64_MAX;
	traffic_step(t, &event);
}

void traffic_set_deadline(struct traffic *t)
{
	uint64_t deadline_ms = resolver_deadline_ms(t->resolver);

	if (deadline_ms == t->deadline_ms)
		return;
	t->deadline_ms = deadline_ms;
	if (deadline_ms == UINT64_MAX)
		loop_timer_clear(t->loop, &t->deadline);
	else
		loop_timer_set(t->loop, &t->deadline, deadline_ms * 1000);
}

/* ---- life ---- */

static enum err open_servers(struct traffic *t, const struct traffic_parts *parts)
{
	struct tcp_settings tcp = {
		.connections = parts->tcp_connections,
		.pending = TCP_PENDING,
		.idle_ms = TCP_IDLE_MS,
		.input_bytes = parts->input_bytes / 2,
		.output_bytes = parts->output_bytes,
		.handler = handle_tcp,
		.gone = handle_gone,
		.holder = holder_of,
		.context = t,
	};
	const struct udp_settings udp = {
		.handler = handle_udp, .work = work_udp, .context = t, .metrics = t->metrics};
	enum err err = udp_server_init(&t->udp, t->loop, &udp);

	if (err != OK)
		return err;
	err = tcp_server_init(&t->tcp, t->loop, &tcp);
	if (err != OK)
		udp_server_deinit(&t->udp);
	return err;
}

static enum err open_outbound(struct traffic *t, const struct traffic_parts *parts)
{
	struct outbound_settings settings = {
		.udp_sockets = parts->udp_sockets,
		.input_bytes = parts->input_bytes / 2,
		.reply = handle_reply,
		.lost = handle_lost,
		.context = t,
	};
	struct rng rng;

	rng_init(&rng);
	return outbound_init(&t->outbound, t->loop, &rng, &settings);
}

enum err traffic_init(struct traffic *t, const struct traffic_parts *parts)
{
	*t = (struct traffic){
		.loop = parts->loop,
		.resolver = parts->resolver,
		.metrics = parts->metrics,
		.feed = parts->feed,
		.deadline = {.fn = handle_deadline, .context = t},
		.deadline_ms = UINT64_MAX,
	};
	enum err err = askers_init(&t->askers, parts->tcp_connections);

	if (err != OK)
		return err;
	err = open_servers(t, parts);
	if (err != OK)
		goto deinit_clients;
	err = open_outbound(t, parts);
	if (err != OK)
		goto deinit_servers;
	return OK;

deinit_servers:
	tcp_server_deinit(&t->tcp);
	udp_server_deinit(&t->udp);
deinit_clients:
	askers_deinit(&t->askers);
	return err;
}

void traffic_deinit(struct traffic *t)
{
	for (size_t i = 0; i < t->udp_socket_count; i++)
		udp_close(&t->udp_sockets[i]);
	udp_server_deinit(&t->udp);
	tcp_server_deinit(&t->tcp);
	outbound_deinit(&t->outbound);
	askers_deinit(&t->askers);
}

enum err traffic_listen(struct traffic *t, const struct endpoint *address, bool tcp, int fd,
			enum socket_owner owner)
{
	size_t slot = 0;

	if (tcp)
		return acceptor_listen(&t->tcp.acceptor, address, fd, owner);
	while (slot < t->udp_socket_count && t->udp_sockets[slot].watch.watched)
		slot++;
	if (slot == TRAFFIC_LISTEN_MAX) {
		close(fd);
		return ERR_LIMIT;
	}
	enum err err = udp_listen(&t->udp_sockets[slot], &t->udp, address, fd, owner);
	if (err == OK)
		t->udp_socket_count = MAX(t->udp_socket_count, slot + 1);
	return err;
}

/* The slot of S will be somebody else's, so nobody's way back may lead there. */
static void leave_clients(struct traffic *t, const struct udp_socket *s)
{
	struct asker client;
	uint32_t from = 0;
	uint64_t token;

	while (askers_of_socket(&t->askers, s, &from, &token)) {
		REQUIRE(askers_take(&t->askers, token, &client));
		abandon_client(t, &client, token);
	}
}

void traffic_unlisten(struct traffic *t, const struct endpoint *address, bool tcp)
{
	if (tcp) {
		acceptor_unlisten(&t->tcp.acceptor, address);
		return;
	}
	for (size_t i = 0; i < t->udp_socket_count; i++) {
		struct udp_socket *s = &t->udp_sockets[i];
		if (!s->watch.watched || !endpoint_equal(&s->local, address))
			continue;
		udp_close(s);
		leave_clients(t, s);
	}
}

void traffic_drain(struct traffic *t)
{
	for (size_t i = 0; i < t->udp_socket_count; i++)
		udp_drain(&t->udp_sockets[i]);
	acceptor_drain(&t->tcp.acceptor);
}

bool traffic_is_drained(const struct traffic *t)
{
	return tcp_is_drained(&t->tcp);
}

struct traffic_memory traffic_memory(const struct traffic *t)
{
	return (struct traffic_memory){
		.input_bytes = t->tcp.unread_bytes + t->outbound.pool.unread_bytes,
		.output_bytes = t->tcp.unwritten_bytes,
		.shed_input = t->tcp.shed_input + t->outbound.pool.shed_input,
		.shed_output = t->tcp.shed_output,
	};
}

static void count(struct traffic *t, enum metric which, uint64_t total, uint64_t *counted)
{
	metrics_add(t->metrics, which, total - *counted);
	*counted = total;
}

void traffic_count(struct traffic *t)
{
	count(t, METRIC_tcp_accepted_total, t->tcp.accepted, &t->counted_accepted);
	count(t, METRIC_tcp_rejected_total, t->tcp.rejected, &t->counted_rejected);
	count(t, METRIC_shares_tcp_total, t->tcp.unfair, &t->counted_unfair);
	count(t, METRIC_queries_dropped_total, t->udp.dropped_answers, &t->counted_dropped);
	for (size_t i = 0; i < t->udp_socket_count; i++)
		udp_count_drops(&t->udp_sockets[i]);
	acceptor_count_drops(&t->tcp.acceptor);
	count(t, METRIC_udp_receive_drops_total, t->udp.drops, &t->counted_udp_drops);
	count(t, METRIC_tcp_accept_drops_total, t->tcp.acceptor.drops, &t->counted_tcp_drops);
}
