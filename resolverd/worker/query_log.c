#include "worker/query_log.h"

#include <inttypes.h>

#include "base/log.h"
#include "dns/message.h"

void query_log(const struct query_filter *filter, const struct query_record *r, uint32_t *seen)
{
	char client[ENDPOINT_TEXT_SIZE], name_words[DNAME_TEXT_MAX];
	char type[TYPE_TEXT_SIZE], rcode[TYPE_TEXT_SIZE];
	uint8_t name[DNAME_MAX];
	struct message m;
	bool answered = r->answer.len >= MESSAGE_HEADER_SIZE;
	bool parsed = message_view_question(r->message, &m) == OK && m.question_count > 0;
	struct query_event event = {
		.client = r->client,
		.name = parsed ? name : NULL,
		.rcode = answered ? r->answer.at[3] & FLAG_RCODE_MASK : QUERY_FILTER_NONE,
		.took_us = r->took_us,
	};

	if (parsed) {
		message_name(&m, m.qname_offset, name);
		dname_lower(name, name);
	}
	if (!query_filter_wants(filter, &event, seen))
		return;
	log_query("query client=%s transport=%s name=%s type=%s rcode=%s cache=%s took_us=%" PRIu64
		  " bytes=%zu",
		  endpoint_text(r->client, client), r->tcp ? "tcp" : "udp",
		  parsed ? dname_text(name, name_words) : "malformed",
		  parsed ? type_text(m.qtype, type) : "malformed",
		  answered ? rcode_text((uint16_t)event.rcode, rcode) : "none",
		  r->hit ? "hit" : "miss", r->took_us, r->answer.len);
}
