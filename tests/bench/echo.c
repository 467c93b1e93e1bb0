/*
 * The floor of the benchmark: takes UDP packets in batches, sets the bit that makes each a reply,
 * and sends them back. No name server can do with less.
 *
 * usage: echo ADDRESS
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, PACKET_SIZE = 1232, HEADER_SIZE = 12, FLAGS = 2, FLAG_QR = 0x80, PORT = 53 };

static int listen_on(const char *address)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int size_bytes = 4 << 20;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "socket");
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		errx(64, "%s is not an IPv4 address", address);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size_bytes, sizeof(size_bytes));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		err(1, "bind");
	return fd;
}

int main(int argc, char **argv)
{
	static uint8_t packet[BATCH][PACKET_SIZE];
	static struct sockaddr_in client[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr message[BATCH];

	if (argc != 2)
		errx(64, "usage: echo ADDRESS");
	int fd = listen_on(argv[1]);
	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){packet[i], PACKET_SIZE};
			message[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &client[i],
								  .msg_namelen = sizeof(client[i]),
								  .msg_iov = &iov[i],
								  .msg_iovlen = 1}};
		}
		int count = recvmmsg(fd, message, BATCH, MSG_WAITFORONE, NULL);
		if (count < 0)
			err(1, "recvmmsg");
		for (int i = 0; i < count; i++) {
			iov[i].iov_len = message[i].msg_len;
			if (message[i].msg_len >= HEADER_SIZE)
				packet[i][FLAGS] |= FLAG_QR;
		}
		(void)sendmmsg(fd, message, (unsigned int)count, 0);
	}
}
