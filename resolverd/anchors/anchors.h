#pragma once
/*
 * Trust anchors over time (RFC 5011): the state of managed anchors, which begins with what is
 * configured, follows the rollovers that the zones show, and is kept (anchors/anchor_store.h), so
 * that a restart does not begin the thirty days of a new key again.
 *
 * Workers validate. One that has validated the keys of a managed zone hands them over from its own
 * thread, by anchors_observe(); the main thread takes them in, keeps them, and gives the
 * workers new settings if anchors_step() says that there is something new. It also has the keys
 * asked for when nobody else does (RFC 5011 §2.3): anchors_take_due().
 *
 * No key is believed for being seen, nor by a clock that is wrong: what comes here has signatures
 * that were valid at that time, made by a key that is trusted already.
 *
 * Where nothing was kept, or it is damaged, the configured anchors are begun with. Where nothing can
 * be kept everything works, but only in memory.
 */
#include "anchors/anchor_store.h"
#include "base/err.h"
#include "base/now.h"
#include "config/config.h"

struct anchors; /* main thread, but for anchors_observe() */

/* Then zones are asked for their keys, unless what clients ask has done it. It will not where the
 * keys are cached on disk, and RFC 5011 §2.3 counts from the last look at the zone itself. */
enum { ANCHORS_FIRST_S = 5 };

/* Read what was kept in STORE (borrowed). WAKE (may be NULL) is called with CONTEXT, from any
 * thread, when anchors_step() has something to do. ERR_NO_MEMORY. */
MUST_USE enum err anchors_new(struct anchor_store *store, void (*wake)(void *), void *context,
			      struct anchors **out);
void anchors_free(struct anchors *a); /* NULL is fine */

/* Go on with the anchors of C: what was kept for a zone and still knows a key of those configured,
 * else what is configured. ERR_NO_MEMORY: nothing changed. */
MUST_USE enum err anchors_configure(struct anchors *a, const struct config *c, struct now now);

/* The same once STORE has something to read that it had not (anchor_store_take()). */
MUST_USE enum err anchors_take(struct anchors *a, const struct config *c, struct now now);

/* The anchors as they stand, for settings; until the next anchors_configure() or anchors_step(). */
const struct anchor *anchors_list(const struct anchors *a, size_t *count);

/* As in resolver_parts, ANCHORS being the struct anchors. From any thread; waits for nothing. */
void anchors_observe(void *anchors, const uint8_t *zone, const struct rrset *dnskeys,
		     const bool *self_signed);
/* Take in what was observed; true if any anchor changed. Changes are logged and kept. */
bool anchors_step(struct anchors *a, struct now now);

/* A zone whose DNSKEY set is to be asked for now, or NULL. Unless the keys are observed, it is due
 * again after the time that RFC 5011 gives failures. */
const uint8_t *anchors_take_due(struct anchors *a, struct now now);
/* When the next will be, as now.mono_us; UINT64_MAX: never. */
uint64_t anchors_due_us(const struct anchors *a);
