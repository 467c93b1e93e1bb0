#include "net/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"

enum { ERRNO_END = 4096 }; /* the kernel's MAX_ERRNO and one */

int netlink_open(int protocol)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	socket_abandon(fd);
	return -1;
}

/* ---- replies ---- */

/* ERROR is a negated errno; what is none still is no consent. */
static enum netlink_more refuse(int error)
{
	errno = error < 0 && error > -ERRNO_END ? -error : EPROTO;
	return NETLINK_REFUSED;
}

/* What an error message says: 0 is consent. */
static enum netlink_more read_verdict(struct netlink_reply *r, const struct nlmsghdr *m)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(m);

	if (mnl_nlmsg_get_payload_len(m) < sizeof(error->error)) {
		r->malformed++;
		return NETLINK_MORE;
	}
	if (error->error == 0)
		return NETLINK_DONE;
	return refuse(error->error);
}

/* The end of a list, which may carry an error too. */
static enum netlink_more read_end(const struct netlink_reply *r, const struct nlmsghdr *m)
{
	const int *error = mnl_nlmsg_get_payload(m);

	if (mnl_nlmsg_get_payload_len(m) >= sizeof(*error) && *error < 0) {
		return refuse(*error);
	}
	return r->changed ? NETLINK_CHANGED : NETLINK_DONE;
}

static enum netlink_more take_message(struct netlink_reply *r, const struct nlmsghdr *m)
{
	if (m->nlmsg_seq != r->sequence)
		return NETLINK_MORE; /* of an earlier question that was given up */
	if (m->nlmsg_flags & NLM_F_DUMP_INTR)
		r->changed = true;
	switch (m->nlmsg_type) {
	case NLMSG_NOOP:
		return NETLINK_MORE;
	case NLMSG_ERROR:
		return read_verdict(r, m);
	case NLMSG_DONE:
		return read_end(r, m);
	case NLMSG_OVERRUN:
		errno = ENOBUFS;
		return NETLINK_REFUSED;
	default:
		break;
	}
	if (r->left == 0)
		return NETLINK_TOO_MANY;
	r->left--;
	if (r->fn)
		r->fn(r->context, m);
	return NETLINK_MORE;
}

enum netlink_more netlink_take(struct netlink_reply *r, struct span bytes)
{
	/* mnl_nlmsg_ok() takes a length of 2^31 for a negative one, and so for good. */
	while (bytes.len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *m = (const void *)bytes.at;
		if (m->nlmsg_len < sizeof(*m) || m->nlmsg_len > bytes.len)
			break;
		enum netlink_more more = take_message(r, m);
		if (more != NETLINK_MORE)
			return more;
		/* The padding of the last message may be missing. */
		size_t len = MIN((size_t)MNL_ALIGN(m->nlmsg_len), bytes.len);
		bytes = span_of(bytes.at + len, bytes.len - len);
	}
	r->malformed += bytes.len > 0;
	return NETLINK_MORE;
}

/* ---- asking ---- */

/* One piece of a reply into BUFFER; its length, or -1 with errno. */
static ssize_t receive(int fd, void *buffer, size_t size_bytes)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	struct sockaddr_nl from = {0};
	struct iovec iov = {.iov_base = buffer, .iov_len = size_bytes};
	struct msghdr message = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t len = recvmsg(fd, &message, 0);

	if (len < 0 && errno == EAGAIN) {
		if (poll(&readable, 1, NETLINK_PATIENCE_MS) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		len = recvmsg(fd, &message, 0);
	}
	if (len < 0)
		return -1;
	if (from.nl_pid != 0)
		return 0; /* not the kernel */
	if (message.msg_flags & MSG_TRUNC) {
		errno = EMSGSIZE;
		return -1;
	}
	return len;
}

static enum netlink_more ask_at(int fd, const struct nlmsghdr *request, struct netlink_reply *reply)
{
	union {
		struct nlmsghdr align;
		uint8_t bytes[NETLINK_BUFFER_SIZE];
	} buffer;
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	enum netlink_more more = NETLINK_MORE;

	if (sendto(fd, request, request->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) <
	    0)
		return NETLINK_REFUSED;
	/* A piece has a message at least, or it is none: so this ends. */
	for (unsigned i = 0; more == NETLINK_MORE && i < NETLINK_MESSAGES_MAX; i++) {
		ssize_t len = receive(fd, &buffer, sizeof(buffer));
		if (len < 0)
			return NETLINK_REFUSED;
		more = netlink_take(reply, span_of(buffer.bytes, (size_t)len));
	}
	return more;
}

static enum netlink_more ask_once(struct netlink *n, struct nlmsghdr *request,
				  struct netlink_reply *reply)
{
	int fd = netlink_open(n->protocol);

	if (fd < 0)
		return NETLINK_REFUSED;
	request->nlmsg_flags |= NLM_F_REQUEST;
	/* Of its two bits one is NLM_F_EXCL where something is made. */
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->nlmsg_flags |= NLM_F_ACK;
	request->nlmsg_seq = reply->sequence = ++n->sequence;
	enum netlink_more more = ask_at(fd, request, reply);
	socket_abandon(fd);
	return more;
}

enum err netlink_ask(struct netlink *n, struct nlmsghdr *request, void (*begin)(void *context),
		     netlink_fn *fn, void *context)
{
	enum netlink_more more = NETLINK_CHANGED;

	for (unsigned i = 0; more == NETLINK_CHANGED && i < NETLINK_TRIES; i++) {
		struct netlink_reply reply = {
			.left = NETLINK_MESSAGES_MAX, .fn = fn, .context = context};
		if (begin)
			begin(context);
		more = ask_once(n, request, &reply);
		n->malformed += reply.malformed;
	}
	switch (more) {
	case NETLINK_DONE:
		return OK;
	case NETLINK_REFUSED:
		return ERR_SYSTEM;
	case NETLINK_CHANGED:
		return ERR_BUSY;
	case NETLINK_MORE:
	case NETLINK_TOO_MANY:
		break;
	}
	return ERR_LIMIT;
}
