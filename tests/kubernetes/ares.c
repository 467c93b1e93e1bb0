/* ares SERVER NAME TYPE [tcp]: one question by c-ares, and what its own parsers find in the reply.
 * TYPE is A, AAAA or TXT. Prints each address or text in a line, then "rcode=N bytes=N"; without a
 * usable reply "error=..." and exit status 1. */
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

enum { ADDRESSES_MAX = 512 };

struct outcome {
	int type;
	int status;
};

static void print_addresses(int type, const unsigned char *reply, int size)
{
	int count = ADDRESSES_MAX;
	char text[INET6_ADDRSTRLEN];
	if (type == ns_t_a) {
		static struct ares_addrttl found[ADDRESSES_MAX];
		if (ares_parse_a_reply(reply, size, NULL, found, &count))
			return;
		for (int i = 0; i < count; i++)
			puts(inet_ntop(AF_INET, &found[i].ipaddr, text, sizeof text));
	} else {
		static struct ares_addr6ttl found[ADDRESSES_MAX];
		if (ares_parse_aaaa_reply(reply, size, NULL, found, &count))
			return;
		for (int i = 0; i < count; i++)
			puts(inet_ntop(AF_INET6, &found[i].ip6addr, text, sizeof text));
	}
}

static void print_texts(const unsigned char *reply, int size)
{
	struct ares_txt_reply *list = NULL;
	if (ares_parse_txt_reply(reply, size, &list))
		return;
	for (const struct ares_txt_reply *text = list; text; text = text->next)
		printf("%.*s\n", (int)text->length, (const char *)text->txt);
	ares_free_data(list);
}

static void told(void *argument, int status, int timeouts, unsigned char *reply, int size)
{
	struct outcome *outcome = argument;
	(void)timeouts;
	outcome->status = status;
	if (!reply) {
		printf("error=%s\n", ares_strerror(status));
		return;
	}
	if (outcome->type == ns_t_txt)
		print_texts(reply, size);
	else
		print_addresses(outcome->type, reply, size);
	printf("rcode=%d bytes=%d\n", reply[3] & 15, size);
}

static void wait_for_all(ares_channel channel)
{
	for (;;) {
		fd_set readable, writable;
		struct timeval most = {.tv_sec = 5}, left;
		FD_ZERO(&readable);
		FD_ZERO(&writable);
		int count = ares_fds(channel, &readable, &writable);
		if (!count)
			return;
		select(count, &readable, &writable, NULL, ares_timeout(channel, &most, &left));
		ares_process(channel, &readable, &writable);
	}
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: ares SERVER NAME TYPE [tcp]\n");
		return 64;
	}
	struct outcome outcome = {
		.type = !strcmp(argv[3], "A")	   ? ns_t_a
			: !strcmp(argv[3], "AAAA") ? ns_t_aaaa
						   : ns_t_txt,
	};
	struct ares_options options = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOCHECKRESP | (argc > 4 ? ARES_FLAG_USEVC : 0),
		.ednspsz = 1232,
	};
	ares_channel channel;
	if (ares_library_init(ARES_LIB_INIT_ALL) ||
	    ares_init_options(&channel, &options, ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ) ||
	    ares_set_servers_csv(channel, argv[1]))
		return 70;
	ares_query(channel, argv[2], ns_c_in, outcome.type, told, &outcome);
	wait_for_all(channel);
	ares_destroy(channel);
	ares_library_cleanup();
	return outcome.status != ARES_SUCCESS;
}
