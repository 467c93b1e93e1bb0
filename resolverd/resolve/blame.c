#include "resolve/blame.h"

#include <stdio.h>

#include "base/log.h"
#include "dns/edns.h"
#include "resolve/query.h"

static_assert(EDNS_EDE_TEXT_MAX >= BLAME_TEXT_SIZE - 1, "a reply tells the whole of it");
static_assert(sizeof(((struct trouble *)0)->text) >= BLAME_TEXT_SIZE, "so does a query");

/* NAME in presentation form; of a long one its first label's beginning and the zones at its end. */
static const char *short_name(const uint8_t *name, char out[static DNAME_TEXT_MAX])
{
	enum { HEAD = 12, DOTS = 3, TAIL = BLAME_NAME_MAX - HEAD - DOTS };
	size_t len = strlen(dname_text(name, out));
	if (len <= BLAME_NAME_MAX)
		return out;
	memcpy(out + HEAD, "...", DOTS);
	memmove(out + HEAD + DOTS, out + len - TAIL, TAIL + 1);
	return out;
}

const char *blame_text(const struct blame *b, char out[static BLAME_TEXT_SIZE])
{
	char owner[DNAME_TEXT_MAX], zone[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE],
		server[ENDPOINT_TEXT_SIZE];
	bool cached = !b->server || b->server->family == 0;
	const char *from = b->unanswered ? "nobody"
			   : cached	 ? "the cache"
					 : endpoint_text(b->server, server);
	(void)snprintf(out, BLAME_TEXT_SIZE, "%s %s from %s: %s (zone %s)",
		       short_name(b->owner, owner), type_text(b->type, type), from, b->why,
		       short_name(b->zone, zone));
	return out;
}

void blame_note(struct query *q, uint16_t ede, const struct blame *b)
{
	char text[BLAME_TEXT_SIZE];
	query_trouble(q, ede, "%s", blame_text(b, text));
}

const struct endpoint *blame_server(const struct query *q)
{
	if (q->reply_cached || q->reply_server >= q->zone.server_count)
		return NULL;
	return &q->zone.servers[q->reply_server].address;
}

static uint16_t ede_of(enum crypto_result result)
{
	switch (result) {
	case CRYPTO_EXPIRED:
		return EDE_SIGNATURE_EXPIRED;
	case CRYPTO_NOT_YET_VALID:
		return EDE_SIGNATURE_NOT_YET_VALID;
	case CRYPTO_EXPIRED_BEFORE_VALID:
		return EDE_SIGNATURE_EXPIRED_BEFORE_VALID;
	case CRYPTO_UNSUPPORTED:
		return EDE_UNSUPPORTED_DNSKEY_ALGORITHM;
	case CRYPTO_NO_ZONE_KEY:
		return EDE_NO_ZONE_KEY_BIT;
	case CRYPTO_GOOD:
	case CRYPTO_BAD_SIGNATURE:
	case CRYPTO_BAD_KEY:
	case CRYPTO_MISMATCH:
		return EDE_DNSSEC_BOGUS;
	}
	return EDE_DNSSEC_BOGUS;
}

void blame_set(struct query *q, uint16_t ede, const struct rrset *set, const uint8_t *zone,
	       const char *why)
{
	blame_note(q, ede,
		   &(struct blame){.owner = set->owner,
				   .type = set->type,
				   .server = blame_server(q),
				   .why = why,
				   .zone = zone});
}

void blame_denial(struct query *q, uint16_t ede, const uint8_t *zone, const char *why)
{
	blame_note(q, ede,
		   &(struct blame){.owner = q->reply->target,
				   .type = q->qtype,
				   .server = blame_server(q),
				   .why = why,
				   .zone = zone});
}

void blame_signature(struct query *q, const struct rrset *set, const uint8_t *zone,
		     enum crypto_result result)
{
	if (result == CRYPTO_NOT_YET_VALID && zone[0] == 0) {
		metrics_add(q->resolver->metrics, METRIC_dnssec_root_not_yet_valid_total, 1);
		log_warning("dnssec: signatures of the root are not valid yet: is the system's "
			    "clock right?");
	}
	blame_set(q, ede_of(result), set, zone, crypto_result_text(result));
}
