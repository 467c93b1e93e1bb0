#pragma once
/*
 * Where clients reach the workers, as the configuration says and the network beneath allows.
 *
 * An **address** of the configuration is bound by each worker for itself, also while the machine does
 * not have it: an address that is moved here, or an interface that is attached late, is served from
 * the moment that it is there, and a daemon that is started too early need not be started again. Until
 * then it is a doubt (doubts.h), and so is an address of a family that the kernel does not have, where
 * it is not the default's, of which only what can be is wanted. That somebody else serves the address, or that we may not, is an
 * error at the start.
 *
 * An **interface** stands for all its addresses: they are bound as they come, and let go as they go,
 * but for those that a wildcard of the configuration serves already. At most LISTEN_MAX addresses are
 * served in all; those that are served already stay.
 *
 * Where the service manager holds sockets for us, they are used, and it is given those that we bind
 * (held.h): all but those of node-local, which another instance may serve too.
 */
#include <pthread.h>

#include "config/config.h"
#include "machine/held.h"
#include "net/monitor.h"
#include "worker/worker.h"

enum { LISTEN_MAX = 64 };

struct listen_place { /* an address that is wanted */
	struct endpoint local;
	bool given; /* it stands in the configuration */
	bool here;  /* the machine has it */
	bool served;
	int error; /* why not; 0: it was not tried */
};

struct listen_interface {
	struct config_interface named;
	uint32_t index; /* 0: it is not there */
	bool told;	/* that it is not */
};

struct listen { /* main thread, but for what LOCK says */
	struct held held;
	struct worker *const *workers;
	unsigned worker_count;
	pthread_mutex_t
		lock; /* whoever writes what is below; other threads read it with the lock */
	struct listen_place places[LISTEN_MAX];
	size_t place_count;
	struct listen_interface interfaces[CONFIG_LISTEN_MAX];
	size_t interface_count;
	bool too_many; /* more addresses than LISTEN_MAX */
	bool blind;    /* what addresses there are could not be learned */
};

void listen_init(struct listen *l);
void listen_deinit(struct listen *l);

/* Take what is held, and see that the other addresses of C are free. False: it is told why not. */
bool listen_prepare(struct listen *l, const struct config *c);

/* Have WORKERS, which do not run yet, serve what C wants; they are borrowed from now on. False: an
 * address of C cannot be served, it is told why. */
bool listen_begin(struct listen *l, const struct config *c, struct monitor *m,
		  struct worker *const *workers, unsigned worker_count);
/* The configuration or the network has changed, or may have. Tells what came of it. False: something is
 * not served that should be; it is tried again the next time. For a family that does not exist
 * there is no hurry. */
bool listen_follow(struct listen *l, const struct config *c, struct monitor *m);

/* How many addresses are served now: bound, and here. From any thread. */
size_t listen_count_served(struct listen *l);
/* Copy them into OUT; how many. From any thread. */
size_t listen_read_served(struct listen *l, struct endpoint out[static LISTEN_MAX]);
/* An address at which this machine reaches the daemon. False: there is none now. From any thread. */
bool listen_probe(struct listen *l, struct endpoint *out);
/* Call TELL with a line of TEXT (its own for the call) for each thing that is not as C wants it.
 * From any thread; TELL must not call back. */
void listen_doubts(struct listen *l, void (*tell)(void *context, const char *text), void *context);
