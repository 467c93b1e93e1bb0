#pragma once
/*
 * A test program that is ended for taking too long (SIGTERM, by tests/run) says what it was at:
 * hang_at() before each thing that it tries.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char hang_what[256];

static void hang_say(int signal_number)
{
	static const char begin[] = "hangs at ";
	(void)signal_number;
	ssize_t unused = write(STDERR_FILENO, begin, sizeof(begin) - 1);
	unused = write(STDERR_FILENO, hang_what, strlen(hang_what));
	unused = write(STDERR_FILENO, "\n", 1);
	(void)unused;
	_exit(124);
}

/* From now on the program is at WHAT (and NUMBER, unless that is 0). */
static inline void hang_at(const char *what, unsigned long long number)
{
	if (hang_what[0] == '\0')
		(void)signal(SIGTERM, hang_say);
	(void)snprintf(hang_what, sizeof(hang_what), number ? "%s %llu" : "%s", what, number);
}
