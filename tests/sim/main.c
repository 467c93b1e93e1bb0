/*
 * sim --seeds N --first S [--profile NAME] [--verbose] [--cost]
 *
 * Runs N seeds beginning with S. A line for each seed that fails, totals, and last "N passed, N
 * failed". `sim --first S --seeds 1 --verbose` tells the story of one seed; --cost measures the core.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "hang.h"
#include "sim/sim.h"

enum {
	FAILURES_SHOWN = 400,
	LIARS_ENOUGH = 1000,
	LIARS_SERVFAIL_PERCENT = 12, /* 6 are seen */
};

struct options {
	uint64_t seeds, first;
	bool verbose, cost;
	const char *profile;
};

static bool parse_number(const char *text, uint64_t *out)
{
	char *end;
	if (!text)
		return false;
	*out = strtoull(text, &end, 10);
	return *text && !*end;
}

static bool parse_options(char **argv, struct options *o)
{
	for (argv++; *argv; argv++) {
		if (strcmp(*argv, "--verbose") == 0) {
			o->verbose = true;
			continue;
		}
		if (strcmp(*argv, "--cost") == 0) {
			o->cost = true;
			continue;
		}
		bool good = (strcmp(*argv, "--seeds") == 0 && parse_number(argv[1], &o->seeds)) ||
			    (strcmp(*argv, "--first") == 0 && parse_number(argv[1], &o->first));
		if (!good && strcmp(*argv, "--profile") == 0 && argv[1]) {
			o->profile = argv[1];
			good = profile_by_name(argv[1]);
		}
		if (!good)
			return false;
		argv++;
	}
	return true;
}

/* Who is lied to has much to complain about. */
static void log_line(void *context, enum log_level level, const char *line)
{
	const struct sim *s = context;
	(void)level;
	if (s->liar.mode == LIAR_NONE)
		fprintf(stderr, "%s\n", line);
}

static bool run_one(struct sim *s, const struct options *o, uint64_t seed,
		    struct sim_totals *totals)
{
	struct keyring *keyring = s->keyring;
	memset(s, 0, sizeof(*s));
	hang_at("seed", seed);
	s->keyring = keyring;
	s->seed = seed;
	s->verbose = o->verbose;
	s->cost.is_measured = o->cost;
	s->profile = o->profile ? profile_by_name(o->profile) : profile_by_seed(seed);
	if (sim_run(s, totals))
		return true;
	if (totals->failed <= FAILURES_SHOWN)
		printf("seed %" PRIu64 " (%s): %s\n", seed, s->profile->name, s->failure);
	fflush(stdout);
	return false;
}

static void print_totals(const struct sim_totals *t)
{
	static const char *const moods[] = {"healthy", "rough", "hostile"};
	printf("%" PRIu64 " questions, %" PRIu64 " hits, %" PRIu64 " packets upstream; SERVFAIL:",
	       t->asked, t->hits, t->sends);
	for (size_t i = 0; i < ARRAY_LEN(moods); i++)
		printf(" %s %" PRIu64 " of %" PRIu64, moods[i], t->servfails_by_mood[i],
		       t->answered_by_mood[i]);
	printf("\n");
}

/* Where one of two servers is honest, most is to be had from him. */
static bool judge_liars(const struct sim_totals *t)
{
	uint64_t answered = t->answered_by_liar[LIAR_SERVER],
		 servfails = t->servfails_by_liar[LIAR_SERVER];
	if (answered < LIARS_ENOUGH)
		return true;
	printf("beside liars: SERVFAIL of the path %" PRIu64 " of %" PRIu64
	       ", of one server of two %" PRIu64 " of %" PRIu64 "\n",
	       t->servfails_by_liar[LIAR_PATH], t->answered_by_liar[LIAR_PATH], servfails,
	       answered);
	return servfails * 100 <= answered * LIARS_SERVFAIL_PERCENT;
}

/* An innocent client waits for the longest step at worst, besides its own. */
static void print_cost(const struct sim_totals *t)
{
	if (t->asked)
		printf("CPU per question %.3f ms, longest step %.3f ms; signature checks per "
		       "question %.1f, most %u; most hashes %u\n",
		       (double)t->cost.total_ns / 1e6 / (double)t->asked,
		       (double)t->cost.longest_ns / 1e6,
		       (double)t->signature_checks / (double)t->asked, t->most_checks,
		       t->most_hashes);
}

int main(int argc, char **argv)
{
	struct options o = {.seeds = 1000, .first = 1};
	struct sim_totals totals = {0};
	uint64_t passed = 0;
	if (argc < 1 || !parse_options(argv, &o)) {
		fprintf(stderr, "usage: sim [--seeds N] [--first S] [--profile NAME] [--verbose] "
				"[--cost]\n");
		return 64;
	}
	struct sim *s = calloc(1, sizeof(*s));
	REQUIRE(s);
	log_init(LOG_LEVEL_ERROR, log_line, s); /* what changes is the story of the run */
	s->keyring = calloc(1, sizeof(*s->keyring));
	REQUIRE(s->keyring);
	for (uint64_t i = 0; i < o.seeds; i++)
		passed += run_one(s, &o, o.first + i, &totals);
	keyring_deinit(s->keyring);
	free(s->keyring);
	free(s);
	print_totals(&totals);
	if (!judge_liars(&totals)) {
		printf("an honest server beside a liar is heard: too seldom\n");
		passed = 0;
	}
	if (o.cost)
		print_cost(&totals);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, o.seeds - passed);
	return passed == o.seeds ? 0 : 1;
}
