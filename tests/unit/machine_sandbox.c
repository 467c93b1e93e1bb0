/* Each case enters the sandbox in a child, which ends with what it saw. */
#include "unit/base_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/sandbox.h"

enum { FINE = 0, MISSING = 77, ENDED = 1000 /* and the signal */ };

struct place {
	char top[64], state[96], run[96], socket[112];
};

static void place_init(struct place *p)
{
	(void)snprintf(p->top, sizeof(p->top), "/tmp/resolverd-sandbox-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	(void)snprintf(p->state, sizeof(p->state), "%s/state", p->top);
	(void)snprintf(p->socket, sizeof(p->socket), "%s/run/control.sock", p->top);
	assert_int_equal(mkdir(p->state, 0700), 0);
	(void)snprintf(p->run, sizeof(p->run), "%s/run", p->top);
	assert_int_equal(mkdir(p->run, 0700), 0);
}

static void place_deinit(struct place *p)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", p->top);
	assert_int_equal(system(command), 0);
}

static bool can_write(const char *directory, const char *name)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Run TRY in a child inside the sandbox. */
static int run(int (*try)(const struct place *p), const struct config *extra, bool missing)
{
	struct place p;
	int status;

	place_init(&p);
	pid_t child = fork();
	if (child == 0) {
		struct config c = *extra;
		c.sandbox = true;
		c.state_path = p.state;
		if (missing && rmdir(p.state) != 0)
			_exit(97);
		c.control_socket = p.socket;
		_exit(sandbox_enter(&c, NULL) == OK ? try(&p) : 99);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	place_deinit(&p);
	return WIFSIGNALED(status) ? ENDED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int try_files(const struct place *p)
{
	if (!strstr(sandbox_text(), "landlock"))
		return MISSING;
	if (!can_write(p->state, "cache"))
		return 1;
	if (!can_write(p->run, "control.sock"))
		return 2;
	if (can_write(p->top, "elsewhere") || errno != EACCES)
		return 3;
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0)
		return 4;
	if (open("/etc/hostname", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 5;
	return open(p->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 ? FINE : 6;
}

/* What is not there is not replaced by what is above it. */
static int try_missing(const struct place *p)
{
	if (!strstr(sandbox_text(), "landlock"))
		return MISSING;
	return !can_write(p->top, "elsewhere") && errno == EACCES ? FINE : 1;
}

static long landlock_abi; /* asked outside; 4 knows of ports */

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
}

static int try_ports(const struct place *p)
{
	(void)p;
	if (!strstr(sandbox_text(), "landlock") || landlock_abi < 4)
		return MISSING;
	if (connect_to(80) != EACCES)
		return 1;
	return connect_to(53) != EACCES ? FINE : 2; /* perhaps nobody is there */
}

/* Calls that are on the list, but not with these arguments. */
static int try_arguments(const struct place *p)
{
	(void)p;
	if (!strstr(sandbox_text(), "seccomp"))
		return MISSING;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || mprotect(page, 4096, PROT_READ) != 0)
		return 1;
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 || errno != EPERM)
		return 2;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		    MAP_FAILED ||
	    errno != EPERM)
		return 3;
	if (socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0 || errno != EPERM)
		return 4;
	if (socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || errno != EPERM)
		return 5;
	if (syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) >= 0 || errno != EPERM)
		return 6;
	if (fork() >= 0 || errno != EPERM)
		return 7;
	if (ioctl(STDIN_FILENO, TIOCSTI, "x") == 0 || errno != EPERM)
		return 8;
	if (syscall(SYS_clone3, NULL, 0) >= 0 || errno != ENOSYS)
		return 9;
	return sandbox_refused() == 5 && if_nametoindex("lo") > 0 ? FINE : 10;
}

static int try_program(const struct place *p)
{
	char *arguments[] = {"/bin/true", NULL};

	(void)p;
	if (!strstr(sandbox_text(), "seccomp"))
		return MISSING;
	/* The C library blocks all signals around this. */
	pid_t child;
	if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, NULL) != EPERM)
		return 3;
	if (execv(arguments[0], arguments) == 0 || errno != EPERM)
		return 1;
	return sandbox_refused() == 1 ? FINE : 2;
}

static int try_namespace(const struct place *p)
{
	(void)p;
	if (!strstr(sandbox_text(), "seccomp"))
		return MISSING;
	if (unshare(0) == 0 || errno != EPERM)
		return 1;
	sandbox_tick();
	return sandbox_refused() == 1 ? FINE : 2;
}

static void *thread_main(void *context)
{
	(void)context;
	return unshare(0) != 0 && errno == EPERM ? (void *)1 : NULL;
}

static int try_thread(const struct place *p)
{
	pthread_t thread;
	void *refused;

	(void)p;
	if (!strstr(sandbox_text(), "seccomp"))
		return MISSING;
	if (pthread_create(&thread, NULL, thread_main, NULL) != 0)
		return 1;
	(void)pthread_join(thread, &refused);
	return refused ? FINE : 2;
}

static int try_capabilities(const struct place *p)
{
	(void)p;
	/* Wants CAP_NET_RAW, which nobody needs here. */
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	return fd < 0 && errno == EPERM ? FINE : 1;
}

static int try_account(const struct place *p)
{
	(void)p;
	if (getuid() != 65534 || geteuid() != 65534 || getgid() != 65534)
		return 1;
	/* A low port can still be bound. */
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(1)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return 2;
	return setuid(0) != 0 ? FINE : 3;
}

static const struct {
	const char *why;
	int (*try)(const struct place *p);
	uid_t user;
	bool wants_root, missing; /* missing: there is no cache.path */
} cases[] = {
	{"files are written where they belong, and nowhere else", try_files, 0, false, false},
	{"a missing directory opens none above it", try_missing, 0, false, true},
	{"TCP goes to name servers", try_ports, 0, false, false},
	{"calls that could do more do only what serving needs", try_arguments, 0, false, false},
	{"no program is run, and the attempt is counted", try_program, 0, false, false},
	{"what serving does not need is refused, counted and told", try_namespace, 0, false, false},
	{"threads inherit it", try_thread, 0, false, false},
	{"capabilities that serving does not need are gone", try_capabilities, 0, false, false},
	{"another account is taken, which may bind to low ports", try_account, 65534, true, false},
};

static void test_cases(void **state)
{
	(void)state;
	landlock_abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* its version */);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config extra = {.sandbox_user = cases[i].user ? "nobody" : NULL,
				       .sandbox_uid = cases[i].user,
				       .sandbox_gid = cases[i].user};
		if (cases[i].wants_root && getuid() != 0) {
			print_message("%s: skipped, root is needed\n", cases[i].why);
			continue;
		}
		int status = run(cases[i].try, &extra, cases[i].missing);
		if (status == MISSING) {
			print_message("%s: skipped, this kernel or build lacks it\n", cases[i].why);
			continue;
		}
		if (status != FINE)
			fail_msg("%s: %d", cases[i].why, status);
	}
}

static void test_off(void **state)
{
	(void)state;
	struct config c = {.sandbox = false};
	assert_int_equal(sandbox_enter(&c, NULL), OK);
	assert_string_equal(sandbox_text(), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
