#include "net/monitor.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"

/* ---- addresses ---- */

struct address_parts {
	uint32_t flags;
	struct span address, local;
	uint8_t protocol;
};

static int read_part(const struct nlattr *attribute, void *context)
{
	struct address_parts *p = context;
	struct span value =
		span_of(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));

	switch (mnl_attr_get_type(attribute)) {
	case IFA_ADDRESS:
		p->address = value;
		break;
	case IFA_LOCAL:
		p->local = value;
		break;
	case IFA_FLAGS: /* all of them; the header has room for eight */
		if (value.len == sizeof(p->flags))
			memcpy(&p->flags, value.at, sizeof(p->flags));
		break;
	case IFA_PROTO:
		p->protocol = value.len == 1 ? *value.at : 0;
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static bool is_link_local(const struct endpoint *e)
{
	return e->family == 6 && e->addr[0] == 0xfe && (e->addr[1] & 0xc0) == 0x80;
}

bool monitor_read_address(const struct nlmsghdr *message, struct monitor_address *out)
{
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);
	size_t len = mnl_nlmsg_get_payload_len(message);

	if (message->nlmsg_type != RTM_NEWADDR || len < MNL_ALIGN(sizeof(*head)))
		return false;
	struct address_parts p = {.flags = head->ifa_flags};
	const uint8_t *attributes = (const uint8_t *)head + MNL_ALIGN(sizeof(*head));
	if (mnl_attr_parse_payload(attributes, len - MNL_ALIGN(sizeof(*head)), read_part, &p) < 0)
		return false;
	/* The other end of a point-to-point link is no address of ours. */
	struct span own = p.local.len > 0 ? p.local : p.address;
	if (own.len != (head->ifa_family == AF_INET ? 4U : 16U) ||
	    (head->ifa_family != AF_INET && head->ifa_family != AF_INET6))
		return false;
	*out = (struct monitor_address){
		.address = endpoint_of(own, 0),
		.interface = head->ifa_index,
		.protocol = p.protocol,
		.usable = !(p.flags & IFA_F_DADFAILED) &&
			  (!(p.flags & IFA_F_TENTATIVE) || p.flags & IFA_F_OPTIMISTIC),
	};
	if (is_link_local(&out->address))
		out->address.scope_id = head->ifa_index;
	return true;
}

struct walk {
	void (*begin)(void *context);
	monitor_address_fn *fn;
	void *context;
	uint64_t malformed;
};

static void begin_walk(void *context)
{
	const struct walk *w = context;

	if (w->begin)
		w->begin(w->context);
}

static void walk_message(void *context, const struct nlmsghdr *message)
{
	struct walk *w = context;
	struct monitor_address address;

	if (monitor_read_address(message, &address))
		w->fn(w->context, &address);
	else
		w->malformed++;
}

enum err monitor_addresses(struct monitor *m, void (*begin)(void *context), monitor_address_fn *fn,
			   void *context)
{
	_Alignas(struct nlmsghdr) uint8_t request[NETLINK_REQUEST_MAX];
	struct walk walk = {.begin = begin, .fn = fn, .context = context};
	struct nlmsghdr *message = mnl_nlmsg_put_header(request);

	message->nlmsg_type = RTM_GETADDR;
	message->nlmsg_flags = NLM_F_DUMP;
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifa_family = AF_UNSPEC;
	enum err err = netlink_ask(&m->netlink, message, begin_walk, walk_message, &walk);
	m->netlink.malformed += walk.malformed;
	return err;
}

/* ---- the bell ---- */

/* Throw away what the messages say. */
static void drain(struct monitor *m)
{
	uint8_t nothing[1];

	for (unsigned i = 0; m->watch.watched && i < MONITOR_DRAIN_MAX; i++) {
		if (recv(m->watch.fd, nothing, sizeof(nothing), MSG_DONTWAIT | MSG_TRUNC) < 0)
			return;
		m->rings++;
	}
}

static void handle_ring(void *context, unsigned ready)
{
	struct monitor *m = context;

	(void)ready;
	loop_want(m->loop, &m->watch, 0);
	loop_timer_set(m->loop, &m->timer, m->looked_us + MONITOR_SETTLE_MS * 1000ULL);
}

static void handle_timer(void *context)
{
	struct monitor *m = context;

	/* In this order: what happens while FN looks rings again. */
	drain(m);
	m->looked_us = m->loop->now.mono_us;
	loop_timer_set(m->loop, &m->timer, m->looked_us + MONITOR_POLL_MS * 1000ULL);
	loop_want(m->loop, &m->watch, LOOP_READ);
	m->fn(m->context);
}

enum err monitor_open(struct monitor *m, struct loop *loop, monitor_fn *fn, void *context)
{
	static const int groups[] = {RTNLGRP_LINK,	 RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
				     RTNLGRP_IPV6_RULE};

	*m = (struct monitor){.loop = loop, .fn = fn, .context = context};
	m->netlink.protocol = NETLINK_ROUTE;
	m->timer = (struct loop_timer){.fn = handle_timer, .context = m};
	m->watch = (struct loop_watch){.fn = handle_ring, .context = m, .fd = -1};
	m->looked_us = loop->now.mono_us;
	loop_timer_set(loop, &m->timer, m->looked_us + MONITOR_POLL_MS * 1000ULL);
	int fd = netlink_open(NETLINK_ROUTE);
	if (fd < 0)
		return ERR_SYSTEM;
	/* When the buffer was full, those that wait in it have rung. An error besides would be reported
	 * by epoll again and again while the ear is shut. */
	if (!socket_set(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1))
		goto close_socket;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (!socket_set(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, groups[i]))
			goto close_socket;
	if (loop_watch(loop, &m->watch, fd, LOOP_READ) == OK)
		return OK;

close_socket:
	socket_abandon(fd);
	return ERR_SYSTEM;
}

void monitor_close(struct monitor *m)
{
	if (!m->loop)
		return;
	loop_timer_clear(m->loop, &m->timer);
	loop_close(m->loop, &m->watch);
}

void monitor_look_soon(struct monitor *m)
{
	/* While the ear is shut, the bell has rung already. */
	if (!m->watch.watched || m->watch.wanted)
		loop_timer_set(m->loop, &m->timer,
			       m->loop->now.mono_us + MONITOR_SOON_MS * 1000ULL);
}
