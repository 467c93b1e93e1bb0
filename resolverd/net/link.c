#include "net/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "net/monitor.h"

union request {
	struct nlmsghdr align;
	uint8_t bytes[NETLINK_REQUEST_MAX];
};

/* ---- links ---- */

static struct nlmsghdr *begin_link(union request *r, uint16_t type, uint32_t index, uint32_t flags)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(r);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head));

	m->nlmsg_type = type;
	head->ifi_family = AF_UNSPEC;
	head->ifi_index = (int)index;
	head->ifi_flags = flags;
	head->ifi_change = flags;
	return m;
}

static int read_alias(const struct nlattr *attribute, void *context)
{
	struct link *link = context;

	if (mnl_attr_get_type(attribute) == IFLA_IFALIAS)
		link->ours = mnl_attr_get_payload_len(attribute) >= sizeof(LINK_ALIAS) - 1 &&
			     strncmp(mnl_attr_get_payload(attribute), LINK_ALIAS,
				     mnl_attr_get_payload_len(attribute)) == 0;
	return MNL_CB_OK;
}

/* What follows a message's fixed part of SIZE bytes; false: not even that is there. */
static bool parse_attributes(const struct nlmsghdr *m, size_t size_bytes, mnl_attr_cb_t fn,
			     void *context)
{
	const uint8_t *payload = mnl_nlmsg_get_payload(m);
	size_t len = mnl_nlmsg_get_payload_len(m), head = MNL_ALIGN(size_bytes);

	return len >= head && mnl_attr_parse_payload(payload + head, len - head, fn, context) >= 0;
}

static void take_link(void *context, const struct nlmsghdr *m)
{
	struct link *link = context, found = {.index = link->index};
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(m);

	if (m->nlmsg_type != RTM_NEWLINK ||
	    !parse_attributes(m, sizeof(*head), read_alias, &found) ||
	    (uint32_t)head->ifi_index != link->index)
		return;
	found.up = head->ifi_flags & IFF_UP;
	*link = found;
}

enum err link_find(struct netlink *n, const char *name, struct link *out)
{
	union request r;

	*out = (struct link){.index = if_nametoindex(name)};
	if (out->index == 0)
		return errno == ENODEV ? ERR_NOT_FOUND : ERR_SYSTEM;
	enum err err =
		netlink_ask(n, begin_link(&r, RTM_GETLINK, out->index, 0), NULL, take_link, out);
	return err == ERR_SYSTEM && errno == ENODEV ? ERR_NOT_FOUND : err;
}

static enum err make(struct netlink *n, const char *name, const char *kind)
{
	union request r;
	struct nlmsghdr *m = begin_link(&r, RTM_NEWLINK, 0, 0);

	m->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(m, IFLA_IFNAME, name);
	struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(m, info);
	return netlink_ask(n, m, NULL, NULL, NULL);
}

enum err link_make(struct netlink *n, const char *name)
{
	static const char *const kinds[] = {"dummy", "bridge"};
	enum err err = ERR_SYSTEM;
	union request r;

	errno = EOPNOTSUPP;
	for (size_t i = 0; err == ERR_SYSTEM && errno == EOPNOTSUPP && i < ARRAY_LEN(kinds); i++)
		err = make(n, name, kinds[i]);
	uint32_t index = err == OK ? if_nametoindex(name) : 0;
	if (index == 0)
		return err == OK ? ERR_SYSTEM : err;
	struct nlmsghdr *m = begin_link(&r, RTM_NEWLINK, index, IFF_UP);
	/* Kernels take the mark only of a link that exists. */
	mnl_attr_put_str(m, IFLA_IFALIAS, LINK_ALIAS);
	return netlink_ask(n, m, NULL, NULL, NULL);
}

enum err link_remove(struct netlink *n, uint32_t index)
{
	union request r;

	return netlink_ask(n, begin_link(&r, RTM_DELLINK, index, 0), NULL, NULL, NULL);
}

/* ---- addresses ---- */

static struct nlmsghdr *begin_address(union request *r, uint16_t type, uint32_t index,
				      const struct endpoint *address)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(r);
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head));
	size_t len = address->family == 4 ? 4 : 16;

	m->nlmsg_type = type;
	head->ifa_index = index;
	head->ifa_family = address->family == 4 ? AF_INET : AF_INET6;
	head->ifa_prefixlen = (uint8_t)(8 * len);
	/* What goes elsewhere must not leave from this address unasked. */
	head->ifa_scope = address->family == 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	head->ifa_flags = address->family == 4 ? 0 : IFA_F_NODAD;
	mnl_attr_put(m, IFA_LOCAL, len, address->addr);
	mnl_attr_put(m, IFA_ADDRESS, len, address->addr);
	return m;
}

enum err link_add_address(struct netlink *n, uint32_t index, const struct endpoint *address)
{
	union request r;
	struct nlmsghdr *m = begin_address(&r, RTM_NEWADDR, index, address);

	m->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_u8(m, IFA_PROTO, LINK_ADDRESS_PROTOCOL);
	return netlink_ask(n, m, NULL, NULL, NULL);
}

enum err link_remove_address(struct netlink *n, uint32_t index, const struct endpoint *address)
{
	union request r;

	return netlink_ask(n, begin_address(&r, RTM_DELADDR, index, address), NULL, NULL, NULL);
}

void link_take_address(struct link_addresses *a, uint32_t index, const struct nlmsghdr *message)
{
	struct monitor_address found;

	if (!monitor_read_address(message, &found) || found.interface != index)
		return;
	bool wanted = false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->wanted[i].family != found.address.family ||
		    memcmp(a->wanted[i].addr, found.address.addr, sizeof(found.address.addr)) != 0)
			continue;
		wanted = true;
		a->there |= 1U << i;
		if (found.protocol == LINK_ADDRESS_PROTOCOL)
			a->ours |= 1U << i;
	}
	a->others +=
		!wanted && found.address.scope_id == 0; /* link-local ones come by themselves */
}

struct look {
	struct link_addresses *addresses;
	uint32_t index;
};

static void begin_look(void *context)
{
	struct link_addresses *a = ((struct look *)context)->addresses;

	a->there = a->ours = a->others = 0;
}

static void take_look(void *context, const struct nlmsghdr *message)
{
	const struct look *look = context;

	link_take_address(look->addresses, look->index, message);
}

enum err link_look(struct netlink *n, uint32_t index, struct link_addresses *a)
{
	struct look look = {a, index};
	union request r;
	struct nlmsghdr *m = mnl_nlmsg_put_header(&r);
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head));

	REQUIRE(a->count <= LINK_ADDRESSES_MAX);
	m->nlmsg_type = RTM_GETADDR;
	m->nlmsg_flags = NLM_F_DUMP;
	head->ifa_family = AF_UNSPEC;
	return netlink_ask(n, m, begin_look, take_look, &look);
}
