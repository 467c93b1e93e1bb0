#pragma once
/*
 * What validation has found so far, of a set, a denial, a zone or a whole leg. To have to wait, to know
 * that data is bad and not to be able to tell are three things; only the end of it makes a verdict.
 */
#include <stdbool.h>

#include "cache/entry.h"

enum security {
	SECURITY_PENDING, /* come back: sub-questions are under way, or it is not Q's turn */
	SECURITY_SECURE,  /* signed; of a zone: its keys are at hand */
	SECURITY_INSECURE,
	SECURITY_BOGUS,	   /* shown to be bad; q->trouble says why */
	SECURITY_UNPROVEN, /* neither: what the proof needs is out of reach; q->trouble says why */
	SECURITY_NO_CUT,   /* of a zone: proven to be none of its own; look at the zone above */
};

/* Data that is S is not to be used. */
static inline bool security_is_bad(enum security s)
{
	return s == SECURITY_BOGUS || s == SECURITY_UNPROVEN || s == SECURITY_NO_CUT;
}

/* What S is called where data is kept. */
static inline enum verdict security_verdict(enum security s)
{
	if (security_is_bad(s))
		return VERDICT_BOGUS;
	return s == SECURITY_SECURE	? VERDICT_SECURE
	       : s == SECURITY_INSECURE ? VERDICT_INSECURE
					: VERDICT_UNCHECKED;
}
