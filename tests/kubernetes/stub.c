/* stub NAME TYPE: one question by the C library's own res_query(3), as an old program asks. TYPE is a
 * number. Prints "rcode=N answers=N bytes=N tc=N", or "error=..." and exit status 1. */
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	static unsigned char reply[65536];
	if (argc != 3) {
		fprintf(stderr, "usage: stub NAME TYPE\n");
		return 64;
	}
	int size = res_query(argv[1], ns_c_in, atoi(argv[2]), reply, sizeof reply);
	if (size < 12) {
		printf("error=%d\n", h_errno);
		return 1;
	}
	printf("rcode=%d answers=%d bytes=%d tc=%d\n", reply[3] & 15, reply[6] << 8 | reply[7],
	       size, reply[2] >> 1 & 1);
	return 0;
}
