#pragma once
/*
 * What search lists cost. A pod with ndots:5 that looks for db.rds.amazonaws.com asks for
 * db.rds.amazonaws.com.eu-west-1.compute.internal first, and so with each suffix of its list. Such
 * names are denied, and counted by suffix, so that the operator sees what a dot at the end of a
 * name, or a smaller ndots, would save.
 *
 * Only what is plain is counted: an inner label that is a top-level domain of the public tree, with
 * something before it, and behind it a suffix of a private one. db.corp.example.com may be anything.
 */
#include "resolve/settings.h"

/*
 * Where in NAME (lower case) the suffix begins that a search list has appended, NULL if none did. It
 * is the zone of S that covers the suffix, if there is one, so that the suffixes are as few as the
 * zones; else its last two labels below a domain that is never public, such as "internal".
 */
const uint8_t *search_suffix(const struct settings *s, const uint8_t *name);

/* As what SUFFIX, found there, is counted: its zone of S or one that is common, else its last label, of
 * which there are few: who makes up suffixes makes up no keys. */
const uint8_t *search_key(const struct settings *s, const uint8_t *suffix);
