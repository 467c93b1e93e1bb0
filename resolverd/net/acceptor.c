#include "net/acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPTS_PER_TURN = 64, /* then those that are connected get their turn */
	FAST_OPEN_QUEUE = 256, /* RFC 7413: connections that may carry data before they are open */
};

/* ---- accepting ---- */

static void want(struct acceptor *a, unsigned ready)
{
	for (size_t i = 0; i < a->listener_count; i++)
		loop_want(a->loop, &a->listeners[i].watch, ready);
}

static void pause_accepting(struct acceptor *a)
{
	if (a->draining)
		return;
	a->paused = true;
	want(a, 0);
	loop_timer_set(a->loop, &a->retry, a->loop->now.mono_us + ACCEPTOR_RETRY_MS * 1000);
}

void acceptor_resume(struct acceptor *a)
{
	if (!a->paused || a->draining)
		return;
	a->paused = false;
	loop_timer_clear(a->loop, &a->retry);
	want(a, LOOP_READ);
}

static void handle_retry(void *context)
{
	acceptor_resume(context); /* it pauses again if nothing has changed */
}

/* Errors of accept4() that say that nothing more can be accepted now; the others are about one
 * connection that is gone already (accept(2): treat like EAGAIN, try the next). */
static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Take in one who waits; false if nobody does, or there is no room. */
static bool accept_one(struct acceptor_listener *l)
{
	struct acceptor *a = l->acceptor;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	if (!a->room(a->context)) {
		pause_accepting(a);
		return false;
	}
	int fd = accept4(l->watch.fd, (struct sockaddr *)&address, &len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (is_shortage(errno))
			pause_accepting(a);
		return !is_shortage(errno) && errno != EAGAIN;
	}
	struct endpoint peer = endpoint_from_sockaddr((struct sockaddr *)&address);
	a->take(a->context, fd, &peer);
	return true;
}

static void handle_listener(void *context, unsigned ready)
{
	struct acceptor_listener *l = context;

	(void)ready;
	for (unsigned i = 0; i < ACCEPTS_PER_TURN && !l->acceptor->paused; i++)
		if (!accept_one(l))
			return;
}

/* ---- listening ---- */

static void count_drops(struct acceptor_listener *l)
{
	if (l->owner != SOCKET_HELD_SHARED && l->watch.watched)
		l->acceptor->drops += socket_take_drops(l->watch.fd, &l->drops);
}

void acceptor_count_drops(struct acceptor *a)
{
	for (size_t i = 0; i < a->listener_count; i++)
		count_drops(&a->listeners[i]);
}

static void close_listener(struct acceptor_listener *l)
{
	if (!l->watch.watched)
		return;
	count_drops(l);
	/* Not loop_close(): others have duplicates of an inherited one. */
	loop_forget(l->acceptor->loop, &l->watch);
	close(l->watch.fd);
}

/* Close L, but first take in those whose handshake is done. */
static void leave_listener(struct acceptor_listener *l)
{
	for (unsigned i = 0; l->watch.watched && i < SOMAXCONN && !l->acceptor->paused; i++)
		if (!accept_one(l))
			break;
	close_listener(l);
}

static bool set_options(int fd)
{
	/* Accepted sockets inherit TCP_NODELAY: answers leave at once. Fast open is a gift. */
	(void)socket_set(fd, IPPROTO_TCP, TCP_FASTOPEN, FAST_OPEN_QUEUE);
	/* What lingers of connections that were closed here must not keep the next daemon from the
	 * address, also where whoever opened the socket for us did not think of that. */
	return socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	       socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) && socket_set_nonblocking(fd);
}

enum err acceptor_listen(struct acceptor *a, const struct endpoint *local, int fd,
			 enum socket_owner owner)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(local, &address);
	REQUIRE(len > 0);

	size_t slot = 0;
	while (slot < a->listener_count && a->listeners[slot].watch.watched)
		slot++;
	if (slot == ACCEPTOR_LISTENERS_MAX) {
		if (fd >= 0)
			close(fd);
		return ERR_LIMIT;
	}
	struct acceptor_listener *l = &a->listeners[slot];
	*l = (struct acceptor_listener){.acceptor = a, .owner = owner};
	l->watch = (struct loop_watch){.fn = handle_listener, .context = l};
	if (fd < 0)
		fd = socket_bound(local, SOCK_STREAM);
	if (fd < 0)
		return ERR_SYSTEM;
	if (!set_options(fd) || listen(fd, SOMAXCONN) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
	    loop_watch(a->loop, &l->watch, fd, a->paused ? 0 : LOOP_READ) != OK) {
		socket_abandon(fd);
		return ERR_SYSTEM;
	}
	l->local = endpoint_from_sockaddr((struct sockaddr *)&address);
	a->listener_count = MAX(a->listener_count, slot + 1);
	return OK;
}

void acceptor_unlisten(struct acceptor *a, const struct endpoint *local)
{
	for (size_t i = 0; i < a->listener_count; i++) {
		struct acceptor_listener *l = &a->listeners[i];
		if (l->watch.watched && endpoint_equal(&l->local, local))
			leave_listener(l);
	}
}

void acceptor_drain(struct acceptor *a)
{
	for (size_t i = 0; i < a->listener_count; i++)
		if (a->listeners[i].owner == SOCKET_OURS)
			leave_listener(&a->listeners[i]);
	pause_accepting(a);
	loop_timer_clear(a->loop, &a->retry);
	a->draining = true;
}

/* ---- life ---- */

void acceptor_init(struct acceptor *a, struct loop *loop, acceptor_room_fn *room,
		   acceptor_take_fn *take, void *context)
{
	*a = (struct acceptor){.loop = loop, .room = room, .take = take, .context = context};
	a->retry = (struct loop_timer){.fn = handle_retry, .context = a};
}

void acceptor_deinit(struct acceptor *a)
{
	for (size_t i = 0; i < a->listener_count; i++)
		close_listener(&a->listeners[i]);
	loop_timer_clear(a->loop, &a->retry);
}
