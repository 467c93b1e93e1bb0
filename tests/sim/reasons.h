#pragma once
/*
 * Why an answer is bogus, or not secure, is said in the reply itself (RFC 8914): the code, and a text
 * in one form that names the record, the server it came from and the zone. The form is checked in
 * every run; one kind of run has a zone for each thing that can be wrong, and knows what must be said.
 */
#include <stddef.h>

#include "dns/message.h"

struct sim;
struct stub;

/* The extended error of M into C's reason, "" if it has none. */
void reasons_note(const struct message *m, struct stub *c);
/* NULL, or what is wrong with the form of what C was told. */
const char *reasons_check(const struct stub *c);

void build_reasons(struct sim *s);
void finish_reasons(struct sim *s);
