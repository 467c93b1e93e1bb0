#include "base/metrics.h"

#include "base/require.h"

#define METRIC_NAME(name, help) [METRIC_##name] = #name,
#define METRIC_HELP(name, help) [METRIC_##name] = help,
static const char *const metric_names[] = {METRIC_LIST(METRIC_NAME)};
static const char *const metric_helps[] = {METRIC_LIST(METRIC_HELP)};
#undef METRIC_NAME
#undef METRIC_HELP

static_assert(ARRAY_LEN(metric_names) == METRIC_COUNT, "each metric has a name");
static_assert(ARRAY_LEN(metric_helps) == METRIC_COUNT, "each metric has a help text");

const char *metrics_name(enum metric which)
{
	REQUIRE((unsigned)which < METRIC_COUNT);
	return metric_names[which];
}

const char *metrics_help(enum metric which)
{
	REQUIRE((unsigned)which < METRIC_COUNT);
	return metric_helps[which];
}
