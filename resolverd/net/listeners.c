#include "net/listeners.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

bool listeners_is_bound(const struct nlmsghdr *message, const struct endpoint *local)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(message);
	size_t len = local->family == 4 ? 4 : 16;

	return message->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
	       mnl_nlmsg_get_payload_len(message) >= sizeof(*m) &&
	       m->idiag_family == (local->family == 4 ? AF_INET : AF_INET6) &&
	       m->id.idiag_sport == htons(local->port) &&
	       memcmp(m->id.idiag_src, local->addr, len) == 0;
}

struct look {
	const struct endpoint *local;
	bool found;
};

static void take(void *context, const struct nlmsghdr *message)
{
	struct look *look = context;

	look->found |= listeners_is_bound(message, look->local);
}

/* What is found once is there, even if the list has changed meanwhile. */
static enum err look_for(struct netlink *n, struct look *look, uint8_t protocol, unsigned state)
{
	_Alignas(struct nlmsghdr) uint8_t request[NETLINK_REQUEST_MAX];
	struct nlmsghdr *m = mnl_nlmsg_put_header(request);
	struct inet_diag_req_v2 *want = mnl_nlmsg_put_extra_header(m, sizeof(*want));

	m->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	m->nlmsg_flags = NLM_F_DUMP;
	want->sdiag_family = look->local->family == 4 ? AF_INET : AF_INET6;
	want->sdiag_protocol = protocol;
	want->idiag_states = 1U << state;
	want->id.idiag_sport = htons(look->local->port);
	return netlink_ask(n, m, NULL, take, look);
}

enum err listeners_look(struct netlink *n, const struct endpoint *local, bool *found)
{
	struct look look = {.local = local};
	/* A UDP socket that is not connected is "closed". */
	enum err err = look_for(n, &look, IPPROTO_UDP, TCP_CLOSE);

	if (err == OK && !look.found)
		err = look_for(n, &look, IPPROTO_TCP, TCP_LISTEN);
	*found = look.found;
	return look.found ? OK : err;
}
