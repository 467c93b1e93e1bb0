#include "machine/held.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "machine/service.h"

enum { NAME_SIZE = 32 };

static const char kept_prefix[] = "kept-";

/* By which the service manager knows it: one of a kind, as long as the socket lives. */
static const char *name_of(const struct held_socket *s, char out[static NAME_SIZE])
{
	(void)snprintf(out, NAME_SIZE, "%s%" PRIu64, kept_prefix, s->inode);
	return out;
}

static bool find_inode(int fd, uint64_t *out)
{
	struct stat found;

	if (fstat(fd, &found) != 0)
		return false;
	*out = found.st_ino;
	return true;
}

/* Also if it cannot be served: what is never read must not stay. */
static void give_up(struct held_socket *s)
{
	char name[NAME_SIZE];

	service_give_up(name_of(s, name));
	if (s->fd >= 0)
		close(s->fd);
}

/* Whether S is one to serve. */
static bool take(struct held_socket *s, held_wanted_fn *wanted, const void *context)
{
	char text[ENDPOINT_TEXT_SIZE];

	if (!socket_identify(s->fd, &s->local, &s->tcp) || !find_inode(s->fd, &s->inode)) {
		log_warning("inherited descriptor is no socket to serve fd=%d", s->fd);
		return false;
	}
	endpoint_text(&s->local, text);
	bool is_wanted = wanted(context, &s->local);
	if (is_wanted && !s->kept)
		log_info("inherited socket address=%s transport=%s", text, s->tcp ? "tcp" : "udp");
	else if (!is_wanted && !s->kept)
		log_warning("inherited socket stands not in listen, not served address=%s", text);
	return is_wanted;
}

void held_take(struct held *h, held_wanted_fn *wanted, const void *context)
{
	char **names;
	unsigned count, kept = 0, given_up = 0;
	int first = service_sockets(&count, &names);

	h->keeps = service_keeps();
	for (unsigned i = 0; i < count; i++) {
		struct held_socket s = {.fd = first + (int)i};
		s.kept = names && strncmp(names[i], kept_prefix, strlen(kept_prefix)) == 0;
		if (take(&s, wanted, context) && h->count < HELD_MAX) {
			h->list[h->count++] = s;
			kept += s.kept;
		} else if (s.kept) {
			give_up(&s);
			given_up++;
		}
	}
	service_free_names(names, count);
	if (kept > 0)
		log_info("sockets were kept count=%u", kept);
	/* Their addresses are free once the service manager has closed its own. */
	if (given_up > 0)
		service_barrier();
}

static bool is_one(const struct held_socket *s, const struct endpoint *local, bool tcp)
{
	return s->fd >= 0 && s->tcp == tcp && endpoint_equal(&s->local, local);
}

unsigned held_count(const struct held *h, const struct endpoint *local, bool tcp)
{
	unsigned count = 0;

	for (size_t i = 0; i < h->count; i++)
		count += is_one(&h->list[i], local, tcp);
	return count;
}

int held_duplicate(const struct held *h, const struct endpoint *local, bool tcp, unsigned nth)
{
	for (size_t i = 0; i < h->count; i++)
		if (is_one(&h->list[i], local, tcp) && nth-- == 0)
			return fcntl(h->list[i].fd, F_DUPFD_CLOEXEC, 0);
	errno = EBADF;
	return -1;
}

bool held_is_ours(const struct held *h, const struct endpoint *local, bool tcp)
{
	for (size_t i = 0; i < h->count; i++)
		if (is_one(&h->list[i], local, tcp) && !h->list[i].kept)
			return false;
	return true;
}

static unsigned count_kept(const struct held *h)
{
	unsigned count = 0;

	for (size_t i = 0; i < h->count; i++)
		count += h->list[i].kept;
	return count;
}

bool held_keep(struct held *h, int fd, const struct endpoint *local, bool tcp)
{
	struct held_socket s = {.fd = -1, .kept = true, .tcp = tcp, .local = *local};
	char name[NAME_SIZE];

	if (h->count == HELD_MAX || count_kept(h) >= h->keeps || !find_inode(fd, &s.inode) ||
	    !service_keep(fd, name_of(&s, name)))
		return false;
	h->list[h->count++] = s;
	return true;
}

void held_give_up(struct held *h, const struct endpoint *local)
{
	size_t left = 0;

	for (size_t i = 0; i < h->count; i++) {
		if (h->list[i].kept && endpoint_equal(&h->list[i].local, local))
			give_up(&h->list[i]);
		else
			h->list[left++] = h->list[i];
	}
	h->count = left;
}
