#include "daemon/query_log.h"

#include "base/log.h"
#include "dns/message.h"

void query_log(struct span packet, const struct endpoint *client, const char *transport)
{
	char address[ENDPOINT_TEXT_SIZE], text[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	uint8_t name[DNAME_MAX];
	struct message m;

	endpoint_text(client, address);
	if (message_view_question(packet, &m) != OK || m.question_count == 0) {
		log_always(LOG_LEVEL_INFO, "query client=%s transport=%s malformed", address,
			   transport);
		return;
	}
	message_name(&m, m.qname_offset, name);
	log_always(LOG_LEVEL_INFO, "query client=%s transport=%s name=%s type=%s", address,
		   transport, dname_text(name, text), type_text(m.qtype, type));
}
