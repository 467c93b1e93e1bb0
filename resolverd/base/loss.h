#pragma once
/*
 * Why a packet to a server will have no reply, by whose doing that is. Only what is the server's own
 * doing is held against it: who takes our shortage for a server's silence lets anybody who can make us
 * short of something spoil what is known of everybody's servers.
 */

enum loss {
	LOSS_ROOM,    /* ours: no socket, connection, port or memory. It never left */
	LOSS_YIELDED, /* ours too: it was sent, waited long, and had to give way to others */
	LOSS_ROUTE,   /* of this machine's network: no way there, or not permitted. It never left */
	LOSS_HINT, /* an ICMP message says that nobody is there. Anybody can write one: the packet is
			 still out, and its reply as good as any */
	LOSS_CLOSED,  /* the server's: it refused, reset or closed the connection */
	LOSS_TIMEOUT, /* the server's or the path's: no connection in time */
};
