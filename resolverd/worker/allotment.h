#pragma once
/*
 * Who gets how many of the descriptors that the system allows. What has to be there comes first, as far
 * as it is there: files, and a socket for each address and worker. Of the rest clients' connections get
 * half, sockets towards servers three eighths, and connections to servers, which are few, one; what one
 * of them cannot use goes to the others. So with 1024 descriptors and two workers there are 470
 * connections for clients, not the 128 that were left when every worker set aside room for 64 addresses
 * and 256 connections to servers.
 */
#include <stdbool.h>
#include <stdint.h>

enum {
	/* Of one worker, however many descriptors there are. A thousand CoreDNS instances with ten
	 * connections each; as many queries in flight as the core has (LIMIT_QUERIES). */
	ALLOTMENT_CLIENTS_MAX = 16384,
	ALLOTMENT_SERVERS_MAX = 4096,
	ALLOTMENT_MIN = 64, /* with fewer the daemon could not work */
};

struct allotment_needs {
	uint64_t descriptors;
	unsigned workers;
	unsigned addresses; /* that are listened at, or may come to be */
};

struct allotment {	  /* one worker's */
	unsigned clients; /* TCP connections of clients */
	unsigned servers; /* UDP sockets towards servers */
	bool few;	  /* more than there really is, as less would not do */
};

struct allotment allotment_of(const struct allotment_needs *needs);
