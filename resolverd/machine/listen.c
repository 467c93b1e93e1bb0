#include "machine/listen.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/socket.h"

/* Why is in errno. A kernel may come without IPv6 or have it switched off: then all else is served. */
static void tell_bind_failure(const struct endpoint *address, bool tcp)
{
	char text[ENDPOINT_TEXT_SIZE];

	if (errno == EAFNOSUPPORT)
		log_warning("listen address is of a family that the system does not have "
			    "address=%s",
			    endpoint_text(address, text));
	else
		log_error("cannot listen address=%s transport=%s reason=\"%s\"",
			  endpoint_text(address, text), tcp ? "tcp" : "udp",
			  strerrordesc_np(errno));
}

/* ---- what is wanted ---- */

/* Does E stand in node-local? Then another instance may serve it too. */
static bool is_shared(const struct config *c, const struct endpoint *e)
{
	for (size_t i = 0; i < c->node_local.count; i++)
		if (endpoint_equal(&c->node_local.addresses[i], e))
			return true;
	return false;
}

static bool is_wildcard(const struct endpoint *e)
{
	static const uint8_t zero[sizeof(e->addr)];

	return memcmp(e->addr, zero, sizeof(zero)) == 0;
}

/* Of one port, family and transport: what a wildcard gets nobody else needs to be bound to. */
static bool is_covered(const struct config *c, const struct endpoint *local)
{
	for (size_t i = 0; i < c->listen_count; i++)
		if (c->listen[i].family == local->family && c->listen[i].port == local->port &&
		    is_wildcard(&c->listen[i]))
			return true;
	return false;
}

/* It may be an address that an interface of the configuration has, or will have. */
static bool may_be_wanted(const void *context, const struct endpoint *address)
{
	const struct config *c = context;

	for (size_t i = 0; i < c->listen_count; i++)
		if (endpoint_equal(&c->listen[i], address))
			return true;
	for (size_t i = 0; i < c->listen_interface_count; i++)
		if (c->listen_interfaces[i].port == address->port)
			return !is_wildcard(address) && !is_covered(c, address);
	return false;
}

/* Nobody has asked for the NTH address of C, and it cannot be. */
static bool is_pointless(const struct config *c, size_t nth)
{
	return nth < c->listen_unnamed && !socket_has_family(c->listen[nth].family);
}

static struct listen_place *find(struct listen_place *list, size_t count,
				 const struct endpoint *local)
{
	for (size_t i = 0; i < count; i++)
		if (endpoint_equal(&list[i].local, local))
			return &list[i];
	return NULL;
}

struct wanted { /* while the kernel tells its addresses */
	struct listen *listen;
	const struct config *config;
	struct listen_place places[LISTEN_MAX];
	size_t given, count; /* of those: the configuration's own, which come first; all */
	struct listen_place fresh[LISTEN_MAX];
	size_t fresh_count; /* new ones, behind those that are served already */
	bool too_many;
};

static void begin_wanted(void *context)
{
	struct wanted *w = context;

	w->count = w->given;
	w->fresh_count = 0;
	w->too_many = false;
}

static void want(struct wanted *w, const struct endpoint *local)
{
	struct listen *l = w->listen;
	const struct listen_place place = {.local = *local};

	if (is_covered(w->config, local) || find(w->places, w->count, local) ||
	    find(w->fresh, w->fresh_count, local))
		return;
	/* Those that are served are LISTEN_MAX at most, as they were when they came to be. */
	const struct listen_place *old = find(l->places, l->place_count, local);
	if (old && old->served && w->count < LISTEN_MAX)
		w->places[w->count++] = place;
	else if (w->fresh_count < LISTEN_MAX)
		w->fresh[w->fresh_count++] = place;
	else
		w->too_many = true;
}

static void want_address(void *context, const struct monitor_address *a)
{
	struct wanted *w = context;
	const struct listen *l = w->listen;

	for (size_t i = 0; a->usable && i < l->interface_count; i++) {
		struct endpoint local = a->address;
		local.port = l->interfaces[i].named.port;
		if (l->interfaces[i].index == a->interface)
			want(w, &local);
	}
}

static void find_interfaces(struct listen *l, const struct config *c)
{
	struct listen_interface fresh[CONFIG_LISTEN_MAX] = {0};

	for (size_t i = 0; i < c->listen_interface_count; i++) {
		struct listen_interface *one = &fresh[i];
		one->named = c->listen_interfaces[i];
		one->index = if_nametoindex(one->named.name);
		for (size_t k = 0; k < l->interface_count; k++)
			if (strcmp(l->interfaces[k].named.name, one->named.name) == 0)
				one->told |= l->interfaces[k].told;
		if (!one->index && !one->told)
			log_warning("listen interface is not there interface=%s: its addresses are "
				    "served as they come",
				    one->named.name);
		one->told = !one->index;
	}
	pthread_mutex_lock(&l->lock);
	memcpy(l->interfaces, fresh, sizeof(fresh));
	l->interface_count = c->listen_interface_count;
	pthread_mutex_unlock(&l->lock);
}

/* What is not known for sure ends nothing: those that are served by their interface stay. */
static void want_old(struct wanted *w)
{
	const struct listen *l = w->listen;

	for (size_t i = 0; i < l->place_count; i++)
		if (l->places[i].served && !l->places[i].given)
			want(w, &l->places[i].local);
}

/* What C and the interfaces want now into W. Errors of monitor_addresses(): it is not all, perhaps. */
static enum err find_wanted(struct listen *l, const struct config *c, struct monitor *m,
			    struct wanted *w)
{
	enum err err = OK;

	*w = (struct wanted){.listen = l, .config = c};
	for (size_t i = 0; i < c->listen_count; i++)
		if (!is_pointless(c, i))
			w->places[w->given++] =
				(struct listen_place){.local = c->listen[i], .given = true};
	begin_wanted(w);
	if (l->interface_count > 0)
		err = monitor_addresses(m, begin_wanted, want_address, w);
	if (err != OK)
		want_old(w);
	for (size_t i = 0; i < w->fresh_count; i++) {
		if (w->count < LISTEN_MAX)
			w->places[w->count++] = w->fresh[i];
		else
			w->too_many = true;
	}
	return err;
}

/* ---- serving ---- */

/* Is there a socket of ours that LOCAL could not be bound beside, but for SO_REUSEPORT? */
static bool overlaps_ours(const struct listen *l, const struct endpoint *local)
{
	for (size_t i = 0; i < l->place_count; i++) {
		const struct listen_place *p = &l->places[i];
		if (p->served && p->local.family == local->family && p->local.port == local->port &&
		    (is_wildcard(&p->local) || is_wildcard(local)))
			return true;
	}
	return false;
}

/* Nobody else may serve our addresses: half of the queries would go astray. False with errno. */
static bool is_free(const struct listen *l, const struct config *c, const struct endpoint *local,
		    bool tcp)
{
	return is_shared(c, local) || held_count(&l->held, local, tcp) > 0 ||
	       overlaps_ours(l, local) || socket_is_free(local, tcp);
}

static void close_place(struct listen *l, const struct endpoint *local)
{
	for (unsigned w = 0; w < l->worker_count; w++)
		for (int tcp = 0; tcp < 2; tcp++)
			if (worker_unlisten(l->workers[w], local, tcp) != OK)
				log_error("out of memory, goes on listening worker=%u", w);
	held_give_up(&l->held, local);
}

/* Have WORKER serve LOCAL by FD, which it takes over; -1 with errno is handed on. */
static bool serve(struct listen *l, unsigned worker, const struct endpoint *local, bool tcp, int fd,
		  enum socket_owner owner)
{
	if (fd < 0)
		return false;
	enum err err = worker_listen(l->workers[worker], local, tcp, fd, owner);
	if (err != OK && err != ERR_SYSTEM)
		errno = err == ERR_NO_MEMORY ? ENOMEM : ENOSPC;
	return err == OK;
}

/* By a socket of its own. */
static bool serve_own(struct listen *l, const struct config *c, unsigned worker,
		      const struct endpoint *local, bool tcp)
{
	int fd = socket_bound(local, tcp ? SOCK_STREAM : SOCK_DGRAM);
	bool kept = fd >= 0 && !is_shared(c, local) && held_keep(&l->held, fd, local, tcp);

	return serve(l, worker, local, tcp, fd, kept ? SOCKET_HELD : SOCKET_OURS);
}

/* Those that are held are dealt out to the workers, however many there were when they were bound:
 * each of them is read by somebody. Who gets none has one of its own, or a share in another's. */
static bool open_at(struct listen *l, const struct config *c, unsigned worker,
		    const struct endpoint *local, bool tcp)
{
	unsigned held = held_count(&l->held, local, tcp);

	for (unsigned nth = worker; nth < held; nth += l->worker_count)
		if (!serve(l, worker, local, tcp, held_duplicate(&l->held, local, tcp, nth),
			   SOCKET_HELD))
			return false;
	if (worker < held)
		return true;
	if (held == 0 || held_is_ours(&l->held, local, tcp))
		return serve_own(l, c, worker, local, tcp);
	return serve(l, worker, local, tcp, held_duplicate(&l->held, local, tcp, worker % held),
		     SOCKET_HELD_SHARED);
}

/* Have all workers serve P, or none. A failure is told when it is a new one. */
static void open_place(struct listen *l, const struct config *c, struct listen_place *p)
{
	for (int tcp = 0; tcp < 2; tcp++) {
		bool done = is_free(l, c, &p->local, tcp);
		for (unsigned w = 0; done && w < l->worker_count; w++)
			done = open_at(l, c, w, &p->local, tcp);
		if (done)
			continue;
		int error = errno;
		if (error != p->error)
			tell_bind_failure(&p->local, tcp);
		p->error = error;
		close_place(l, &p->local);
		return;
	}
	p->error = 0;
	p->served = true;
}

/* At the start nothing is new. */
static void tell_place(const struct listen_place *p, bool starting)
{
	char text[ENDPOINT_TEXT_SIZE];

	endpoint_text(&p->local, text);
	if (!p->here)
		log_warning("listen address is not there address=%s: it is served as soon as it is",
			    text);
	else if (!starting)
		log_notice("listening address=%s", text);
}

static void leave_old(struct listen *l, struct wanted *w)
{
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; i < l->place_count; i++) {
		const struct listen_place *old = &l->places[i];
		struct listen_place *kept = find(w->places, w->count, &old->local);
		if (kept) {
			bool given = kept->given;
			*kept = *old;
			kept->given = given;
			continue;
		}
		if (!old->served)
			continue;
		close_place(l, &old->local);
		log_notice("no longer listening address=%s", endpoint_text(&old->local, text));
	}
}

static bool follow(struct listen *l, const struct config *c, struct monitor *m, bool starting)
{
	struct wanted w;
	bool all_served = true;

	find_interfaces(l, c);
	/* In a storm (ERR_BUSY) the bell has rung again already. */
	bool blind = find_wanted(l, c, m, &w) == ERR_SYSTEM;
	if (blind && !l->blind)
		log_warning("addresses of interfaces cannot be learned reason=\"%s\"",
			    strerrordesc_np(errno));
	if (w.too_many && !l->too_many)
		log_warning("more addresses than can be served limit=%d", LISTEN_MAX);
	leave_old(l, &w);
	for (size_t i = 0; i < w.count; i++) {
		struct listen_place *p = &w.places[i];
		bool was_here = p->here, was_served = p->served;
		p->here = !p->given || socket_is_here(&p->local);
		if (!p->served)
			open_place(l, c, p);
		all_served &= p->served || !p->given || p->error == EAFNOSUPPORT;
		/* Those of node-local are made only when they are served. */
		if (starting && is_shared(c, &p->local))
			continue;
		if (p->served && (!was_served || was_here != p->here))
			tell_place(p, starting);
	}
	pthread_mutex_lock(&l->lock);
	memcpy(l->places, w.places, sizeof(w.places));
	l->place_count = w.count;
	l->too_many = w.too_many;
	l->blind = blind;
	pthread_mutex_unlock(&l->lock);
	return all_served;
}

bool listen_begin(struct listen *l, const struct config *c, struct monitor *m,
		  struct worker *const *workers, unsigned worker_count)
{
	l->workers = workers;
	l->worker_count = worker_count;
	return follow(l, c, m, true);
}

bool listen_follow(struct listen *l, const struct config *c, struct monitor *m)
{
	(void)follow(l, c, m, false);
	for (size_t i = 0; i < l->place_count; i++)
		if (!l->places[i].served && l->places[i].error != EAFNOSUPPORT)
			return false;
	return true;
}

/* ---- life ---- */

void listen_init(struct listen *l)
{
	*l = (struct listen){0};
	REQUIRE(pthread_mutex_init(&l->lock, NULL) == 0);
}

void listen_deinit(struct listen *l)
{
	pthread_mutex_destroy(&l->lock);
}

bool listen_prepare(struct listen *l, const struct config *c)
{
	bool all_free = true;

	held_take(&l->held, may_be_wanted, c);
	for (size_t i = 0; i < c->listen_count; i++) {
		for (int tcp = 0; tcp < 2; tcp++) {
			if (is_free(l, c, &c->listen[i], tcp) || errno == EAFNOSUPPORT)
				continue;
			tell_bind_failure(&c->listen[i], tcp);
			all_free = false;
			break;
		}
	}
	return all_free;
}

/* ---- what others ask ---- */

size_t listen_read_served(struct listen *l, struct endpoint out[static LISTEN_MAX])
{
	size_t count = 0;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->place_count; i++)
		if (l->places[i].served && l->places[i].here)
			out[count++] = l->places[i].local;
	pthread_mutex_unlock(&l->lock);
	return count;
}

size_t listen_count_served(struct listen *l)
{
	struct endpoint list[LISTEN_MAX];

	return listen_read_served(l, list);
}

bool listen_probe(struct listen *l, struct endpoint *out)
{
	struct endpoint list[LISTEN_MAX];
	static const uint8_t loopback4[] = {127, 0, 0, 1};

	if (listen_read_served(l, list) == 0)
		return false;
	*out = list[0];
	/* Where a wildcard is bound to, ask at loopback. */
	if (is_wildcard(out) && out->family == 4)
		memcpy(out->addr, loopback4, sizeof(loopback4));
	else if (is_wildcard(out))
		out->addr[15] = 1;
	return true;
}

static void doubt_places(const struct listen *l, void (*tell)(void *context, const char *text),
			 void *context)
{
	char line[256], text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; i < l->place_count; i++) {
		const struct listen_place *p = &l->places[i];
		endpoint_text(&p->local, text);
		if (!p->served)
			(void)snprintf(line, sizeof(line), "%s is not served: %s", text,
				       strerrordesc_np(p->error));
		else if (!p->here)
			(void)snprintf(line, sizeof(line),
				       "%s is not an address of this machine (yet)", text);
		else
			continue;
		tell(context, line);
	}
}

void listen_doubts(struct listen *l, void (*tell)(void *context, const char *text), void *context)
{
	char line[256];

	pthread_mutex_lock(&l->lock);
	doubt_places(l, tell, context);
	for (size_t i = 0; i < l->interface_count; i++) {
		if (l->interfaces[i].index)
			continue;
		(void)snprintf(line, sizeof(line), "there is no interface %s to listen at (yet)",
			       l->interfaces[i].named.name);
		tell(context, line);
	}
	if (l->too_many) {
		(void)snprintf(line, sizeof(line),
			       "the interfaces have more addresses than the %d that can be served",
			       LISTEN_MAX);
		tell(context, line);
	}
	if (l->blind)
		tell(context, "the addresses of interfaces cannot be learned (netlink): those "
			      "that come and go are not noticed");
	pthread_mutex_unlock(&l->lock);
}
