#pragma once
/*
 * Key rollovers as RFC 6781 §4.1 wants them, done by a zone of a healthy world while clients ask:
 * ZSK by pre-publication (§4.1.1.1), KSK by double DS (§4.1.2), algorithm (§4.1.4). Between the
 * stages as much time passes as caches may hold what has been replaced. Nobody may notice.
 */
#include "sim/signer.h"
#include "sim/world.h"

struct sim;

enum roll { ROLL_ZSK, ROLL_KSK, ROLL_ALGORITHM };

struct rollover {
	struct zone *zone; /* NULL: none */
	enum roll kind;
	const struct signer_key *new_ksk, *new_zsk;
};

/* Some secure zone will roll, and clients will ask for its names all the while. After
 * generate_world(), before other questions are planned. */
void rollover_plan(struct sim *s);
/* STAGE (from 1) has come. */
void rollover_step(struct sim *s, unsigned stage);
