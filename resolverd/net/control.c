#include "net/control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/socket.h"
#include "net/stream.h"

enum {
	READ_BYTES = 16 * 1024,
	BACKLOG = 128,
	ACCEPTS_PER_TURN = 8,
	PAUSE_US = 100 * 1000,
	GROUPS_MAX = 65536, /* NGROUPS_MAX of Linux */
	MODE_GROUP = 0660,
	MODE_ALL = 0666,
};

/* ---- who is there ---- */

/* GROUP is among the supplementary groups of the peer. */
static bool is_member(int fd, gid_t group)
{
	socklen_t len = 0;
	bool found = false;

	/* Asked with no room it says how much is needed. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE ||
	    len > GROUPS_MAX * sizeof(gid_t))
		return false;
	gid_t *groups = malloc(len);
	if (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		for (size_t i = 0; i < len / sizeof(*groups) && !found; i++)
			found = groups[i] == group;
	free(groups);
	return found;
}

static bool read_peer(const struct control_settings *settings, int fd, struct control_peer *out)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	gid_t group = settings->has_group ? settings->group : getegid();

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	*out = (struct control_peer){.uid = cred.uid,
				     .in_group = cred.gid == group || is_member(fd, group)};
	return true;
}

/* ---- connections ---- */

static void drop(struct control_slot *slot)
{
	struct control_server *c = slot->server;

	loop_timer_clear(c->loop, &slot->timer);
	loop_forget(c->loop, &slot->watch);
	close(slot->watch.fd);
	c->settings.close(slot->session);
	slot->session = NULL;
}

/* Do what the session wants next, or close. */
static void settle(struct control_slot *slot)
{
	struct control_server *c = slot->server;
	struct control_wants wants;
	uint64_t wake_us;

	c->settings.wants(slot->session, &wants);
	bool idle = wants.output.len == 0 && wants.wake_us == UINT64_MAX;
	if (wants.output.len == 0 && (wants.ended || (slot->at_end && idle))) {
		drop(slot);
		return;
	}
	wake_us = wants.wake_us;
	if (wants.output.len > 0)
		wake_us = MIN(wake_us, slot->active_us + CONTROL_STALL_S * 1000000ULL);
	loop_want(c->loop, &slot->watch,
		  (wants.output.len > 0 ? LOOP_WRITE : 0u) |
			  (wants.input && !slot->at_end ? LOOP_READ : 0u));
	if (wake_us == UINT64_MAX)
		loop_timer_clear(c->loop, &slot->timer);
	else
		loop_timer_set(c->loop, &slot->timer, wake_us);
}

/* Send what there is. False if the connection is gone. */
static bool flush(struct control_slot *slot)
{
	struct control_server *c = slot->server;
	struct control_wants wants;

	c->settings.wants(slot->session, &wants);
	if (wants.output.len == 0)
		return true;
	struct span rest = wants.output;
	if (stream_write(slot->watch.fd, &rest) != OK)
		return false;
	if (rest.len < wants.output.len) {
		slot->active_us = c->loop->now.mono_us;
		c->settings.sent(slot->session, c->loop->now, wants.output.len - rest.len);
	}
	return true;
}

static bool read_some(struct control_slot *slot)
{
	struct control_server *c = slot->server;
	uint8_t bytes[READ_BYTES];
	size_t len;

	switch (stream_read(slot->watch.fd, bytes, sizeof(bytes), &len)) {
	case OK:
		slot->active_us = c->loop->now.mono_us;
		c->settings.take(slot->session, c->loop->now, span_of(bytes, len));
		return true;
	case ERR_BUSY:
		return true;
	case ERR_NOT_FOUND:
		slot->at_end = true;
		return true;
	default:
		return false;
	}
}

static void handle_slot(void *context, unsigned ready)
{
	struct control_slot *slot = context;
	bool alive = true;

	if (ready & LOOP_READ)
		alive = read_some(slot);
	else if (ready & LOOP_FAILED)
		alive = false; /* both directions are closed */
	if (alive)
		alive = flush(slot);
	if (alive)
		settle(slot);
	else
		drop(slot);
}

static void handle_slot_timer(void *context)
{
	struct control_slot *slot = context;
	struct control_server *c = slot->server;
	struct control_wants wants;

	c->settings.wants(slot->session, &wants);
	if (wants.output.len > 0 &&
	    c->loop->now.mono_us >= slot->active_us + CONTROL_STALL_S * 1000000ULL) {
		drop(slot);
		return;
	}
	c->settings.tick(slot->session, c->loop->now);
	if (flush(slot))
		settle(slot);
	else
		drop(slot);
}

/* ---- accepting ---- */

static bool is_bounded(uid_t uid)
{
	return uid != 0 && uid != geteuid();
}

/* The slot for a new connection of UID: a free one, or that of whoever was quiet longest. */
static struct control_slot *take_slot(struct control_server *c, uid_t uid)
{
	struct control_slot *empty = NULL, *quiet = NULL, *own_quiet = NULL;
	unsigned own = 0;

	for (size_t i = 0; i < CONTROL_SESSIONS_MAX; i++) {
		struct control_slot *slot = &c->slots[i];
		if (!slot->session) {
			empty = slot;
			continue;
		}
		if (!quiet || slot->active_us < quiet->active_us)
			quiet = slot;
		if (slot->uid != uid)
			continue;
		own++;
		if (!own_quiet || slot->active_us < own_quiet->active_us)
			own_quiet = slot;
	}
	if (is_bounded(uid) && own >= CONTROL_PER_USER)
		empty = own_quiet;
	if (!empty)
		empty = quiet;
	if (empty->session)
		drop(empty);
	return empty;
}

static void admit(struct control_server *c, int fd)
{
	struct control_peer peer;

	if (!read_peer(&c->settings, fd, &peer))
		goto close_fd;
	struct control_slot *slot = take_slot(c, peer.uid);
	*slot = (struct control_slot){.server = c,
				      .watch = {.fn = handle_slot, .context = slot},
				      .timer = {.fn = handle_slot_timer, .context = slot},
				      .uid = peer.uid,
				      .active_us = c->loop->now.mono_us};
	slot->session = c->settings.open(c->settings.context, &peer);
	if (!slot->session)
		goto close_fd;
	if (loop_watch(c->loop, &slot->watch, fd, LOOP_READ) != OK) {
		c->settings.close(slot->session);
		slot->session = NULL;
		goto close_fd;
	}
	return;

close_fd:
	close(fd);
}

static void handle_pause(void *context)
{
	struct control_server *c = context;

	loop_want(c->loop, &c->watch, LOOP_READ);
}

static void handle_accept(void *context, unsigned ready)
{
	struct control_server *c = context;

	(void)ready;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(c->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			admit(c, fd);
			continue;
		}
		if (errno == EAGAIN || errno == ECONNABORTED)
			return;
		/* EMFILE and its like: trying again at once would only spin. */
		loop_want(c->loop, &c->watch, 0);
		loop_timer_set(c->loop, &c->pause, c->loop->now.mono_us + PAUSE_US);
		return;
	}
}

/* ---- the socket ---- */

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	REQUIRE(strlen(path) <= CONTROL_PATH_MAX);
	memcpy(address.sun_path, path, strlen(path));
	return address;
}

/* OK if nothing is at PATH, or no longer: a socket at which nobody listens is removed. */
static enum err clear_path(const char *path)
{
	struct sockaddr_un address = address_of(path);
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? OK : ERR_SYSTEM;
	if (!S_ISSOCK(st.st_mode))
		return ERR_EXISTS;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_SYSTEM;
	bool refused = connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
		       errno == ECONNREFUSED;
	close(fd);
	if (!refused)
		return ERR_EXISTS;
	return unlink(path) == 0 ? OK : ERR_SYSTEM;
}

/* Then nothing is left to do, which a service manager's filter might refuse. */
static bool belongs_to(const char *path, gid_t group)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_gid == group;
}

/* Nobody can connect before listen(), so that by then mode and group are as they should be. */
static enum err bind_path(int fd, const struct control_settings *settings)
{
	struct sockaddr_un address = address_of(settings->path);
	mode_t mask = umask(0777);
	int bound = bind(fd, (struct sockaddr *)&address, sizeof(address));

	umask(mask);
	if (bound != 0)
		return ERR_SYSTEM;
	enum err err = OK;
	if (settings->has_group && !belongs_to(settings->path, settings->group) &&
	    chown(settings->path, (uid_t)-1, settings->group) != 0)
		err = ERR_DENIED;
	else if (chmod(settings->path, settings->open_to_all ? MODE_ALL : MODE_GROUP) != 0 ||
		 listen(fd, BACKLOG) != 0)
		err = ERR_SYSTEM;
	if (err != OK) {
		int saved = errno;
		unlink(settings->path);
		errno = saved;
	}
	return err;
}

enum err control_listen(struct control_server *c, struct loop *loop,
			const struct control_settings *settings)
{
	struct stat st;
	enum err err = clear_path(settings->path);

	if (err != OK)
		return err;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_SYSTEM;
	err = bind_path(fd, settings);
	if (err != OK)
		goto close_fd;
	*c = (struct control_server){.settings = *settings,
				     .loop = loop,
				     .watch = {.fn = handle_accept, .context = c},
				     .pause = {.fn = handle_pause, .context = c}};
	err = lstat(settings->path, &st) == 0 ? loop_watch(loop, &c->watch, fd, LOOP_READ)
					      : ERR_SYSTEM;
	if (err != OK) {
		unlink(settings->path);
		goto close_fd;
	}
	c->device = st.st_dev;
	c->inode = st.st_ino;
	c->is_open = true;
	return OK;

close_fd:
	socket_abandon(fd);
	return err;
}

void control_close(struct control_server *c)
{
	struct stat st;

	if (!c->is_open)
		return;
	for (size_t i = 0; i < CONTROL_SESSIONS_MAX; i++)
		if (c->slots[i].session)
			drop(&c->slots[i]);
	loop_timer_clear(c->loop, &c->pause);
	loop_forget(c->loop, &c->watch);
	if (lstat(c->settings.path, &st) == 0 && st.st_dev == c->device && st.st_ino == c->inode)
		(void)unlink(c->settings.path);
	close(c->watch.fd);
	c->is_open = false;
}

void control_open_to_all(struct control_server *c, bool open_to_all)
{
	if (!c->is_open || c->settings.open_to_all == open_to_all)
		return;
	c->settings.open_to_all = open_to_all;
	(void)chmod(c->settings.path, open_to_all ? MODE_ALL : MODE_GROUP);
}
