/*
 * The control socket: whose it is, who may be told from whom, and that no client keeps another
 * waiting. The session at the other end of it is an echo.
 */
#include "unit/base_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net/control.h"

enum { ECHO_MAX = 1 << 20 };

struct echo {
	uint8_t bytes[ECHO_MAX];
	size_t len;
	bool ended;
};

struct rig {
	char directory[64], path[96];
	struct loop loop;
	struct control_server server;
	struct control_settings settings;
	unsigned opened, closed;
	struct control_peer peer;
};

static unsigned closed_sessions;

static void *open_echo(void *context, const struct control_peer *peer)
{
	struct rig *r = context;

	r->opened++;
	r->peer = *peer;
	return calloc(1, sizeof(struct echo));
}

static void close_echo(void *session)
{
	closed_sessions++;
	free(session);
}

/* "big" asks for much, "end" for the end. */
static void take_echo(void *session, struct now now, struct span bytes)
{
	struct echo *e = session;

	(void)now;
	if (bytes.len == 3 && memcmp(bytes.at, "big", 3) == 0) {
		e->len = ECHO_MAX;
		return;
	}
	e->ended = bytes.len == 3 && memcmp(bytes.at, "end", 3) == 0;
	memcpy(e->bytes, bytes.at, bytes.len);
	e->len = bytes.len;
}

static void sent_echo(void *session, struct now now, size_t len)
{
	struct echo *e = session;

	(void)now;
	memmove(e->bytes, e->bytes + len, e->len - len);
	e->len -= len;
}

static void tick_echo(void *session, struct now now)
{
	(void)session;
	(void)now;
}

static void want_echo(const void *session, struct control_wants *out)
{
	const struct echo *e = session;

	*out = (struct control_wants){.output = span_of(e->bytes, e->len),
				      .input = e->len == 0,
				      .ended = e->ended,
				      .wake_us = UINT64_MAX};
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	REQUIRE(r);
	strcpy(r->directory, "/tmp/resolverd-control.XXXXXX");
	REQUIRE(mkdtemp(r->directory));
	(void)snprintf(r->path, sizeof(r->path), "%s/s", r->directory);
	REQUIRE(loop_init(&r->loop, loop_epoch_read()) == OK);
	r->settings = (struct control_settings){.path = r->path,
						.open = open_echo,
						.close = close_echo,
						.take = take_echo,
						.sent = sent_echo,
						.tick = tick_echo,
						.wants = want_echo,
						.context = r};
	closed_sessions = 0;
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	control_close(&r->server);
	REQUIRE(closed_sessions == r->opened);
	loop_deinit(&r->loop);
	(void)unlink(r->path);
	REQUIRE(rmdir(r->directory) == 0);
	free(r);
	return 0;
}

static int dial(const struct rig *r)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, r->path);
	REQUIRE(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void turn(struct rig *r, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		loop_wake(&r->loop);
		loop_wait(&r->loop);
		loop_dispatch(&r->loop);
	}
}

static bool echoes(struct rig *r, int fd)
{
	char back[8] = "";

	REQUIRE(send(fd, "hello", 5, MSG_NOSIGNAL) == 5);
	turn(r, 3);
	return recv(fd, back, sizeof(back), 0) == 5 && strcmp(back, "hello") == 0;
}

static void test_echo(void **state)
{
	struct rig *r = *state;
	struct stat st;

	assert_int_equal(control_listen(&r->server, &r->loop, &r->settings), OK);
	assert_int_equal(stat(r->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	int fd = dial(r);
	assert_true(fd >= 0 && echoes(r, fd) && echoes(r, fd));
	assert_int_equal(r->peer.uid, getuid());
	assert_true(r->peer.in_group);
	control_open_to_all(&r->server, true);
	assert_int_equal(stat(r->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	close(fd);
	turn(r, 2);
	assert_int_equal(closed_sessions, 1);
	control_close(&r->server);
	assert_int_equal(stat(r->path, &st), -1);
}

static void test_whose_path(void **state)
{
	struct rig *r = *state;
	struct control_server other = {0};
	struct stat st;

	assert_int_equal(control_listen(&r->server, &r->loop, &r->settings), OK);
	assert_int_equal(control_listen(&other, &r->loop, &r->settings), ERR_EXISTS);
	int fd = dial(r);
	assert_true(fd >= 0 && echoes(r, fd));
	close(fd);
	turn(r, 2);

	/* One that nobody listens at any more is in nobody's way. */
	control_close(&r->server);
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, r->path);
	assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
	close(stale);
	assert_int_equal(control_listen(&r->server, &r->loop, &r->settings), OK);

	/* What took our place is not ours to remove. */
	assert_int_equal(unlink(r->path), 0);
	int file = open(r->path, O_CREAT | O_WRONLY, 0600);
	close(file);
	control_close(&r->server);
	assert_int_equal(stat(r->path, &st), 0);
	assert_int_equal(control_listen(&r->server, &r->loop, &r->settings), ERR_EXISTS);
}

static void test_end(void **state)
{
	struct rig *r = *state;
	char back[8];

	assert_int_equal(control_listen(&r->server, &r->loop, &r->settings), OK);
	int fd = dial(r);
	assert_int_equal(send(fd, "end", 3, 0), 3);
	turn(r, 3);
	assert_int_equal(recv(fd, back, sizeof(back), 0), 3);
	assert_int_equal(recv(fd, back, sizeof(back), 0), 0);
	close(fd);

	/* Who shuts down its side still gets the reply. */
	fd = dial(r);
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	turn(r, 4);
	assert_int_equal(recv(fd, back, sizeof(back), 0), 5);
	assert_int_equal(recv(fd, back, sizeof(back), 0), 0);
	close(fd);
}

/* One asks for much and reads nothing, one sends nothing, one goes away in the midst. */
static void test_rude_clients(void **state)
{
	struct rig *r = *state;

	assert_int_equal(control_listen(&r->server, &r->loop, &r->settings), OK);
	int greedy = dial(r), silent = dial(r), gone = dial(r), good = dial(r);
	assert_int_equal(send(greedy, "big", 3, 0), 3);
	assert_int_equal(send(gone, "big", 3, 0), 3);
	turn(r, 5);
	close(gone);
	turn(r, 5);
	assert_int_equal(closed_sessions, 1);
	assert_true(echoes(r, good));
	size_t total = 0;
	static uint8_t bytes[65536];
	for (int i = 0; i < 200 && total < ECHO_MAX; i++) {
		ssize_t n = recv(greedy, bytes, sizeof(bytes), 0);
		total += n > 0 ? (size_t)n : 0;
		turn(r, 1);
	}
	assert_int_equal(total, ECHO_MAX);
	assert_true(echoes(r, silent));
	close(greedy);
	close(silent);
	close(good);
	turn(r, 2);
}

/* More than there is room for: the quietest goes. */
static void test_crowd(void **state)
{
	struct rig *r = *state;
	int fds[CONTROL_SESSIONS_MAX + 4];

	assert_int_equal(control_listen(&r->server, &r->loop, &r->settings), OK);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial(r);
		assert_true(fds[i] >= 0 && echoes(r, fds[i]));
		if (i == 10)
			assert_true(echoes(r, fds[0]));
	}
	assert_int_equal(closed_sessions, 4);
	assert_true(echoes(r, fds[0]));
	assert_int_equal(recv(fds[1], &(char){0}, 1, 0), 0);
	assert_true(echoes(r, fds[CONTROL_SESSIONS_MAX + 3]));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_echo),	 TEST(test_whose_path), TEST(test_end),
		TEST(test_rude_clients), TEST(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
