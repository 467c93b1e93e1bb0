/*
 * resolverd: command line, configuration, and then daemon/server.c. Exit statuses are those of
 * <sysexits.h>: 64 for a wrong command line, 71 if the system refuses what is needed (an address
 * in use), 78 for a wrong configuration.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/server.h"
#include "machine/journal.h"
#include "machine/sandbox.h"
#include "machine/signals.h"
#include "machine/state_path.h"

static const char usage[] =
	"usage: resolverd [--config FILE] [--foreground]\n"
	"       resolverd --check [--config FILE]\n"
	"\n"
	"  --config FILE  read FILE instead of " RESOLVERD_SYSCONFDIR "/resolverd.yaml\n"
	"  --foreground   stay in the foreground, which is what it does anyway\n"
	"  --check        read the configuration, say what is wrong with it, and exit\n"
	"  --version      print the version and exit\n"
	"  --help         print this and exit\n"
	"\n"
	"SIGHUP reads the configuration again, SIGTERM and SIGINT end the daemon.\n";

struct command {
	const char *config_path; /* NULL: the default one, which may be missing */
	bool check;
};

enum {
	GO_ON = -1,
	LOG_END_MS = 1000, /* for the last lines, if whoever reads them stands still */
};

/* GO_ON, or the status to exit with. */
static int read_options(int argc, char **argv, struct command *out)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
		{"check", no_argument, NULL, 'n'},	  {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	int option;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread has begun */
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			out->config_path = optarg;
			break;
		case 'f':
			break;
		case 'n':
			out->check = true;
			break;
		case 'V':
			puts("resolverd " RESOLVERD_VERSION);
			return EX_OK;
		case 'h':
			fputs(usage, stdout);
			return EX_OK;
		default:
			fputs(usage, stderr);
			return EX_USAGE;
		}
	}
	if (optind == argc)
		return GO_ON;
	fputs(usage, stderr);
	return EX_USAGE;
}

/* The file to read: the one named, or the default one if it is there. NULL: defaults. */
static const char *choose_path(const struct command *command)
{
	static const char standard[] = RESOLVERD_SYSCONFDIR "/resolverd.yaml";

	if (command->config_path)
		return command->config_path;
	return access(standard, F_OK) == 0 ? standard : NULL;
}

/* What is decided by CONFIG, which is taken over, to the end of the daemon; the status to exit with. */
static int run(struct config *config, const char *path)
{
	signals_block();
	state_path_make(config);
	if (sandbox_enter(config, path) != OK) {
		config_free(config);
		return EX_OSERR;
	}
	/* The sandbox is entered by one thread, which others then come from. */
	if (log_start() != OK) {
		fputs("resolverd: no thread to be had for the log\n", stderr);
		config_free(config);
		return EX_OSERR;
	}
	return server_run(config, path);
}

int main(int argc, char **argv)
{
	struct command command = {0};
	struct config *config;
	struct config_error error = {0};

	signals_hold();
	if (descriptors_take_standard() != OK)
		return EX_OSERR;
	int status = read_options(argc, argv, &command);
	if (status != GO_ON)
		return status;
	const char *path = choose_path(&command);
	enum err err = config_load(path, &config, &error);
	if (err != OK) {
		fprintf(stderr, "resolverd: %s\n", error.line);
		return err == ERR_MALFORMED ? EX_CONFIG : EX_OSERR;
	}
	if (command.check) {
		for (const struct config_note *n = config->notes; n; n = n->next)
			fprintf(stderr, "resolverd: %s\n", n->line);
		config_free(config);
		return EX_OK;
	}
	static struct journal_fields fields; /* scratch of the sink, as long as the log lives */
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread has begun */
	bool journal = journal_is_stream(STDERR_FILENO, getenv("JOURNAL_STREAM"));
	log_init(config->log_level, journal ? journal_sink : NULL, &fields);
	if (log_hold() != OK) {
		config_free(config);
		return EX_OSERR;
	}
	status = run(config, path);
	log_stop(LOG_END_MS);
	return status;
}
