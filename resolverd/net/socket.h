#pragma once
/*
 * The few words of the sockets' interface that every file of this room needs.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"

/* Whose a socket is on which clients come. */
enum socket_owner {
	SOCKET_OURS,	    /* one thread's alone: it goes with us */
	SOCKET_HELD,	    /* the service manager has it too: it outlives us */
	SOCKET_HELD_SHARED, /* the same, and another thread of ours reads it too and counts its drops */
};

/* Set an option that is an int; false with errno. */
bool socket_set(int fd, int level, int name, int value);

/* Never learn a path MTU from ICMP: our datagrams fit everywhere, so such a message could only be
 * a forgery that makes fragments. */
void socket_ignore_path_mtu(int fd, uint8_t family);

bool socket_set_nonblocking(int fd);

/* A socket of TYPE (SOCK_DGRAM, SOCK_STREAM) bound to LOCAL, which others of ours may share
 * (SO_REUSEPORT); -1 with errno. An address that the machine does not have (yet) will do: once it
 * comes, it is served (IP_FREEBIND). Only a link-local one needs its interface. */
int socket_bound(const struct endpoint *local, int type);

/* A TCP socket that listens at LOCAL, for one thread alone: nobody can share the address, nor can we
 * share another's. -1 with errno. As above, the machine need not have the address yet. */
int socket_listening(const struct endpoint *local);

/* FD, a UDP socket bound to LOCAL, shall get nothing new: where others share the address, they get
 * it. What waits in it can still be read, and answered. It stays where LOCAL is a wildcard. */
void socket_leave(int fd, const struct endpoint *local);

/* Is FD a UDP socket, or a TCP socket for listening, that is bound? To what? */
bool socket_identify(int fd, struct endpoint *local, bool *tcp);

/* How many more packets, or connections of a listening socket, the system has dropped since *SEEN,
 * which is moved on: its buffer or queue was full. */
uint32_t socket_take_drops(int fd, uint32_t *seen);

/* ERROR (an errno) says that this machine is short of something: descriptors, ports, memory. */
bool socket_is_shortage(int error);

/* Close FD and keep errno, which says why. */
void socket_abandon(int fd);

/* Does the machine have the address of LOCAL now, whatever its port? Wildcards are everywhere. */
bool socket_is_here(const struct endpoint *local);

/* Does the system know FAMILY (4 or 6) at all? */
bool socket_has_family(uint8_t family);

/* Can LOCAL be bound to, over UDP or TCP, if it is an address of this machine? False with errno.
 * Our sockets share an address among threads (SO_REUSEPORT), which lets another process of the same
 * user share it too, unnoticed: ask before the first one. */
bool socket_is_free(const struct endpoint *local, bool tcp);
