#pragma once
/*
 * A liar with imagination: he sits on the path, or is one server of several, and makes of true replies
 * what his plan says. A plan is a few lies that he keeps to for the whole run, so that what he says in
 * one reply may rest on what he said in another. He owns no key of the zones he lies about, but knows all
 * that they ever signed.
 *
 * liar.c has the rules in a table, and what is lied to; liar_rules.c how each is done; liar_world.c the
 * worlds and the questions.
 */
#include "dns/message.h"
#include "sim/server.h"

struct sim;

enum {
	LIES_MAX = 3,
	RULES_MAX = 2,
	AGED_MAX = 32,
	PIECES_MAX = 40,
	PIECE_RDATAS = 12,
	PIECE_SIGS = 6
};

enum liar_mode {
	LIAR_NONE,   /* nobody lies */
	LIAR_PATH,   /* each reply may be a lie */
	LIAR_SERVER, /* one server of each zone lies, the other one is honest */
	LIAR_GOSSIP, /* servers tell what they once heard of other zones: the truth must prevail */
	LIAR_EMPTY,  /* one server of each zone has lost its data: the truth must prevail */
	LIAR_MODES,
};

enum asked_kind {		     /* kinds of questions that the resolver asks */
		  ASKED_CLIENTS = 1, /* for a client, as it is */
		  ASKED_DS = 2,
		  ASKED_DNSKEY = 4,
		  ASKED_NS = 8, /* priming, and minimised ones */
		  ASKED_MINIMISED = 16,
		  ASKED_ADDRESS = 32, /* of a server */
		  ASKED_ALL = 63,
};

struct lie {
	unsigned asked; /* bits of enum asked_kind: of which replies it is made */
	uint16_t kind;	/* type of record that is struck, or made up; 0: any */
	unsigned rules[RULES_MAX], rule_count; /* one after the other */
	unsigned percent;		       /* of the replies */
	uint64_t seed; /* of the choices within the rules: the same in each reply */
};

struct aged { /* a signature by the true key that expires soon */
	struct span rdata;
	uint32_t expiration;
};

struct liar {
	enum liar_mode mode;
	struct lie lies[LIES_MAX];
	unsigned lie_count;
	uint64_t told; /* replies that are not what they were */
	struct aged aged[AGED_MAX];
	unsigned aged_count;
};

struct piece { /* an RRset of a reply */
	enum section section;
	const uint8_t *owner;
	uint16_t type;
	uint32_t ttl_s, sig_ttl_s;
	struct span rdatas[PIECE_RDATAS], sigs[PIECE_SIGS];
	unsigned rdata_count, sig_count;
};

struct draft { /* a reply being changed; everything lies in the world's arena */
	struct sim *s;
	struct prng dice;
	const struct host *host;
	uint8_t qname[DNAME_MAX];
	uint16_t qtype, flags, kind;
	bool has_opt;
	struct piece pieces[PIECES_MAX];
	unsigned count;
};

/* Change what HOST is about to reply to QUERY. */
void liar_bend(struct sim *s, const struct host *host, const struct message *query,
	       struct server_reply *reply);
/* A plan for the run's mode. */
void liar_plan(struct sim *s);
/* ... in words, if there is one. */
void liar_tell(struct sim *s);
/* Nobody can tell what servers say from the truth, nor need anybody fail. */
bool liar_is_harmless(const struct sim *s);
/* The true key made SIG, but long ago: when it expires, or 0. */
uint32_t liar_aged(const struct sim *s, struct span sig);

/* A world, its liar, and questions. */
void build_lies(struct sim *s);
/* The same, now and then with a restart. */
void build_liar(struct sim *s);
