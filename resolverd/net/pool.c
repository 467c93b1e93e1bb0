#include "net/pool.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"

enum { HEADER_SIZE = 12, SCRATCH_SIZE = 2 * STREAM_FRAME_MAX };

struct pool_connection {
	TAILQ_ENTRY(pool_connection) in_pool;
	struct pool *pool;
	struct loop_watch watch;
	struct pool_target target;
	struct pool_queries queries; /* oldest first */
	unsigned query_count;
	uint64_t opened_us;
	uint64_t since_us; /* had its last query sent or taken away */
	uint64_t heard_us; /* its server last gave a sign, or began to owe one */
	bool connected;
	bool served; /* has brought a reply */
	bool doomed;
	enum loss loss; /* what becomes of its queries then */
	bool held;	/* somebody stands on it: it may be doomed but not closed */
	unsigned unanswered, strangers;
	struct stream_queue in, out;
};

/* ---- connections ---- */

static void doom(struct pool_connection *c, enum loss loss)
{
	struct pool *p = c->pool;

	if (!c->doomed)
		c->loss = loss;
	c->doomed = true;
	loop_timer_set(p->loop, &p->attention, p->loop->now.mono_us);
}

/* What was read of a reply that has begun is not wanted any more. */
static void drop_input(struct pool_connection *c)
{
	c->pool->unread_bytes -= c->in.capacity;
	stream_queue_deinit(&c->in);
}

static void close_socket(struct pool_connection *c)
{
	struct pool *p = c->pool;

	if (c->watch.fd < 0)
		return;
	loop_forget(p->loop, &c->watch);
	close(c->watch.fd);
	c->watch.fd = -1;
	p->count--;
}

static void close_connection(struct pool_connection *c)
{
	REQUIRE(TAILQ_EMPTY(&c->queries));
	close_socket(c);
	drop_input(c);
	stream_queue_deinit(&c->out);
	TAILQ_REMOVE(&c->pool->connections, c, in_pool);
	free(c);
}

/* In use now: last in line for being closed. */
static void touch(struct pool_connection *c)
{
	struct pool *p = c->pool;

	c->since_us = p->loop->now.mono_us;
	TAILQ_REMOVE(&p->connections, c, in_pool);
	TAILQ_INSERT_TAIL(&p->connections, c, in_pool);
}

/* The connection that has waited longest for its server, if that is long. */
static struct pool_connection *longest_waiting(const struct pool *p)
{
	struct pool_connection *c, *longest = NULL;
	uint64_t before_us = p->loop->now.mono_us - POOL_WAITED_MS * 1000ULL;

	TAILQ_FOREACH(c, &p->connections, in_pool)
	if (!c->held && !c->doomed && c->heard_us <= before_us &&
	    (!longest || c->heard_us < longest->heard_us))
		longest = c;
	return longest;
}

/* Make room for another connection: one without queries, or one that waits for a silent server,
 * has to give way. The descriptor is free at once; queries are told by the loop. */
static bool make_room(struct pool *p)
{
	struct pool_connection *c;

	TAILQ_FOREACH(c, &p->connections, in_pool)
	{
		if (c->query_count == 0 && !c->held && !c->doomed) {
			close_connection(c);
			return true;
		}
	}
	c = longest_waiting(p);
	if (!c)
		return false;
	doom(c, LOSS_YIELDED);
	close_socket(c);
	return true;
}

static void handle_ready(void *context, unsigned ready);

/* A socket on its way to SERVER, or -1 with errno. */
static int begin_connect(const struct endpoint *server)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(server, &address);

	errno = EAFNOSUPPORT;
	if (len == 0)
		return -1;
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	(void)socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (connect(fd, (struct sockaddr *)&address, len) != 0 && errno != EINPROGRESS) {
		socket_abandon(fd);
		return -1;
	}
	return fd;
}

/* Half of all connections are in use, and of those opened for ZONE many have brought nothing. */
static bool has_its_share(const struct pool *p, uint32_t zone)
{
	const struct pool_connection *c;
	unsigned mute = 0;

	if (p->count < POOL_CONNECTIONS / 2)
		return false;
	TAILQ_FOREACH(c, &p->connections, in_pool)
	mute += !c->served && !c->doomed && c->target.zone == zone;
	return mute >= POOL_ZONE_SHARE;
}

static enum err open_connection(struct pool *p, const struct pool_target *target,
				struct pool_connection **out)
{
	if (has_its_share(p, target->zone) || (p->count >= POOL_CONNECTIONS && !make_room(p)))
		return ERR_LIMIT;
	struct pool_connection *c = calloc(1, sizeof(*c));
	if (!c)
		return ERR_NO_MEMORY;
	c->pool = p;
	c->target = *target;
	c->opened_us = c->since_us = c->heard_us = p->loop->now.mono_us;
	c->watch = (struct loop_watch){.fn = handle_ready, .context = c};
	TAILQ_INIT(&c->queries);
	int fd = begin_connect(&target->server);
	if (fd < 0)
		goto free_connection;
	if (loop_watch(p->loop, &c->watch, fd, LOOP_WRITE) != OK)
		goto close_socket;
	TAILQ_INSERT_TAIL(&p->connections, c, in_pool);
	if (p->count++ == 0)
		loop_timer_set(p->loop, &p->tick, p->loop->now.mono_us + POOL_TICK_MS * 1000);
	*out = c;
	return OK;

close_socket:
	socket_abandon(fd);
free_connection:
	free(c);
	return socket_is_shortage(errno) ? ERR_LIMIT : ERR_SYSTEM;
}

static struct pool_closer *closer_at(struct pool *p, const struct endpoint *server)
{
	for (unsigned i = 0; i < POOL_CLOSERS; i++)
		if (p->closers[i].until_us > p->loop->now.mono_us &&
		    endpoint_equal(&p->closers[i].server, server))
			return &p->closers[i];
	return NULL;
}

static void note_closer(struct pool *p, const struct endpoint *server)
{
	struct pool_closer *place = closer_at(p, server), *first = p->closers;

	for (unsigned i = 1; i < POOL_CLOSERS; i++)
		if (p->closers[i].until_us < first->until_us)
			first = &p->closers[i];
	*(place ? place : first) = (struct pool_closer){
		.server = *server, .until_us = p->loop->now.mono_us + POOL_CLOSER_MS * 1000ULL};
}

static bool has_id(const struct pool_connection *c, uint16_t id)
{
	const struct pool_query *q;

	TAILQ_FOREACH(q, &c->queries, in_connection)
	if (q->id == id)
		return true;
	return false;
}

/* The connection to TARGET for a query with ID: the least busy one, or a new one. */
static enum err choose_connection(struct pool *p, const struct pool_target *target, uint16_t id,
				  struct pool_connection **out)
{
	struct pool_connection *c, *best = NULL;
	unsigned to_server = 0, most = p->count >= POOL_CONNECTIONS / 2 ? 1 : POOL_PER_SERVER;
	unsigned spread = closer_at(p, &target->server) ? 1 : POOL_SPREAD;

	TAILQ_FOREACH(c, &p->connections, in_pool)
	{
		if (c->doomed || !endpoint_equal(&c->target.server, &target->server))
			continue;
		to_server++;
		if (c->unanswered < POOL_UNANSWERED && c->query_count < POOL_PIPELINE &&
		    !has_id(c, id) && (!best || c->query_count < best->query_count))
			best = c;
	}
	if (best && (best->query_count < spread || to_server >= most)) {
		*out = best;
		return OK;
	}
	enum err err = to_server < most ? open_connection(p, target, out) : ERR_LIMIT;
	if (err != OK && best) {
		*out = best;
		return OK;
	}
	return err;
}

/* ---- queries ---- */

static void write_bytes(struct pool_connection *c, struct span bytes)
{
	if (c->connected && stream_queue_len(&c->out) == 0 &&
	    stream_write(c->watch.fd, &bytes) != OK) {
		doom(c, LOSS_CLOSED);
		return;
	}
	if (stream_queue_push(&c->out, bytes, POOL_WRITE_MAX) != OK)
		doom(c, LOSS_ROOM);
}

static void settle(struct pool_connection *c)
{
	unsigned wanted = c->connected ? LOOP_READ : LOOP_WRITE;

	if (stream_queue_len(&c->out) > 0)
		wanted |= LOOP_WRITE;
	loop_want(c->pool->loop, &c->watch, wanted);
}

/* Put QUERY, whose copy is ready, on a connection to TARGET. */
static enum err send_copy(struct pool *p, struct pool_query *query,
			  const struct pool_target *target)
{
	struct pool_connection *c;
	enum err err = choose_connection(p, target, query->id, &c);

	if (err != OK)
		return err;
	query->connection = c;
	query->answered = false;
	query->sent_us = p->loop->now.mono_us;
	if (c->query_count == 0)
		c->heard_us = query->sent_us;
	TAILQ_INSERT_TAIL(&c->queries, query, in_connection);
	c->query_count++;
	touch(c);
	write_bytes(c, stream_queue_view(&query->copy));
	settle(c);
	return OK;
}

/* QUERY is not out any more. */
static void take_away(struct pool_query *query)
{
	struct pool_connection *c = query->connection;

	TAILQ_REMOVE(&c->queries, query, in_connection);
	c->query_count--;
	query->connection = NULL;
}

enum err pool_send(struct pool *p, struct pool_query *query, struct span packet,
		   const struct pool_target *target)
{
	uint8_t length[STREAM_LENGTH_SIZE] = {(uint8_t)(packet.len >> 8), (uint8_t)packet.len};

	REQUIRE(!query->connection);
	REQUIRE(packet.len >= HEADER_SIZE && packet.len <= STREAM_MESSAGE_MAX);
	*query = (struct pool_query){.id = (uint16_t)(packet.at[0] << 8 | packet.at[1])};
	enum err err =
		stream_queue_push(&query->copy, span_of(length, sizeof(length)), STREAM_FRAME_MAX);
	if (err == OK)
		err = stream_queue_push(&query->copy, packet, STREAM_FRAME_MAX);
	if (err == OK)
		err = send_copy(p, query, target);
	if (err != OK)
		stream_queue_deinit(&query->copy);
	return err;
}

void pool_cancel(struct pool *p, struct pool_query *query)
{
	struct pool_connection *c = query->connection;

	if (!c)
		return;
	take_away(query);
	stream_queue_deinit(&query->copy);
	if (c->connected && !query->answered &&
	    p->loop->now.mono_us - query->sent_us >= POOL_ANSWER_MS * 1000ULL)
		c->unanswered++;
	if (c->query_count > 0)
		return;
	touch(c);
	if (c->connected && c->unanswered >= POOL_UNANSWERED)
		doom(c, LOSS_CLOSED);
}

/* The connection is broken: send its queries over another one, or give them up; close it.
 * Owners may send and cancel meanwhile, but nothing new is put on a doomed connection. */
static void bury(struct pool_connection *c)
{
	struct pool *p = c->pool;
	struct pool_query *query;

	enum loss loss = c->doomed ? c->loss : LOSS_CLOSED;

	c->held = true;
	c->doomed = true;
	if (loss == LOSS_CLOSED && c->served && !TAILQ_EMPTY(&c->queries))
		note_closer(p, &c->target.server);
	while ((query = TAILQ_FIRST(&c->queries))) {
		take_away(query);
		bool retry = loss != LOSS_YIELDED && c->served && query->again < POOL_AGAIN_MAX &&
			     !query->answered;
		query->again++;
		if (retry && send_copy(p, query, &c->target) == OK)
			continue;
		stream_queue_deinit(&query->copy);
		p->lost(p->context, query, loss);
	}
	close_connection(c);
}

/* ---- reading ---- */

static void take_message(struct pool_connection *c, struct span message)
{
	struct pool *p = c->pool;
	struct pool_query *query;

	if (message.len < HEADER_SIZE) { /* not DNS, or out of step */
		doom(c, LOSS_CLOSED);
		return;
	}
	uint16_t id = (uint16_t)(message.at[0] << 8 | message.at[1]);
	TAILQ_FOREACH(query, &c->queries, in_connection)
	if (query->id == id)
		break;
	if (!query) {
		if (++c->strangers > POOL_STRANGERS)
			doom(c, LOSS_CLOSED);
		return;
	}
	c->strangers = c->unanswered = 0;
	c->served = true;
	c->heard_us = p->loop->now.mono_us;
	query->answered = true;
	p->reply(p->context, query, message);
}

/* Who holds most of what has been read. */
static struct pool_connection *largest_input(struct pool *p)
{
	struct pool_connection *c, *largest = NULL;

	TAILQ_FOREACH(c, &p->connections, in_pool)
	if (!largest || c->in.capacity > largest->in.capacity)
		largest = c;
	return largest;
}

/* Keep BYTES, a reply that has begun; whoever holds most has to go if that is too much, be it C. */
static void keep_input(struct pool_connection *c, struct span bytes)
{
	struct pool *p = c->pool;

	while (!c->doomed && p->unread_bytes + bytes.len > p->unread_limit) {
		struct pool_connection *largest = largest_input(p);
		if (!largest || largest->in.capacity <= bytes.len)
			largest = c;
		p->shed_input++;
		drop_input(largest);
		doom(largest, LOSS_YIELDED);
	}
	if (c->doomed)
		return;
	if (stream_queue_push(&c->in, bytes, SCRATCH_SIZE) != OK)
		doom(c, LOSS_ROOM);
	p->unread_bytes += c->in.capacity;
}

static void read_messages(struct pool_connection *c)
{
	struct pool *p = c->pool;
	struct span left = stream_queue_view(&c->in), message;
	size_t len;

	/* Whole messages have been taken, so this is less than one frame. */
	REQUIRE(left.len < STREAM_FRAME_MAX);
	enum err err = stream_read(c->watch.fd, p->scratch + left.len, STREAM_FRAME_MAX, &len);
	if (err == ERR_NOT_FOUND || err == ERR_CLOSED)
		doom(c, LOSS_CLOSED);
	if (err != OK)
		return;
	if (left.len > 0 && left.at)
		memcpy(p->scratch, left.at, left.len);
	struct span bytes = span_of(p->scratch, left.len + len);
	while (!c->doomed && stream_next_message(&bytes, &message))
		take_message(c, message);
	drop_input(c);
	keep_input(c, bytes);
}

static void finish_connect(struct pool_connection *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
		doom(c, LOSS_CLOSED);
		return;
	}
	c->connected = true;
	c->heard_us = c->pool->loop->now.mono_us;
}

static void write_queue(struct pool_connection *c)
{
	struct span rest = stream_queue_view(&c->out);
	size_t len = rest.len;

	if (stream_write(c->watch.fd, &rest) != OK)
		doom(c, LOSS_CLOSED);
	else
		stream_queue_pop(&c->out, len - rest.len);
}

static void handle_ready(void *context, unsigned ready)
{
	struct pool_connection *c = context;

	c->held = true;
	if (!c->connected && ready & (LOOP_WRITE | LOOP_FAILED))
		finish_connect(c);
	if (!c->doomed && c->connected && ready & LOOP_WRITE)
		write_queue(c);
	/* Replies that came before a hang-up still count. */
	if (!c->doomed && ready & LOOP_READ)
		read_messages(c);
	else if (ready & LOOP_FAILED)
		doom(c, LOSS_CLOSED);
	c->held = false;
	if (c->doomed)
		bury(c);
	else
		settle(c);
}

static void handle_attention(void *context)
{
	struct pool *p = context;
	struct pool_connection *c;

	/* Burying one may doom others, but opens at most as many as it has queries, which are sent
	 * again only after a connection has brought something: this ends. */
	do {
		TAILQ_FOREACH(c, &p->connections, in_pool)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ_REMOVE */
		if (c->doomed && !c->held)
			break;
		if (c)
			bury(c);
	} while (c);
}

static void handle_tick(void *context)
{
	struct pool *p = context;
	struct pool_connection *c;
	uint64_t now_us = p->loop->now.mono_us;

	TAILQ_FOREACH(c, &p->connections, in_pool)
	{
		if (!c->connected
			    ? now_us - c->opened_us >= POOL_CONNECT_MS * 1000ULL
			    : c->query_count == 0 && now_us - c->since_us >= POOL_IDLE_MS * 1000ULL)
			doom(c, LOSS_TIMEOUT);
	}
	if (p->count > 0)
		loop_timer_set(p->loop, &p->tick, now_us + POOL_TICK_MS * 1000);
}

/* ---- life ---- */

enum err pool_init(struct pool *p, struct loop *loop, pool_reply_fn *reply, pool_lost_fn *lost,
		   void *context)
{
	*p = (struct pool){.loop = loop,
			   .reply = reply,
			   .lost = lost,
			   .context = context,
			   .unread_limit = POOL_READ_TOTAL_MAX};
	p->tick = (struct loop_timer){.fn = handle_tick, .context = p};
	p->attention = (struct loop_timer){.fn = handle_attention, .context = p};
	TAILQ_INIT(&p->connections);
	p->scratch = malloc(SCRATCH_SIZE);
	return p->scratch ? OK : ERR_NO_MEMORY;
}

void pool_deinit(struct pool *p)
{
	struct pool_connection *c;
	struct pool_query *query;

	while ((c = TAILQ_FIRST(&p->connections))) {
		while ((query = TAILQ_FIRST(&c->queries))) {
			take_away(query);
			stream_queue_deinit(&query->copy);
		}
		close_connection(c);
	}
	loop_timer_clear(p->loop, &p->tick);
	loop_timer_clear(p->loop, &p->attention);
	free(p->scratch);
	p->scratch = NULL;
}
