/*
 * To be preloaded: a SIGHUP as early as main() can get one. The daemon reads its command line first.
 */
#include <dlfcn.h>
#include <getopt.h>
#include <signal.h>

int getopt_long(int argc, char *const *argv, const char *letters, const struct option *options,
		int *index)
{
	static int begun;
	int (*real)(int, char *const *, const char *, const struct option *, int *) =
		(int (*)(int, char *const *, const char *, const struct option *, int *))dlsym(
			RTLD_NEXT, "getopt_long");

	if (!begun++)
		raise(SIGHUP);
	return real(argc, argv, letters, options, index);
}
