#include "machine/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spare.h"
#include "machine/sandbox_landlock.h"

/* Sanitizers make system calls of their own, which are no business of the list's. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { FILTER_MEMORY = 512 * 1024 }; /* of libseccomp, for some hundred rules */

/* A handler has no context but this: file scope, like the log's sink. */
static struct {
	_Atomic uint64_t refused;
	_Atomic int last; /* number of the system call refused last */
	uint64_t told;
	bool capabilities, landlock, seccomp;
} state;

static void tell_missing(const char *part)
{
	log_warning("sandbox part=%s is missing reason=\"%s\"", part, strerrordesc_np(errno));
}

/* ---- account and capabilities ---- */

static bool take_account(const struct config *c)
{
	if (!c->sandbox_user)
		return true;
	if (getuid() == c->sandbox_uid)
		return true;
	/* Capabilities outlive the change of account, to be cut down afterwards. */
	return prctl(PR_SET_KEEPCAPS, 1) == 0 && initgroups(c->sandbox_user, c->sandbox_gid) == 0 &&
	       setresgid(c->sandbox_gid, c->sandbox_gid, c->sandbox_gid) == 0 &&
	       setresuid(c->sandbox_uid, c->sandbox_uid, c->sandbox_uid) == 0;
}

/* Keep of the capabilities there are: a low port for "listen", addresses for "node-local", and the
 * group of the control socket while the daemon is root (nobody else's files can be given away). */
static bool cut_capabilities(const struct config *c)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint32_t keep = 1u << CAP_NET_BIND_SERVICE;

	if (c->node_local.count > 0)
		keep |= 1u << CAP_NET_ADMIN;
	if (getuid() == 0)
		keep |= 1u << CAP_CHOWN;
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (i >= 32 || !(keep & 1u << i))
			(void)prctl(PR_CAPBSET_DROP, i); /* wants CAP_SETPCAP */
	/* Nothing is executed, so nothing would inherit the ambient ones. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	/* A service manager has done it, and its filter may not let capset() pass. What is still
	 * inheritable is nothing to lose, as nothing is executed. */
	if ((data[0].permitted & ~keep) == 0 && data[1].permitted == 0)
		return true;
	data[0].permitted &= keep;
	data[0].effective = data[0].permitted;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct){0};
	return syscall(SYS_capset, &header, data) == 0;
}

/* ---- seccomp ---- */

/* What serving needs, by what needs it. */
/* clang-format off */
static const int allowed[] = {
	/* memory and threads */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(rseq),
	SCMP_SYS(arch_prctl), SCMP_SYS(prctl), SCMP_SYS(membarrier), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(restart_syscall),
	/* signals: those that are awaited, and abort() */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack), SCMP_SYS(signalfd4), SCMP_SYS(tgkill), SCMP_SYS(gettid),
	/* time and chance, where the kernel does not answer without a call */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(getrandom),
	/* events */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select),
	SCMP_SYS(pselect6), SCMP_SYS(pipe2),
	/* sockets */
	SCMP_SYS(bind), SCMP_SYS(listen),
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(shutdown),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(sendfile),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg),
	/* files */
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(read), SCMP_SYS(readv),
	SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2), SCMP_SYS(write), SCMP_SYS(writev),
	SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(flock),
	SCMP_SYS(dup), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(msync),
	SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fstat), SCMP_SYS(stat),
	SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs),
	SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(getdents64), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(chmod), SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(lchown), SCMP_SYS(fchown),
	SCMP_SYS(fchownat), SCMP_SYS(umask), SCMP_SYS(memfd_create), SCMP_SYS(getcwd),
	/* who and where we are */
	SCMP_SYS(getpid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrlimit),
	SCMP_SYS(setrlimit), SCMP_SYS(prlimit64), SCMP_SYS(getrusage),
};
/* clang-format on */

/* What serving needs of calls that could do more, by an argument: those bits of it that MASK has are
 * WANT. */
static const struct {
	int call;
	unsigned argument;
	uint64_t mask, want;
} allowed_as[] = {
	/* memory that can be written, or read, but not run */
	{SCMP_SYS(mmap), 2, PROT_EXEC, 0},
	{SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
	/* threads, but neither processes nor namespaces */
	{SCMP_SYS(clone), 0,
	 CLONE_THREAD | CLONE_VM | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
		 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
	 CLONE_THREAD | CLONE_VM},
	/* DNS, the control socket and the journal, the kernel's word on the network */
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_INET},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_INET6},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_UNIX},
	{SCMP_SYS(socket), 0, UINT32_MAX, AF_NETLINK},
	{SCMP_SYS(socketpair), 0, UINT32_MAX, AF_UNIX},
	/* names of interfaces, a driver's counters, how much there is to read, "is it a terminal?" */
	{SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFINDEX},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFNAME},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCETHTOOL},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, FIONREAD},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, FIONBIO},
	{SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS},
};

/* Have the call that raised the signal return -EPERM. */
static void refuse(ucontext_t *context)
{
#if defined(__x86_64__)
	context->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	context->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
	(void)context;
	abort();
#endif
}

static void handle_refusal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	atomic_store_explicit(&state.last, info->si_syscall, memory_order_relaxed);
	atomic_fetch_add_explicit(&state.refused, 1, memory_order_relaxed);
	refuse(context);
}

static int add_rules(scmp_filter_ctx filter)
{
	int status = 0;

	for (size_t i = 0; i < ARRAY_LEN(allowed) && status == 0; i++)
		status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(allowed_as) && status == 0; i++) {
		struct scmp_arg_cmp is = SCMP_CMP64(allowed_as[i].argument, SCMP_CMP_MASKED_EQ,
						    allowed_as[i].mask, allowed_as[i].want);
		status = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, allowed_as[i].call, 1, &is);
	}
	/* The C library blocks all signals around a new process, and a trap that is blocked ends the daemon:
	 * plainly an error then, which nobody counts. */
	struct scmp_arg_cmp process = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
	if (status == 0)
		status = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
						&process);
	/* Its flags lie in memory, where no filter sees them; the C library then takes clone(). */
	if (status == 0)
		status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return status;
}

/* The C library brings in what knows of accounts when somebody first asks for one that it does not know
 * itself: a reload may, and nothing can be run then that is not there. */
static void load_late_parts(void)
{
	struct passwd account, *found;
	struct group group, *group_found;
	char buffer[1024];

	(void)getpwnam_r("resolverd-nobody", &account, buffer, sizeof(buffer), &found);
	(void)getgrnam_r("resolverd-nobody", &group, buffer, sizeof(buffer), &group_found);
}

static bool enter_seccomp(void)
{
	struct sigaction action = {.sa_sigaction = handle_refusal, .sa_flags = SA_SIGINFO};
	scmp_filter_ctx filter;
	int status;

	if (SANITIZED || sigaction(SIGSYS, &action, NULL) != 0)
		return false;
	/* Where an allocation fails it may make a filter that lacks calls. */
	filter = spare_is_there(FILTER_MEMORY) ? seccomp_init(SCMP_ACT_TRAP) : NULL;
	if (!filter) {
		errno = ENOMEM;
		return false;
	}
	status = add_rules(filter);
	/* The common calls must not wait behind the rare ones. */
	if (status == 0)
		status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (status == 0)
		status = seccomp_load(filter);
	seccomp_release(filter);
	errno = -status;
	return status == 0;
}

/* ---- all of it ---- */

enum err sandbox_enter(const struct config *config, const char *path)
{
	if (!config->sandbox)
		return OK;
	load_late_parts();
	if (!take_account(config)) {
		log_error("cannot become user=%s reason=\"%s\"", config->sandbox_user,
			  strerrordesc_np(errno));
		return ERR_SYSTEM;
	}
	state.capabilities =
		cut_capabilities(config) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
	if (!state.capabilities)
		tell_missing("capabilities");
	state.landlock = state.capabilities && landlock_enter(config, path);
	if (!state.landlock)
		tell_missing("landlock");
	state.seccomp = state.capabilities && enter_seccomp();
	if (!state.seccomp && !SANITIZED)
		tell_missing("seccomp");
	return OK;
}

uint64_t sandbox_refused(void)
{
	return atomic_load_explicit(&state.refused, memory_order_relaxed);
}

void sandbox_tick(void)
{
	uint64_t refused = sandbox_refused();

	if (refused == state.told)
		return;
	int last = atomic_load_explicit(&state.last, memory_order_relaxed);
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, last);
	log_error("sandbox refused system calls count=%llu last=%s number=%d",
		  (unsigned long long)(refused - state.told), name ? name : "unknown", last);
	free(name);
	state.told = refused;
}

const char *sandbox_text(void)
{
	static const char *const texts[] = {
		"none", "capabilities",		NULL, "capabilities,landlock",
		NULL,	"capabilities,seccomp", NULL, "capabilities,landlock,seccomp",
	};

	return texts[state.capabilities + 2 * state.landlock + 4 * state.seccomp];
}
