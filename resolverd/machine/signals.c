#include "machine/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t handled(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

void signals_hold(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	REQUIRE(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

void signals_block(void)
{
	sigset_t set = handled();

	sigaddset(&set, SIGPIPE); /* a client that hangs up is an error code, not an end */
	REQUIRE(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

static void handle_ready(void *context, unsigned ready)
{
	struct signals *s = context;
	struct signalfd_siginfo info;

	(void)ready;
	if (read(s->watch.fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		s->reload(s->context);
	else
		s->stop(s->context);
}

enum err signals_init(struct signals *s)
{
	sigset_t set = handled();
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);

	if (fd < 0)
		return ERR_SYSTEM;
	s->watch = (struct loop_watch){.fn = handle_ready, .context = s};
	if (loop_watch(s->loop, &s->watch, fd, LOOP_READ) != OK) {
		close(fd);
		return ERR_SYSTEM;
	}
	return OK;
}

void signals_deinit(struct signals *s)
{
	loop_forget(s->loop, &s->watch);
	close(s->watch.fd);
}
