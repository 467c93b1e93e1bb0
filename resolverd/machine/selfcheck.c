#include "machine/selfcheck.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "dns/message.h"

/* `. NS`, which is always answered from memory, with the length that TCP wants before it. */
static const uint8_t question[] = {
	0,    17,					       /* length */
	0x5a, 0xa5, 1,	     0, 0,	  1, 0, 0, 0, 0, 0, 0, /* id, RD, one question */
	0,    0,    TYPE_NS, 0, CLASS_IN,
};
enum {
	LENGTH_SIZE = 2,
	PATIENCE_MS = 500, /* health checks wait a second at least, for two of these */
};

/* A reply to the question, whatever it says but SERVFAIL: even a refusal shows that we serve. */
static bool is_reply(const uint8_t *reply, ssize_t len)
{
	return len >= MESSAGE_HEADER_SIZE && memcmp(reply, question + LENGTH_SIZE, 2) == 0 &&
	       (reply[2] & 0x80) && (reply[3] & FLAG_RCODE_MASK) != RCODE_SERVFAIL;
}

static bool probe_udp(int fd)
{
	uint8_t reply[512];

	if (send(fd, question + LENGTH_SIZE, sizeof(question) - LENGTH_SIZE, MSG_NOSIGNAL) < 0)
		return false;
	return is_reply(reply, recv(fd, reply, sizeof(reply), 0));
}

static bool probe_tcp(int fd)
{
	uint8_t reply[LENGTH_SIZE + MESSAGE_HEADER_SIZE];
	size_t len = 0;

	if (send(fd, question, sizeof(question), MSG_NOSIGNAL) != (ssize_t)sizeof(question))
		return false;
	while (len < sizeof(reply)) {
		ssize_t n = recv(fd, reply + len, sizeof(reply) - len, 0);
		if (n <= 0)
			return false;
		len += (size_t)n;
	}
	return is_reply(reply + LENGTH_SIZE, (ssize_t)(len - LENGTH_SIZE));
}

bool selfcheck(const struct endpoint *address, bool tcp)
{
	const struct timeval patience = {.tv_usec = PATIENCE_MS * 1000};
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(address, &sa);
	int type = tcp ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(sa.ss_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	bool good = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
		    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
		    connect(fd, (struct sockaddr *)&sa, len) == 0 &&
		    (tcp ? probe_tcp(fd) : probe_udp(fd));
	close(fd);
	return good;
}
