/*
 * Any bytes as what a netlink socket brings: every message of a reply, and what each says of an
 * address. Nothing outside of the bytes is read, and the count of messages is kept to.
 */
#include <stdlib.h>

#include "net/monitor.h"

enum { MESSAGES = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *context, const struct nlmsghdr *message)
{
	unsigned *taken = context;
	struct monitor_address a;

	(*taken)++;
	if (monitor_read_address(message, &a))
		REQUIRE(a.address.family == 4 || a.address.family == 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned taken = 0;
	struct netlink_reply reply = {.left = MESSAGES, .fn = take, .context = &taken};

	if (size < sizeof(uint32_t))
		return 0;
	/* As malloc() aligns it, and no longer than it is. The sequence number is the input's. */
	memcpy(&reply.sequence, data, sizeof(reply.sequence));
	size -= sizeof(reply.sequence);
	uint8_t *exact = malloc(size ? size : 1);
	REQUIRE(exact);
	memcpy(exact, data + sizeof(reply.sequence), size);
	enum netlink_more more = netlink_take(&reply, span_of(exact, size));
	REQUIRE(taken <= MESSAGES && (more != NETLINK_TOO_MANY || taken == MESSAGES));
	free(exact);
	return 0;
}
