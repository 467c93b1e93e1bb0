#include "net/tcp.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEADER_SIZE = 12, /* nothing shorter is a DNS message */
	/* What was left of a message, or of a whole read of them, and what is read now. */
	INCOMING_SIZE = STREAM_LENGTH_SIZE + TCP_QUERY_MAX + TCP_READ_MAX,
	OUTGOING_SIZE = 4 * STREAM_FRAME_MAX,
	AT_A_TIME = 16, /* connections that are seen to before others have a turn */
};

struct tcp_connection {
	TAILQ_ENTRY(tcp_connection) in_state; /* or among the free ones */
	TAILQ_ENTRY(tcp_connection) in_waiting;
	struct shares_member share;
	struct tcp_server *server;
	struct loop_watch watch;
	struct endpoint peer;
	uint32_t generation; /* of the slot: a new one for each connection */
	enum tcp_state state;
	uint64_t since_us; /* in this state, or of the last progress in it */
	unsigned pending;
	bool open;
	bool asked;	    /* something, at least once */
	bool end_of_stream; /* the client has sent its FIN */
	bool closing;	    /* we have sent ours */
	bool doomed;
	bool waiting; /* for attention */
	struct stream_queue in, out;
	size_t in_counted; /* of the former, in unread_bytes */
	size_t skip;	   /* to be read past: the rest of a query that is too long */
};

/* ---- states ---- */

uint32_t tcp_idle_ms(uint32_t idle_ms, unsigned open, unsigned limit)
{
	/* Percent of the limit in use, and the longest idle time then. The first rows keep what
	 * CoreDNS counts on; when it gets close, room is worth more than a handshake. */
	static const struct {
		unsigned percent;
		uint32_t idle_ms;
	} pressure[] = {{97, 1000}, {90, 5000}, {75, 15000}, {50, 20000}};

	for (size_t i = 0; i < ARRAY_LEN(pressure); i++)
		if ((uint64_t)open * 100 >= (uint64_t)limit * pressure[i].percent)
			return MIN(idle_ms, pressure[i].idle_ms);
	return idle_ms;
}

/* How long a connection may stay in STATE without progress; UINT32_MAX: for ever. */
static uint32_t patience_ms(const struct tcp_server *t, enum tcp_state state)
{
	uint32_t idle_ms = tcp_idle_ms(t->settings.idle_ms, t->open_count, t->settings.connections);

	switch (state) {
	case TCP_STATE_IDLE:
		return idle_ms;
	case TCP_STATE_PARTIAL:
		return MIN(idle_ms, TCP_MESSAGE_MS);
	case TCP_STATE_BUSY:
		return UINT32_MAX; /* whoever answers has a deadline of its own */
	case TCP_STATE_WRITING:
		return TCP_WRITE_MS;
	case TCP_STATE_CLOSING:
		return TCP_CLOSING_MS;
	case TCP_STATE_DOOMED:
	case TCP_STATE_COUNT:
		break;
	}
	return 0;
}

static enum tcp_state state_of(const struct tcp_connection *c)
{
	if (c->doomed)
		return TCP_STATE_DOOMED;
	if (c->closing)
		return TCP_STATE_CLOSING;
	if (stream_queue_len(&c->out) > 0)
		return TCP_STATE_WRITING;
	if (c->pending > 0)
		return TCP_STATE_BUSY;
	return stream_queue_len(&c->in) > 0 || c->skip > 0 ? TCP_STATE_PARTIAL : TCP_STATE_IDLE;
}

/* May another query be taken from this connection? */
static bool takes_queries(const struct tcp_connection *c)
{
	return !c->doomed && !c->closing && c->pending < c->server->settings.pending &&
	       stream_queue_len(&c->out) <= TCP_WRITE_PAUSE;
}

/* File the connection under its state after something happened to it; PROGRESS starts its patience
 * anew even if the state is the same. */
static void settle(struct tcp_connection *c, bool progress)
{
	struct tcp_server *t = c->server;
	enum tcp_state state = state_of(c);
	unsigned wanted = 0;

	if (state != c->state || progress) {
		TAILQ_REMOVE(&t->states[c->state], c, in_state);
		TAILQ_INSERT_TAIL(&t->states[state], c, in_state);
		c->state = state;
		c->since_us = t->loop->now.mono_us;
		shares_touch(&c->share);
	}
	if (!c->end_of_stream && (c->closing || takes_queries(c)))
		wanted |= LOOP_READ;
	if (stream_queue_len(&c->out) > 0)
		wanted |= LOOP_WRITE;
	loop_want(t->loop, &c->watch, wanted);
}

static struct tcp_handle handle_of(const struct tcp_connection *c)
{
	return (struct tcp_handle){(uint32_t)(c - c->server->slots), c->generation};
}

/* Look at the connection when nobody stands on it. */
static void ask_attention(struct tcp_connection *c)
{
	struct tcp_server *t = c->server;

	if (c->waiting)
		return;
	c->waiting = true;
	TAILQ_INSERT_TAIL(&t->waiting, c, in_waiting);
	loop_timer_set(t->loop, &t->attention, t->loop->now.mono_us);
}

static void doom(struct tcp_connection *c)
{
	c->doomed = true;
	ask_attention(c);
}

/* ---- a connection begins and ends ---- */

static void start_tick(struct tcp_server *t)
{
	loop_timer_set(t->loop, &t->tick, t->loop->now.mono_us + TCP_TICK_MS * 1000);
}

/* The memory of what C has read may have changed. */
static void count_input(struct tcp_connection *c)
{
	c->server->unread_bytes += c->in.capacity - c->in_counted; /* modulo 2^64 */
	c->in_counted = c->in.capacity;
}

/* The slot is free for another connection; whoever waited for its answers is told. */
static void close_connection(struct tcp_connection *c)
{
	struct tcp_server *t = c->server;
	struct tcp_handle handle = handle_of(c);
	bool owes = c->pending > 0;

	loop_forget(t->loop, &c->watch);
	close(c->watch.fd);
	shares_leave(&t->shares, &c->share);
	t->unwritten_bytes -= stream_queue_len(&c->out);
	t->silent_count -= !c->asked;
	stream_queue_deinit(&c->in);
	count_input(c);
	stream_queue_deinit(&c->out);
	TAILQ_REMOVE(&t->states[c->state], c, in_state);
	if (c->waiting)
		TAILQ_REMOVE(&t->waiting, c, in_waiting);
	uint32_t generation = c->generation + 1;
	*c = (struct tcp_connection){.server = t, .generation = generation};
	TAILQ_INSERT_TAIL(&t->free, c, in_state);
	t->open_count--;
	acceptor_resume(&t->acceptor);
	if (owes)
		t->settings.gone(t->settings.context, handle);
}

/* In the order in which they can be spared. */
static const enum tcp_state dispensable[] = {TCP_STATE_CLOSING, TCP_STATE_IDLE, TCP_STATE_PARTIAL};

static bool is_dispensable(const struct tcp_connection *c)
{
	for (size_t i = 0; i < ARRAY_LEN(dispensable); i++)
		if (c->state == dispensable[i])
			return true;
	return false;
}

/* Of the client that holds M and what follows, the connection that it can spare best; NULL if it needs
 * all. */
static struct tcp_connection *find_spare(struct shares_member *m)
{
	for (unsigned i = 0; m && i < TCP_EVICT_LOOK; i++, m = TAILQ_NEXT(m, in_account)) {
		struct tcp_connection *c = CONTAINER_OF(m, struct tcp_connection, share);
		if (is_dispensable(c))
			return c;
	}
	return NULL;
}

/* Whoever's has been idle for longest, if that is long enough; NULL: nobody's. */
static struct tcp_connection *find_idle(const struct tcp_server *t)
{
	for (size_t i = 0; i < ARRAY_LEN(dispensable); i++) {
		struct tcp_connection *c = TAILQ_FIRST(&t->states[dispensable[i]]);
		if (c && t->loop->now.mono_us - c->since_us >= TCP_EVICT_MS * 1000ULL)
			return c;
	}
	return NULL;
}

/* All connections are taken: close the one that gives way to a new one of HOLDER. False: none does. */
static bool make_room(struct tcp_server *t, const struct shares_holder *holder)
{
	struct shares_member *victim = shares_victim(&t->shares, holder);
	struct tcp_connection *c = NULL;

	if (victim) {
		c = find_spare(victim);
		c = c ? c : CONTAINER_OF(victim, struct tcp_connection, share);
		t->unfair++;
	} else if (shares_held(&t->shares, holder) > 0) {
		c = find_spare(shares_oldest(&t->shares, holder));
		t->unfair += !c;
	} else {
		c = find_idle(t);
	}
	if (!c)
		return false;
	t->rejected++;
	close_connection(c);
	return true;
}

/* For the acceptor. Who comes is only known when he is in; where nobody could give way he waits outside. */
static bool has_room(void *context)
{
	struct tcp_server *t = context;

	if (t->open_count < t->settings.connections || find_idle(t))
		return true;
	struct shares_member *heaviest = shares_victim(&t->shares, NULL);
	return heaviest && shares_held(&t->shares, shares_holder(heaviest)) > 1;
}

static void handle_connection(void *context, unsigned ready);

/* For the acceptor: take the connection FD over. */
static void open_connection(void *context, int fd, const struct endpoint *peer)
{
	struct tcp_server *t = context;
	struct shares_holder holder = t->settings.holder(t->settings.context, peer);

	if (TAILQ_EMPTY(&t->free) && !make_room(t, &holder))
		goto close_socket;
	struct tcp_connection *c = TAILQ_FIRST(&t->free);
	REQUIRE(c); /* else it would be written where no connection is */
	c->watch = (struct loop_watch){.fn = handle_connection, .context = c};
	if (loop_watch(t->loop, &c->watch, fd, LOOP_READ) != OK)
		goto close_socket;
	TAILQ_REMOVE(&t->free, c, in_state);
	shares_join(&t->shares, &c->share, &holder);
	c->peer = *peer;
	c->open = true;
	c->state = TCP_STATE_IDLE;
	c->since_us = t->loop->now.mono_us;
	TAILQ_INSERT_TAIL(&t->states[TCP_STATE_IDLE], c, in_state);
	t->accepted++;
	t->silent_count++;
	if (t->open_count++ == 0)
		start_tick(t);
	return;

close_socket:
	t->rejected++;
	close(fd);
}

/* ---- reading and writing ---- */

/* Write BYTES behind what waits; keep what the socket does not take. Dooms a connection that is
 * broken or whose client does not read. Whether anything was written. */
static bool write_bytes(struct tcp_connection *c, struct span bytes)
{
	struct tcp_server *t = c->server;
	size_t len = bytes.len;

	if (c->doomed)
		return false;
	if (stream_queue_len(&c->out) == 0 && stream_write(c->watch.fd, &bytes) != OK) {
		doom(c);
		return false;
	}
	bool is_full = t->unwritten_bytes + bytes.len > t->settings.output_bytes;
	t->shed_output += is_full;
	if (is_full || stream_queue_push(&c->out, bytes, TCP_WRITE_MAX) != OK) {
		doom(c);
		return false;
	}
	t->unwritten_bytes += bytes.len;
	return bytes.len < len;
}

/* Write what waits. Whether anything was written. */
static bool write_queue(struct tcp_connection *c)
{
	struct span rest = stream_queue_view(&c->out);
	size_t len = rest.len;

	if (stream_write(c->watch.fd, &rest) != OK) {
		doom(c);
		return false;
	}
	stream_queue_pop(&c->out, len - rest.len);
	c->server->unwritten_bytes -= len - rest.len;
	return rest.len < len;
}

/* One message; an answer that is there at once goes to outgoing[USED]. Its framed length. */
static size_t take_message(struct tcp_connection *c, struct span message, size_t used)
{
	struct tcp_server *t = c->server;
	struct tcp_client client = {.handle = handle_of(c), .peer = c->peer};
	uint8_t *out = t->outgoing + used;

	if (message.len < HEADER_SIZE) { /* the stream is not DNS, or out of step */
		doom(c);
		return 0;
	}
	t->silent_count -= !c->asked;
	c->asked = true;
	/* Pending beforehand: an answer may come from within the handler. */
	c->pending++;
	ptrdiff_t len = t->settings.handler(t->settings.context, message, &client,
					    out + STREAM_LENGTH_SIZE, STREAM_MESSAGE_MAX);
	REQUIRE(len >= TCP_NEVER && len <= STREAM_MESSAGE_MAX);
	if (len == TCP_LATER)
		return 0;
	c->pending--;
	if (len == TCP_NEVER)
		return 0;
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	return STREAM_LENGTH_SIZE + (size_t)len;
}

/* The next query of BYTES, which move behind it: whole, or only the header of one that is too long.
 * False: it has not come to its end. */
static bool next_query(struct tcp_connection *c, struct span *bytes, struct span *query)
{
	size_t past = MIN(c->skip, bytes->len);

	c->skip -= past;
	if (past > 0)
		*bytes = span_of(bytes->at + past, bytes->len - past);
	if (!bytes->at || bytes->len < STREAM_LENGTH_SIZE)
		return false;
	size_t len = (size_t)bytes->at[0] << 8 | bytes->at[1];
	if (len <= TCP_QUERY_MAX)
		return stream_next_message(bytes, query);
	size_t head = STREAM_LENGTH_SIZE + HEADER_SIZE;
	if (bytes->len < head)
		return false;
	*query = span_of(bytes->at + STREAM_LENGTH_SIZE, HEADER_SIZE);
	*bytes = span_of(bytes->at + head, bytes->len - head);
	c->skip = len - HEADER_SIZE;
	return true;
}

/* Take the whole messages of BYTES, as far as the limits allow; BYTES moves behind them. Answers
 * go out together. Whether a message was taken or anything written. */
static bool take_messages(struct tcp_connection *c, struct span *bytes)
{
	struct tcp_server *t = c->server;
	struct span message;
	size_t used = 0;
	bool progress = false;

	while (takes_queries(c) && next_query(c, bytes, &message)) {
		used += take_message(c, message, used);
		progress = true;
		if (OUTGOING_SIZE - used < STREAM_FRAME_MAX) {
			(void)write_bytes(c, span_of(t->outgoing, used));
			used = 0;
		}
	}
	if (used > 0)
		(void)write_bytes(c, span_of(t->outgoing, used));
	return progress;
}

/* Take messages that were left in the queue when a limit was reached. */
static bool take_queued(struct tcp_connection *c)
{
	struct span bytes = stream_queue_view(&c->in);
	size_t len = bytes.len;
	bool progress = take_messages(c, &bytes);

	stream_queue_pop(&c->in, len - bytes.len);
	count_input(c);
	return progress;
}

/* Close those who have been at one message for longest until there is room for LEN bytes of C. */
static bool make_input_room(struct tcp_connection *c, size_t len)
{
	struct tcp_server *t = c->server;
	struct tcp_connection *oldest = TAILQ_FIRST(&t->states[TCP_STATE_PARTIAL]);

	while (t->unread_bytes + len > t->settings.input_bytes && oldest) {
		struct tcp_connection *next = TAILQ_NEXT(oldest, in_state);
		if (oldest != c && !oldest->doomed) {
			t->shed_input++;
			close_connection(oldest);
		}
		oldest = next;
	}
	return t->unread_bytes + len <= t->settings.input_bytes;
}

/* Keep BYTES, whose end has not come. */
static void keep_input(struct tcp_connection *c, struct span bytes)
{
	stream_queue_deinit(&c->in);
	count_input(c);
	if (bytes.len == 0)
		return;
	bool has_room = make_input_room(c, bytes.len);
	c->server->shed_input += !has_room;
	if (!has_room || stream_queue_push(&c->in, bytes, INCOMING_SIZE) != OK)
		doom(c);
	count_input(c);
}

/* Read once: after what was left of an earlier message comes what is there now. */
static bool read_messages(struct tcp_connection *c)
{
	struct tcp_server *t = c->server;
	struct span left = stream_queue_view(&c->in);
	size_t len;

	/* No whole query is left while reading is on, so this is less than one. */
	REQUIRE(left.len < STREAM_LENGTH_SIZE + TCP_QUERY_MAX);
	enum err err = stream_read(c->watch.fd, t->incoming + left.len, TCP_READ_MAX, &len);
	if (err == ERR_NOT_FOUND)
		c->end_of_stream = true;
	else if (err != OK && err != ERR_BUSY)
		doom(c);
	if (err != OK)
		return false;

	if (left.len > 0 && left.at)
		memcpy(t->incoming, left.at, left.len);
	struct span bytes = span_of(t->incoming, left.len + len);
	bool progress = take_messages(c, &bytes);
	keep_input(c, bytes);
	return progress;
}

/* After our FIN: throw away what crosses it until the client's FIN comes. */
static void read_remains(struct tcp_connection *c)
{
	size_t len;
	enum err err = stream_read(c->watch.fd, c->server->incoming, INCOMING_SIZE, &len);

	if (err != OK && err != ERR_BUSY)
		doom(c);
}

/* Has the client sent its FIN, and everything that will be answered is answered? */
static bool is_finished(const struct tcp_connection *c)
{
	struct span left = stream_queue_view(&c->in), message;

	return c->end_of_stream && c->pending == 0 && stream_queue_len(&c->out) == 0 &&
	       !stream_next_message(&left, &message);
}

/* File the connection, or close it if it has come to its end. Nobody stands on it. */
static void settle_or_close(struct tcp_connection *c, bool progress)
{
	if (c->doomed || is_finished(c))
		close_connection(c);
	else
		settle(c, progress);
}

static void handle_connection(void *context, unsigned ready)
{
	struct tcp_connection *c = context;
	bool progress = false;

	if (ready & LOOP_FAILED)
		doom(c);
	if (ready & LOOP_WRITE && !c->doomed)
		progress |= write_queue(c);
	progress |= take_queued(c);
	if (ready & LOOP_READ && c->closing)
		read_remains(c);
	else if (ready & LOOP_READ && takes_queries(c) && !c->end_of_stream)
		progress |= read_messages(c);
	settle_or_close(c, progress);
}

/* ---- answers ---- */

static struct tcp_connection *find_connection(struct tcp_server *t, struct tcp_handle handle)
{
	REQUIRE(handle.slot < t->settings.connections);
	struct tcp_connection *c = &t->slots[handle.slot];

	return c->open && c->generation == handle.generation ? c : NULL;
}

/* A pending query is done with. What else there is to do waits until nobody stands here: the
 * caller may be in the middle of the actions of another query. */
static void finish_query(struct tcp_connection *c)
{
	REQUIRE(c->pending > 0);
	c->pending--;
	if (stream_queue_len(&c->in) > 0 || c->end_of_stream)
		ask_attention(c);
	settle(c, true);
}

enum err tcp_answer(struct tcp_server *t, struct tcp_handle handle, struct span packet)
{
	struct tcp_connection *c = find_connection(t, handle);

	if (!c)
		return ERR_CLOSED;
	size_t len = stream_frame(packet, t->frame);
	(void)write_bytes(c, span_of(t->frame, len));
	finish_query(c);
	return c->doomed ? ERR_CLOSED : OK;
}

const struct endpoint *tcp_peer(struct tcp_server *t, struct tcp_handle handle)
{
	const struct tcp_connection *c = find_connection(t, handle);

	return c ? &c->peer : NULL;
}

void tcp_drop(struct tcp_server *t, struct tcp_handle handle)
{
	struct tcp_connection *c = find_connection(t, handle);

	if (c)
		finish_query(c);
}

static void handle_attention(void *context)
{
	struct tcp_server *t = context;
	struct tcp_connection *c;

	for (unsigned n = AT_A_TIME; n > 0; n--) {
		c = TAILQ_FIRST(&t->waiting);
		if (!c)
			return;
		TAILQ_REMOVE(&t->waiting, c, in_waiting);
		c->waiting = false;
		settle_or_close(c, take_queued(c));
	}
	if (!TAILQ_EMPTY(&t->waiting))
		loop_timer_set(t->loop, &t->attention, t->loop->now.mono_us);
}

/* ---- patience ---- */

/* Say goodbye: FIN first, so that nothing that is under way meets a reset. */
static void begin_closing(struct tcp_connection *c)
{
	if (shutdown(c->watch.fd, SHUT_WR) != 0) {
		close_connection(c);
		return;
	}
	c->closing = true;
	c->skip = 0;
	stream_queue_deinit(&c->in);
	count_input(c);
	settle(c, true);
}

/* Of those whose time is over AT_A_TIME end; are there more? */
static bool lose_patience(struct tcp_server *t, enum tcp_state state)
{
	uint32_t limit_ms = patience_ms(t, state);
	struct tcp_connection *c;

	for (unsigned n = 0; limit_ms < UINT32_MAX && (c = TAILQ_FIRST(&t->states[state])) &&
			     t->loop->now.mono_us - c->since_us >= limit_ms * 1000ULL;
	     n++) {
		if (n == AT_A_TIME)
			return true;
		if (state == TCP_STATE_IDLE)
			begin_closing(c);
		else
			close_connection(c);
	}
	return false;
}

static void handle_tick(void *context)
{
	struct tcp_server *t = context;
	bool more = false;

	for (unsigned state = 0; state < TCP_STATE_COUNT; state++)
		more |= lose_patience(t, (enum tcp_state)state);
	if (more)
		loop_timer_set(t->loop, &t->tick, t->loop->now.mono_us);
	else if (t->open_count > 0)
		start_tick(t);
}

/* ---- life ---- */

enum err tcp_server_init(struct tcp_server *t, struct loop *loop,
			 const struct tcp_settings *settings)
{
	*t = (struct tcp_server){.loop = loop, .settings = *settings};
	t->attention = (struct loop_timer){.fn = handle_attention, .context = t};
	t->tick = (struct loop_timer){.fn = handle_tick, .context = t};
	acceptor_init(&t->acceptor, loop, has_room, open_connection, t);
	TAILQ_INIT(&t->free);
	TAILQ_INIT(&t->waiting);
	for (size_t i = 0; i < TCP_STATE_COUNT; i++)
		TAILQ_INIT(&t->states[i]);
	t->slots = calloc(settings->connections, sizeof(*t->slots));
	t->incoming = malloc(INCOMING_SIZE);
	t->outgoing = malloc(OUTGOING_SIZE);
	t->frame = malloc(STREAM_FRAME_MAX);
	if (!t->slots || !t->incoming || !t->outgoing || !t->frame ||
	    shares_init(&t->shares, settings->connections) != OK) {
		tcp_server_deinit(t);
		return ERR_NO_MEMORY;
	}
	for (unsigned i = 0; i < settings->connections; i++) {
		t->slots[i].server = t;
		TAILQ_INSERT_TAIL(&t->free, &t->slots[i], in_state);
	}
	return OK;
}

void tcp_server_deinit(struct tcp_server *t)
{
	for (unsigned i = 0; t->slots && i < t->settings.connections; i++) {
		t->slots[i].pending = 0;
		if (t->slots[i].open)
			close_connection(&t->slots[i]);
	}
	acceptor_deinit(&t->acceptor);
	loop_timer_clear(t->loop, &t->attention);
	loop_timer_clear(t->loop, &t->tick);
	shares_deinit(&t->shares);
	free(t->slots);
	free(t->incoming);
	free(t->outgoing);
	free(t->frame);
	*t = (struct tcp_server){0};
}

bool tcp_is_drained(const struct tcp_server *t)
{
	return t->silent_count == 0 && TAILQ_EMPTY(&t->states[TCP_STATE_PARTIAL]) &&
	       TAILQ_EMPTY(&t->states[TCP_STATE_WRITING]);
}
