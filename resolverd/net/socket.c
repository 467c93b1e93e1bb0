#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

bool socket_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

bool socket_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* Bind also to what is no address of this machine. Where the kernel does not know the option, bind()
 * will say so. */
static void set_free_bind(int fd, uint8_t family)
{
	if (family == 4)
		(void)socket_set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	else
		(void)socket_set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
}

int socket_bound(const struct endpoint *local, int type)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(local, &address);
	int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set_free_bind(fd, local->family);
	/* "[::]" is IPv6 only, so that "0.0.0.0" can stand beside it. */
	if (socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
	    (type != SOCK_STREAM || socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) &&
	    (local->family == 4 || socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
	    bind(fd, (struct sockaddr *)&address, len) == 0)
		return fd;
	socket_abandon(fd);
	return -1;
}

int socket_listening(const struct endpoint *local)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(local, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set_free_bind(fd, local->family);
	/* Connections that linger from an earlier run are no obstacle, somebody who listens is. */
	if (socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	    (local->family == 4 || socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
	    bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	socket_abandon(fd);
	return -1;
}

void socket_leave(int fd, const struct endpoint *local)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(local, &address);

	/* Connected, to itself: whoever else writes is not its peer, and the kernel looks for another
	 * socket of the address (since 5.4 in a group of SO_REUSEPORT too). If it cannot be, because
	 * the address is gone, nothing comes anyway. */
	(void)connect(fd, (struct sockaddr *)&address, len);
}

bool socket_identify(int fd, struct endpoint *local, bool *tcp)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address), size = sizeof(int);
	int type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
	    (type != SOCK_DGRAM && type != SOCK_STREAM) ||
	    (address.ss_family != AF_INET && address.ss_family != AF_INET6))
		return false;
	*tcp = type == SOCK_STREAM;
	*local = endpoint_from_sockaddr((struct sockaddr *)&address);
	return local->port != 0;
}

void socket_ignore_path_mtu(int fd, uint8_t family)
{
	/* OMIT keeps to the interface's MTU and believes nobody; kernels before 3.15 know DONT. */
	if (family == 4) {
		if (!socket_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT))
			(void)socket_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	} else if (!socket_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT)) {
		(void)socket_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	}
}

uint32_t socket_take_drops(int fd, uint32_t *seen)
{
	uint32_t figures[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(figures);

	/* A kernel that knows fewer figures fills in fewer. */
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures, &len) != 0 ||
	    len < (SK_MEMINFO_DROPS + 1) * sizeof(figures[0]))
		return 0;
	uint32_t more = figures[SK_MEMINFO_DROPS] - *seen;
	*seen = figures[SK_MEMINFO_DROPS];
	return more;
}

bool socket_is_shortage(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:	    /* epoll's watches */
	case EAGAIN:	    /* ports, or room in the socket */
	case EADDRNOTAVAIL: /* ports */
		return true;
	default:
		return false;
	}
}

void socket_abandon(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

bool socket_has_family(uint8_t family)
{
	int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno != EAFNOSUPPORT;
	close(fd);
	return true;
}

bool socket_is_free(const struct endpoint *local, bool tcp)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(local, &address);
	int type = tcp ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	set_free_bind(fd, local->family);
	/* Connections that linger from an earlier run are no obstacle. */
	bool is_free = (!tcp || socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) &&
		       (local->family == 4 || socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
		       bind(fd, (struct sockaddr *)&address, len) == 0;
	socket_abandon(fd);
	return is_free;
}

bool socket_is_here(const struct endpoint *local)
{
	struct endpoint any_port = *local;
	struct sockaddr_storage address;

	any_port.port = 0;
	socklen_t len = endpoint_to_sockaddr(&any_port, &address);
	int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool is_here = bind(fd, (struct sockaddr *)&address, len) == 0;
	socket_abandon(fd);
	return is_here;
}
