#pragma once
/*
 * What answers to one type of a name say of the others.
 *
 * NXDOMAIN is said of the name (RFC 8020), and where it is proven it ends all that was known of it. Nobody
 * proves it in most zones, and there balancers that know addresses of one family say it of names that they
 * serve, when they are asked for another type. So without a proof it is said of the type it was asked for
 * (answer_store()), of a name that is known to have data it is NODATA, and data outdates it.
 */
#include "resolve/query.h"

/* Whether NAME is known to have data of another type than TYPE, be it expired, that clients were told. */
bool beside_has_data(const struct resolver *r, const uint8_t *name, uint16_t type);
/* It is proven that NAME does not exist: of no type but TYPE, of which the caller knows, is anything told
 * any more that was known before. */
void beside_outdate_all(struct resolver *r, const uint8_t *name, uint16_t type);
/* NAME has data of TYPE: who has denied it without proof was asked for another. */
void beside_outdate_denials(struct resolver *r, const uint8_t *name, uint16_t type);
