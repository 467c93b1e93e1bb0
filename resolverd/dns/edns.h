#pragma once
/*
 * EDNS(0): the OPT record (RFC 6891), extended errors (RFC 8914), cookies (RFC 7873), keepalive
 * (RFC 7828), NSID (RFC 5001), key tags (RFC 8145), padding (RFC 7830). Unknown options are ignored.
 */
#include "base/cursor.h"
#include "dns/builder.h"
#include "dns/message.h"

enum {
	EDNS_OPTION_NSID = 3,
	EDNS_OPTION_CLIENT_SUBNET = 8,
	EDNS_OPTION_COOKIE = 10,
	EDNS_OPTION_KEEPALIVE = 11,
	EDNS_OPTION_PADDING = 12,
	EDNS_OPTION_KEY_TAG = 14,
	EDNS_OPTION_EDE = 15,
	EDNS_OPTIONS_MAX = 100, /* options looked at in one OPT; more is FORMERR (peers: 100) */
	EDNS_SIZE_MIN = 512,
	EDNS_SIZE_OURS = 1232,	 /* no fragments (DNS flag day 2020) */
	EDNS_EDE_TEXT_MAX = 224, /* all that resolve/blame.h has to say */
	EDNS_KEY_TAGS_MAX = 8,
};

enum edns_status {
	EDNS_ABSENT,
	EDNS_OK,
	EDNS_FORMERR, /* more than one OPT, an owner that is not the root, options past the end, a
			 cookie of a forbidden length, a keepalive that is not 0 or 2 bytes */
	EDNS_BADVERS, /* version above 0 */
};

struct edns {	       /* what an OPT record said */
	uint16_t size; /* UDP payload the sender takes; below 512 counts as 512 */
	uint8_t extended_rcode, version;
	bool dnssec_ok;
	bool nsid; /* option present */
	bool keepalive;
	bool padding;
	uint16_t keepalive_100ms; /* 0 if without value */
	uint8_t client_cookie[8];
	uint8_t server_cookie[32];
	uint8_t client_cookie_len; /* 0 or 8 */
	uint8_t server_cookie_len; /* 0 or 8 to 32 */
	uint16_t ede;		   /* first one in a reply; EDE_NONE */
};

/* Read the OPT record of a checked message, the first one. OUT is zeroed (ede = EDE_NONE) first, and has what
 * could be read, if that is FORMERR too: a query is refused then, a reply lacks what it does not say. */
enum edns_status edns_view(const struct message *m, struct edns *out);

struct edns_reply {	/* what our OPT record shall say */
	uint16_t size;	/* our UDP payload size */
	uint16_t rcode; /* full 12-bit rcode; the upper 8 bits go into the OPT record */
	bool dnssec_ok;
	uint16_t ede;	      /* EDE_NONE: no option */
	uint16_t ede2;	      /* a second one, without text; EDE_NONE */
	struct span ede_text; /* UTF-8; empty: none */
	struct span cookie;   /* 8 (query) or 16..40 bytes (reply); empty: no option */
	struct span nsid;     /* empty: no option */
	bool keepalive;
	uint16_t keepalive_100ms;
	bool keepalive_empty; /* in queries: option without value */
	uint16_t key_tags[EDNS_KEY_TAGS_MAX];
	uint8_t key_tag_count;
};

/* Size in bytes that edns_write() will need for REPLY. */
size_t edns_size(const struct edns_reply *reply);

/* Give up of REPLY what ROOM_BYTES do not hold, in this order: the NSID (RFC 5001 §2.2: ours to
 * choose), the text of the error (RFC 8914 §3: supplemental; it is cut between characters first), the
 * second error, the first one, the keepalive. The cookie and the record itself stay: RFC 7873 §5.2,
 * RFC 6891 §7. Returns the size of what is left, which is above ROOM_BYTES only if these do not fit. */
size_t edns_fit(struct edns_reply *reply, size_t room_bytes);

/* Append the OPT record to the additional section; false if it does not fit. */
MUST_USE bool edns_write(struct builder *b, const struct edns_reply *reply);

/* The same as bare bytes: the OPT record into OUT (ready to be appended to a message); its length,
 * or 0 if SIZE is too small. */
size_t edns_render(const struct edns_reply *reply, uint8_t *out, size_t size_bytes);
