#pragma once
/*
 * Has a name's data changed? This is what the failover of a database looks like from here.
 */
#include "resolve/prefetch_rotation.h"

/* The same rcode and the same records along the whole chain; TTLs and signatures do not count. */
bool prefetch_same_data(const struct answer *a, const struct answer *b);
/* The same with the part of B's chain that begins with set FIRST (its count: what its end denies). */
bool prefetch_same_data_from(const struct answer *a, const struct answer *b, uint32_t first);

/* The change in words: a chain such as "CNAME a.example. A 192.0.2.1", or "NXDOMAIN". */
enum { PREFETCH_DATA_TEXT_SIZE = 256 };
struct prefetch_change {
	const uint8_t *name; /* borrowed; lower case */
	uint16_t type;
	char old[PREFETCH_DATA_TEXT_SIZE], fresh[PREFETCH_DATA_TEXT_SIZE];
};
void prefetch_describe_change(const struct answer *old, const struct answer *now,
			      struct prefetch_change *out);

/* Told of a change. Borrowed for the call. */
typedef void prefetch_change_fn(void *context, const struct prefetch_change *change);

/* A answers its question with data; else it denies that there is any. */
bool prefetch_has_data(const struct answer *a);

/* One line of log: "record denied: name=... type=... kept="..." told="..." server=...": whoever said
 * so is not believed yet. */
struct endpoint;
void prefetch_tell_doubt(const struct answer *kept, const struct answer *now,
			 const struct endpoint *server);

/* As ROTATION says, and never held back beyond that. In the log: "record changed: name=... type=...
 * old="..." new="..."", and of a name whose data is another every time, that it is so. */
void prefetch_log_change(const struct prefetch_change *change, const struct rotation *rotation);
