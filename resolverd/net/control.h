#pragma once
/*
 * The control socket: a Unix stream socket, who is at the other end of each connection, and the
 * bytes to and from a session (made by whoever opens the socket; this room does not know what they
 * mean). Runs on one thread's loop and never blocks: a client that does not read has its output
 * wait, up to CONTROL_STALL_S, and holds up nobody.
 *
 * At most CONTROL_SESSIONS_MAX connections, CONTROL_PER_USER for one user other than the daemon's
 * own and root: a new one takes the place of the one that has been quiet longest (of that user), so
 * that nobody is locked out by idle clients.
 */
#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"
#include "net/loop.h"

enum {
	CONTROL_SESSIONS_MAX = 32, /* people and scripts; each holds 64 kB in and a reply out */
	CONTROL_PER_USER = 8,
	CONTROL_STALL_S = 30,	/* nothing of a reply was taken for so long: it never will be */
	CONTROL_PATH_MAX = 107, /* sun_path less its NUL */
};

struct control_peer {
	uid_t uid;
	bool in_group; /* the socket's group is among its groups */
};

struct control_wants {
	struct span output; /* to be sent */
	bool input;	    /* bytes may be taken */
	bool ended;	    /* close once there is no output */
	uint64_t wake_us;   /* tick then; UINT64_MAX: never */
};

struct control_settings {
	const char *path; /* borrowed; at most CONTROL_PATH_MAX bytes */
	bool open_to_all; /* anybody may connect: mode 0666, else 0660 */
	bool has_group;	  /* the socket goes to: */
	gid_t group;

	/* A session for a new connection; NULL: closed at once. */
	void *(*open)(void *context, const struct control_peer *peer);
	void (*close)(void *session);
	void (*take)(void *session, struct now now, struct span bytes);
	void (*sent)(void *session, struct now now, size_t len);
	void (*tick)(void *session, struct now now);
	void (*wants)(const void *session, struct control_wants *out);
	void *context;
};

struct control_slot { /* one connection */
	struct control_server *server;
	struct loop_watch watch;
	struct loop_timer timer;
	void *session; /* NULL: free */
	uid_t uid;
	uint64_t active_us; /* when bytes went in or out last */
	bool at_end;	    /* the peer sends no more */
};

struct control_server { /* one thread; zero-initialised is closed */
	struct control_settings settings;
	struct loop *loop;
	struct loop_watch watch;
	struct loop_timer pause; /* descriptors ran out: accept again then */
	struct control_slot slots[CONTROL_SESSIONS_MAX];
	dev_t device; /* the socket's file, so that only our own is removed */
	ino_t inode;
	bool is_open;
};

/*
 * Bind and listen. A socket that nobody listens at is removed first. ERR_EXISTS if somebody does,
 * or if PATH is something else than a socket; ERR_DENIED if the socket cannot be given to the
 * group; ERR_SYSTEM with errno. Call before other threads run: the file mode mask of the process is
 * changed for a moment.
 */
MUST_USE enum err control_listen(struct control_server *c, struct loop *loop,
				 const struct control_settings *settings);
/* Close all connections and remove the socket. */
void control_close(struct control_server *c);

/* Change who may connect from now on. */
void control_open_to_all(struct control_server *c, bool open_to_all);
