#pragma once
/*
 * What must hold of every decision trace that the core reports: it can be read to its end, each step
 * refers to what came before it, and it agrees with its own summary.
 */
#include "resolve/trace.h"

struct sim;

/* A trace_report_fn; the context is a struct sim. */
void traces_check(void *context, const struct trace_report *report);
