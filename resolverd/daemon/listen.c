#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/log.h"
#include "daemon/service.h"
#include "net/socket.h"

static void tell_bind_failure(const struct endpoint *address, bool tcp)
{
	char text[ENDPOINT_TEXT_SIZE];

	log_error("cannot listen address=%s transport=%s reason=\"%s\"",
		  endpoint_text(address, text), tcp ? "tcp" : "udp", strerrordesc_np(errno));
}

/* ---- what is inherited ---- */

static bool is_configured(const struct config *c, const struct endpoint *address)
{
	for (size_t i = 0; i < c->listen_count; i++)
		if (endpoint_equal(&c->listen[i], address))
			return true;
	return false;
}

static void inherit(struct listen *l, const struct config *c)
{
	unsigned count;
	int first = service_sockets(&count);
	char text[ENDPOINT_TEXT_SIZE];

	for (unsigned i = 0; i < count && l->count < LISTEN_INHERITED_MAX; i++) {
		struct listen_inherited *in = &l->inherited[l->count];
		in->fd = first + (int)i;
		if (!socket_identify(in->fd, &in->local, &in->tcp)) {
			log_warning("inherited descriptor is no socket to serve fd=%d", in->fd);
			continue;
		}
		bool wanted = is_configured(c, &in->local);
		l->count += wanted;
		if (wanted)
			log_info("inherited socket address=%s transport=%s",
				 endpoint_text(&in->local, text), in->tcp ? "tcp" : "udp");
		else
			log_warning("inherited socket stands not in listen, not served address=%s",
				    endpoint_text(&in->local, text));
	}
}

/* A descriptor of the NTH worker's own; -1: nothing is inherited for ADDRESS, or errno says why.
 * SHARED: it is a socket that an earlier worker has too. */
static int inherited(const struct listen *l, const struct endpoint *address, bool tcp, unsigned nth,
		     bool *shared)
{
	const struct listen_inherited *found[LISTEN_INHERITED_MAX];
	unsigned count = 0;

	for (size_t i = 0; i < l->count; i++)
		if (l->inherited[i].tcp == tcp && endpoint_equal(&l->inherited[i].local, address))
			found[count++] = &l->inherited[i];
	errno = 0;
	*shared = count > 0 && nth >= count;
	return count > 0 ? fcntl(found[nth % count]->fd, F_DUPFD_CLOEXEC, 0) : -1;
}

static bool is_inherited(const struct listen *l, const struct endpoint *address, bool tcp)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->inherited[i].tcp == tcp && endpoint_equal(&l->inherited[i].local, address))
			return true;
	return false;
}

bool listen_outlives_us(const struct listen *l)
{
	return l->count > 0;
}

/* ---- all ---- */

/* Nobody else may serve our addresses: half of the queries would go astray. */
bool listen_prepare(struct listen *l, const struct config *c)
{
	bool all_free = true;

	inherit(l, c);
	for (size_t i = 0; i < c->listen_count; i++) {
		for (int tcp = 0; tcp < 2; tcp++) {
			if (is_inherited(l, &c->listen[i], tcp) ||
			    socket_is_free(&c->listen[i], tcp))
				continue;
			tell_bind_failure(&c->listen[i], tcp);
			all_free = false;
			break;
		}
	}
	return all_free;
}

bool listen_everywhere(const struct listen *l, const struct config *c,
		       struct worker *const *workers, unsigned worker_count)
{
	for (unsigned w = 0; w < worker_count; w++) {
		for (size_t i = 0; i < c->listen_count; i++) {
			for (int tcp = 0; tcp < 2; tcp++) {
				const struct endpoint *address = &c->listen[i];
				bool shared;
				int fd = inherited(l, address, tcp, w, &shared);
				if ((fd >= 0 || errno == 0) &&
				    worker_listen(workers[w], address, tcp, fd, shared) == OK)
					continue;
				tell_bind_failure(address, tcp);
				return false;
			}
		}
	}
	return true;
}
