#pragma once
/*
 * Files of etc/ that are part of the program, so that an empty configuration is a working resolver.
 * Both are zone files in presentation format (RFC 1035 §5): records and comments after ';', one
 * line each, ended by a NUL after the last newline. They never change while the program runs.
 */
#include <stddef.h>

/* etc/root.hints: NS, A and AAAA of the root servers. */
extern const char builtin_root_hints[];
extern const size_t builtin_root_hints_bytes; /* without the NUL */

/* etc/trust-anchors: DS of the root's key-signing keys. */
extern const char builtin_trust_anchors[];
extern const size_t builtin_trust_anchors_bytes; /* without the NUL */
