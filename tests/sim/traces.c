#include "sim/traces.h"

#include "dns/types.h"
#include "resolve/limits.h"
#include "sim/sim.h"

struct reading { /* one trace being read */
	struct sim *s;
	unsigned questions, packets;
	uint32_t last_us;
	bool closed[UINT8_MAX + 1]; /* packets that had their final word, other than a late one */
	bool ended[UINT8_MAX + 1];  /* questions */
	const char *problem;
};

static void wrong(struct reading *x, const char *problem)
{
	if (!x->problem)
		x->problem = problem;
}

static void check_packet(struct reading *x, const struct trace_step *step)
{
	if (step->number >= x->packets)
		wrong(x, "what came back answers a packet that was sent");
	if (step->kind == TRACE_REPLY && step->code >= TRACE_REPLY_COUNT)
		wrong(x, "a reply is of a known kind");
	bool is_hint = step->kind == TRACE_LOST && step->code == LOSS_HINT;
	if (step->kind != TRACE_TIMEOUT && step->kind != TRACE_WRONG && !is_hint) {
		if (x->closed[step->number])
			wrong(x, "a packet is answered once");
		x->closed[step->number] = true;
	}
}

static void check_step(struct reading *x, const struct trace_step *step)
{
	if (step->at_us < x->last_us)
		wrong(x, "steps are in the order of time");
	x->last_us = step->at_us;
	if (step->kind != TRACE_QUESTION && step->question >= x->questions)
		wrong(x, "a step is that of a question which has begun");
	if (x->ended[step->question])
		wrong(x, "nothing follows the end of a question");
	switch (step->kind) {
	case TRACE_QUESTION:
		if (step->question != x->questions++ || step->number > step->question ||
		    !step->name)
			wrong(x, "questions are numbered as they come");
		break;
	case TRACE_SEND:
		if (step->number != x->packets++ || !step->server || !step->name != !step->type)
			wrong(x, "packets are numbered as they come");
		break;
	case TRACE_REPLY:
	case TRACE_TIMEOUT:
	case TRACE_LOST:
	case TRACE_WRONG:
		check_packet(x, step);
		break;
	case TRACE_END:
		x->ended[step->question] = true;
		break;
	case TRACE_ZONE:
	case TRACE_REFUSED:
	case TRACE_ALIAS:
	case TRACE_NEEDS:
	case TRACE_GOT:
	case TRACE_CHECK:
	case TRACE_DENIAL:
	case TRACE_APPEAL:
		if (!step->name)
			wrong(x, "it says of what");
		break;
	case TRACE_LIMIT:
		if (step->text.len == 0)
			wrong(x, "a limit has a name");
		break;
	case TRACE_CACHE:
	case TRACE_THROTTLED:
	case TRACE_ELSEWHERE:
	case TRACE_PATIENCE:
		break;
	case TRACE_KIND_COUNT:
		wrong(x, "a step is of a known kind");
		break;
	}
}

void traces_check(void *context, const struct trace_report *report)
{
	struct reading x = {.s = context};
	struct trace_reader reader = trace_reader_of(report->steps);
	struct trace_step step, last = {0};
	char name[DNAME_TEXT_MAX];
	while (trace_next(&reader, &step)) {
		check_step(&x, &step);
		last = step;
	}
	if (reader_left(&reader.in) > 0 || report->steps.len > LIMIT_TRACE_BYTES)
		wrong(&x, "a trace is read to its end");
	if (report->lost == 0) {
		if (report->unfinished
			    ? last.kind != TRACE_PATIENCE || last.code != TRACE_TOLD_SERVFAIL
			    : last.kind != TRACE_END || last.question != report->question ||
				      last.type != report->rcode || last.value != report->ede)
			wrong(&x, "the end is told last, and as it was");
		if (x.packets != report->packets)
			wrong(&x, "every packet is told");
	}
	if (report->rcode == RCODE_SERVFAIL && (report->ede == EDE_NONE || !report->text))
		wrong(&x, "a failure says why");
	if (x.problem)
		sim_fail(x.s, "traces", "%s: %s %u", x.problem, dname_text(report->name, name),
			 report->type);
}
