#pragma once
/*
 * Presentation format by ldns: zone files and single records in, records as text out.
 * The only file besides dnssec/crypto.c that includes ldns. Not for the hot path.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "dns/dname.h"

struct text_record {
	uint8_t owner[DNAME_MAX];
	uint16_t type, rclass;
	uint32_t ttl_s;
	struct span rdata; /* uncompressed, in the arena */
};

/* One record in presentation form, e.g. ". IN DS 20326 8 2 E06D..." or "www.example. 300 A
 * 192.0.2.1" (TTL and class may be left out). ERR_MALFORMED. */
MUST_USE enum err text_parse_record(const char *line, struct arena *arena, struct text_record *out);

/* Read the text of a zone file (RFC 1035 §5) and call FN for each record; FN returning an error stops
 * and returns it. On ERR_MALFORMED, LINE holds where. At most TEXT_RECORDS_MAX records. */
enum { TEXT_RECORDS_MAX = 1000000 };
typedef enum err text_record_fn(void *context, const struct text_record *record);
MUST_USE enum err text_read_zone_text(const char *zone, text_record_fn *fn, void *context,
				      int *line);

/* RDATA in presentation form into OUT (cut with "..." if too long); returns OUT. */
const char *text_rdata(uint16_t type, struct span rdata, char *out, size_t size_bytes);
