#pragma once
/*
 * What dishonest parties add: liars are authoritative servers that speak about other people's
 * names; forgers are off the path and guess ids. The poison is always world_poison.
 */
#include "dns/builder.h"
#include "sim/server.h"

/* Foreign records into SECTION of a liar's own reply. */
void lies_add(const struct world *w, struct prng *dice, struct builder *b, enum section section);

/* Garbage of KIND made from the right reply and the query. */
void lies_nuisance(struct prng *dice, enum nuisance kind, const struct message *query,
		   const struct server_reply *right, struct server_reply *out);

/* A forged answer by somebody who saw neither id nor letter case, in the name of HOST. False if the query gives him
 * nothing to get wrong. */
bool lies_forge(struct prng *dice, struct host *host, const struct message *query,
		struct server_reply *out);
