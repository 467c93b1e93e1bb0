#pragma once
/*
 * Scenarios as text, played with the core and a virtual clock. A scene is one file: it names the
 * settings, the servers with what they reply to which question, and then, step by step, what
 * clients ask, what time passes, what must have been sent and what must have been answered. The
 * words are told in core/README.
 *
 *   main.c   files, one after the other      read.c   the words of a line
 *   play.c   clock, events, actions          reply.c  what servers reply
 *   sign.c   keys of zones, signatures       spoil.c  what is wrong with a reply
 *   tiers.c  memory that runs out, what is kept below it
 */
#include "base/heap.h"
#include "cache/ranges.h"
#include "dns/message.h"
#include "dns/text.h"
#include "resolve/askable.h"
#include "resolve/resolver.h"
#include "sim/signer.h"

enum {
	SCENE_SERVERS_MAX = 32,
	SCENE_REPLIES_MAX = 400,
	SCENE_RECORDS_MAX = 64, /* of one reply */
	SCENE_CLIENTS_MAX = 1024,
	SCENE_SENT_MAX = 2048,
	SCENE_ZONES_MAX = 8,
	SCENE_ASK_MAX = 4,
	SCENE_KEYS_MAX = 8,
	SCENE_WORDS_MAX = 40,
	SCENE_TEXT_MAX = 400,
	SCENE_DISK_MAX = 256, /* entries */
	SCENE_CACHE_KB = 4096,
};

enum cookie_word { COOKIES_NONE, COOKIES_GOOD, COOKIES_WRONG };
enum only_over { OVER_BOTH, OVER_UDP, OVER_TCP };
enum only_letters { LETTERS_ANY, LETTERS_MIXED, LETTERS_SMALL };
enum only_with { WITH_ANY, WITH_EDNS, WITHOUT_EDNS, WITH_OPTIONS, WITHOUT_OPTIONS };

enum before { /* packets that come before the right one */
	      BEFORE_NOTHING,
	      BEFORE_WRONG_ID,
	      BEFORE_WRONG_QUESTION,
	      BEFORE_WRONG_PEER,
	      BEFORE_GARBAGE,
};

struct scene_key { /* of a signed zone */
	uint8_t zone[DNAME_MAX];
	struct signer_key good, forged; /* the latter bears the tag of the other */
};

struct scene_signature {       /* over one record */
	struct scene_key *key; /* NULL: none */
	const uint8_t *from;   /* the wildcard it was expanded from, or NULL */
	bool is_forged, is_until;
	int until_s; /* its end, from now */
	uint32_t
		wire_ttl_s; /* of the record and its signature, other than as signed; 0: as signed */
};

struct scene_record {
	enum section section;
	unsigned copies;  /* "each N": made N times, %d in it counts */
	const char *text; /* presentation; a leading @ is the question's name */
	struct scene_signature signature;
};

struct scene_spoils { /* what is wrong with a reply's bytes */
	bool trailing, mistyped;
	uint16_t rclass, question_class; /* of its records, of its question; 0: as it should be */
	int miscounts[SECTION_COUNT];	 /* so many more in the header than there are */
};

struct scene_reply { /* what SERVER says to one question */
	struct scene_server *server;
	const char *name; /* "*": any; "*.x.": everything below x. */
	uint16_t type;	  /* TYPE_ANY: any */
	enum only_over over;
	enum only_with with;
	enum only_letters letters;
	unsigned offers; /* only to questions that take so much, or less; 0: any */
	bool once, spent;
	uint16_t rcode, flags;
	bool silent, lost, no_room, hinted, fragmented, oversized, in_lower_case, no_question,
		no_opt, two_opts;
	struct scene_spoils spoils;
	enum cookie_word cookie;
	enum before before;
	unsigned before_count;
	uint32_t delay_ms;
	struct scene_record records[SCENE_RECORDS_MAX];
	unsigned record_count;
};

struct scene_server {
	struct endpoint address;
	uint32_t delay_ms;
	bool silent;
};

struct scene_client {
	uint64_t token;
	uint8_t qname[DNAME_MAX];
	uint16_t qtype;
	uint64_t asked_ms, answered_ms;
	bool is_answered, is_hit, is_checked;
	uint8_t *wire; /* the answer, in the scene's arena */
	size_t len;
};

struct scene_sent {
	uint64_t token, at_ms;
	struct endpoint peer;
	enum transport transport;
	uint8_t qname[DNAME_MAX]; /* in lower case */
	uint16_t qtype;
	bool with_edns, with_options, is_open,
		is_forgotten; /* forgotten: before the last "clear" */
};

struct scene_event { /* a reply, or a loss if there are no bytes, on its way */
	struct heap_node node;
	uint64_t token;
	struct endpoint peer;
	enum transport transport;
	enum loss loss;
	bool fragmented;
	uint8_t *bytes;
	size_t len;
};

struct scene_disk { /* what the cache has told of, and not taken back */
	struct cache_sink sink;
	struct entry *kept[SCENE_DISK_MAX];
	unsigned count;
	bool hangs; /* tells nothing; what it is told it does later */
};

struct scene {
	const char *path;
	unsigned line;
	bool failed;
	struct arena arena;
	uint64_t now_ms; /* since the scene began */
	struct heap events;
	struct settings settings;
	size_t question_bytes; /* 0: as by default */
	unsigned cache_kb;     /* 0: SCENE_CACHE_KB */
	struct settings_zone zones[SCENE_ZONES_MAX];
	struct access_rule ask[SCENE_ASK_MAX];
	struct own_addresses own;
	struct endpoint_prefix no_case_server;
	const uint8_t *no_case_zone;
	struct scene_key keys[SCENE_KEYS_MAX];
	unsigned key_count;
	struct anchor anchors[SCENE_KEYS_MAX];
	struct scene_server servers[SCENE_SERVERS_MAX];
	unsigned server_count;
	struct scene_reply replies[SCENE_REPLIES_MAX]; /* the last that fits is taken */
	unsigned reply_count;
	struct scene_server *reading; /* whose replies the lines tell */
	struct scene_client clients[SCENE_CLIENTS_MAX];
	unsigned client_count;
	struct scene_sent sent[SCENE_SENT_MAX];
	unsigned sent_count;

	struct cache *cache;
	struct cache_reader *reader, *hog; /* the latter never passes; NULL: there is none */
	bool with_disk;
	struct scene_disk disk;
	struct infra *infra;
	bool with_ranges;
	struct ranges *ranges; /* or NULL */
	struct metrics metrics;
	struct hash_key cookie_secret;
	struct resolver *resolver; /* made by the first step */

	/* of the answer that "has" lines are about */
	struct scene_client *looked_at;
	struct record_iter left, left_beside; /* of the answer and of the authority section */
	bool looks_beside;
	struct message answer;
};

/* The scene goes wrong at its present line. Only the first time counts. */
void scene_fail(struct scene *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* One line of the file; changes it. */
void scene_read(struct scene *s, char *line);
/* After the last line. */
void scene_read_end(struct scene *s);

/* --- sign.c --- */

/* The key of ZONE; NULL: it has none. */
struct scene_key *scene_key_of(struct scene *s, const uint8_t *zone);
struct scene_key *scene_key_make(struct scene *s, const uint8_t *zone);
void scene_keys_end(struct scene *s);
/* KEY is a trust anchor. */
void scene_anchor(struct scene *s, const struct scene_key *key);
/* KEY's RDATA, as DS or as DNSKEY, in the form of RFC 3597. */
void scene_key_text(const struct scene_key *key, bool as_ds, char *out, size_t size);
/* RDATA of the RRSIG over R; its length. */
size_t scene_sign(const struct scene *s, const struct scene_signature *how,
		  const struct text_record *r, uint8_t out[static SIGNER_RDATA_MAX]);

/* --- tiers.c --- */

void scene_disk_init(struct scene *s);
void scene_disk_end(struct scene *s);
/* A resolver_recall_fn; CONTEXT is a scene. */
enum recall scene_recall(void *context, const uint8_t *name, uint64_t token, struct now now);
/* Memory forgets all that it has; the disk does not. */
void scene_forget(struct scene *s);
/* The cache gets no memory any more, and has some again. */
void scene_starve(struct scene *s);
void scene_feed(struct scene *s);

/* --- play.c, reply.c, spoil.c --- */

/* The time of day. */
int64_t scene_unix_ms(const struct scene *s);

struct ask_how {
	enum transport transport;
	bool norecurse, checking_disabled, dnssec_ok, wants_ad;
};

/* The resolver, once settings are complete. */
void scene_begin(struct scene *s);
void scene_end(struct scene *s);
void scene_ask(struct scene *s, const uint8_t *qname, uint16_t qtype, const struct ask_how *how);
/* Ask for it anew, for nobody. */
void scene_refresh(struct scene *s, const uint8_t *qname, uint16_t qtype);
/* Let time pass; stop early when C (may be NULL) has its answer. */
void scene_pass(struct scene *s, uint64_t ms, const struct scene_client *c);

/* PACKET, a reply to a question for QTYPE in WIRE, of SIZE_BYTES, as it is sent. */
struct span scene_spoil(const struct scene_spoils *how, uint16_t qtype, struct span packet,
			uint8_t *wire, size_t size_bytes);
/* The server of the send A replies to the question M. */
void scene_answer(struct scene *s, const struct action *a, const struct message *m);
/* M, a question, ends with an OPT record that has options. */
bool scene_has_options(const struct message *m);
/* Put a packet, or a loss, into the future. BYTES are copied. */
struct scene_event *scene_deliver(struct scene *s, const struct action *a, uint64_t delay_ms,
				  struct span bytes);
void scene_lose(struct scene *s, const struct action *a, uint64_t delay_ms, enum loss loss);
struct scene_server *scene_server_at(struct scene *s, const struct endpoint *e);
