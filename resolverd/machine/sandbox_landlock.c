#include "machine/sandbox_landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/* The headers may be older than the kernel. */
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NET = 4, ABI_SCOPE = 6 };
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)
#define ACCESS_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)
enum { RULE_NET_PORT = 2 };

struct ruleset { /* as the kernel has it; older ones know a part from its beginning */
	uint64_t files, net, scoped;
};
struct port_rule {
	uint64_t access, port;
};

#define ACCESS_READ ((uint64_t)LANDLOCK_ACCESS_FS_READ_FILE | (uint64_t)LANDLOCK_ACCESS_FS_READ_DIR)

/* What is read beside the configuration, by whom. */
static const char *const readable[] = {
	"/usr",
	"/lib",
	"/lib64", /* shared objects that come late, locales, time zones */
	"/etc/ld.so.cache",
	"/etc/localtime", /* the C library */
	"/etc/nsswitch.conf",
	"/etc/passwd",
	"/etc/group", /* accounts that a reload names */
	"/etc/ssl",
	"/etc/pki",
	"/etc/crypto-policies", /* OpenSSL */
	"/proc",
	"/sys", /* memory and its limits, network interfaces */
	"/dev/null",
	"/dev/urandom",
	"/dev/random",
};

static uint64_t governed_files(long abi)
{
	uint64_t access = ACCESS_READ | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			  LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
			  LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
			  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
			  LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
			  LANDLOCK_ACCESS_FS_MAKE_SYM;

	if (abi >= ABI_REFER)
		access |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= ABI_TRUNCATE)
		access |= ACCESS_TRUNCATE;
	return access;
}

/* ACCESS at PATH and below. One that is not there needs none: whoever wants it will say so. */
static bool allow(int rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access};
	struct stat st;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return true;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
				       LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE;
	bool done =
		syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.parent_fd);
	return done;
}

/* ACCESS below the directory in which PATH is. */
static bool allow_beside(int rules, const char *path, uint64_t access)
{
	char directory[CONFIG_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!slash)
		return allow(rules, ".", access);
	if (len == 0)
		return allow(rules, "/", access);
	if (len >= sizeof(directory))
		return true;
	memcpy(directory, path, len);
	directory[len] = '\0';
	return allow(rules, directory, access);
}

static bool allow_files(int rules, const struct config *c, const char *path, uint64_t governed)
{
	uint64_t all = governed & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE;
	bool done = allow(rules, c->state_path, all);

	if (access(c->state_path, F_OK) != 0)
		log_warning("directory missing path=%s: should it come, nothing is written there "
			    "before "
			    "the next start",
			    c->state_path);
	if (c->control_socket)
		done = done && allow_beside(rules, c->control_socket, all);
	for (size_t i = 0; done && i < ARRAY_LEN(readable); i++)
		done = allow(rules, readable[i], ACCESS_READ);
	if (path)
		done = done && allow_beside(rules, path, ACCESS_READ);
	if (c->hints_path)
		done = done && allow_beside(rules, c->hints_path, ACCESS_READ);
	/* What is written there is thrown away. */
	return done && allow(rules, "/dev/null", ACCESS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE);
}

static bool allow_port(int rules, uint16_t port)
{
	struct port_rule rule = {.access = ACCESS_CONNECT_TCP, .port = port};

	return syscall(SYS_landlock_add_rule, rules, RULE_NET_PORT, &rule, 0) == 0;
}

static bool allow_ports(int rules, const struct config *c)
{
	const struct settings *s = &c->settings;
	bool done = allow_port(rules, 53) && allow_port(rules, s->upstream_port);

	for (size_t i = 0; i < s->zone_count; i++)
		for (size_t k = 0; done && k < s->zones[i].server_count; k++)
			done = allow_port(rules, s->zones[i].servers[k].port);
	/* We ask ourselves whether we answer (machine/selfcheck.h). */
	for (size_t i = 0; done && i < c->listen_count; i++)
		done = allow_port(rules, c->listen[i].port);
	for (size_t i = 0; done && i < c->listen_interface_count; i++)
		done = allow_port(rules, c->listen_interfaces[i].port);
	return done;
}

bool landlock_enter(const struct config *config, const char *path)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset attr = {.files = governed_files(abi),
			       .net = abi >= ABI_NET ? ACCESS_CONNECT_TCP : 0,
			       .scoped = abi >= ABI_SCOPE ? SCOPE_SIGNAL : 0};
	size_t size = abi >= ABI_SCOPE ? sizeof(attr)
		      : abi >= ABI_NET ? offsetof(struct ruleset, scoped)
				       : offsetof(struct ruleset, net);

	if (abi < 1)
		return false;
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (rules < 0)
		return false;
	bool done = allow_files(rules, config, path, attr.files) &&
		    (!attr.net || allow_ports(rules, config)) &&
		    syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	close(rules);
	return done;
}
