/*
 * Bytes as the choices of a liar (sim/liar.h): which small signed world it is, who lies in it, of which
 * replies, by which rules and about which records, and what clients ask. So each input is well-formed to
 * the last record, its signatures are made by real keys, right or wrong, and a fuzzer's changes are other
 * lies instead of other garbage. When the bytes end, chance goes on, the same each time.
 *
 * Whatever is said: the judge (sim/judge.h) and all else that must hold in a simulated internet.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sim/sim.h"

static void say_nothing(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	(void)line;
}

static void build_reply(struct sim *s)
{
	build_lies(s);
	s->dice.tape = NULL; /* what happens on the way is no choice of the liar's */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct profile profile = {.name = "reply", .build = build_reply};
	static struct keyring keyring; /* of the process */
	static struct sim s;
	struct sim_totals totals = {0};
	struct reader tape = reader_of(span_of(data, size));
	log_init(LOG_LEVEL_ERROR, say_nothing, NULL);
	memset(&s, 0, sizeof(s));
	s.seed = 1;
	s.keyring = &keyring;
	s.profile = &profile;
	s.dice.tape = &tape;
	if (!sim_run(&s, &totals)) {
		fprintf(stderr, "%s\n", s.failure);
		abort();
	}
	return 0;
}
