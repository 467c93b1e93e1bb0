#pragma once
/*
 * Inside of the core: the question in progress, and the resolver that holds them all. Nothing
 * outside resolve/ includes this.
 *
 * A question goes through legs: each leg asks for one owner name; an alias begins the next. A leg
 * looks into the cache, finds the zone whose servers to ask (cut), asks them (ask), and validates
 * what came back (check). Sub-questions (addresses of name servers, DS, DNSKEY) are questions like
 * any other; the one who needs them waits. All questions opened on behalf of one client query
 * charge one budget.
 *
 * query.c keeps the table of questions, who waits for whom, and how one ends; what a question does
 * meanwhile is in leg.c, iterate.c (with minimize.c, servers.c, upstream.c) and validate.c (with
 * validate_set.c, validate_denial.c, chain.c), a client's side of it in waiters.c.
 */
#include <sys/queue.h>

#include "base/heap.h"
#include "dnssec/crypto.h"
#include "dnssec/denial.h"
#include "resolve/askable.h"
#include "resolve/asking.h"
#include "resolve/client.h"
#include "resolve/limits.h"
#include "resolve/line.h"
#include "resolve/prefetch.h"
#include "resolve/resolver.h"
#include "resolve/scrub.h"
#include "resolve/security.h"
#include "resolve/sends.h"
#include "resolve/throttle.h"
#include "resolve/trace.h"

struct kept;
struct lead;
struct query;
struct waiter;

LIST_HEAD(budget_queries, query);

struct budget { /* one per client query; counted, never reset */
	unsigned references;
	unsigned sends, subqueries, ns_lookups;
	unsigned signature_checks, failed_checks;
	uint64_t work_us; /* what its validation has cost by estimate: who cost least goes first */
	bool refresh;	  /* no client asked for any of this: clients go first */
	bool recall_lapsed; /* the slower tier was waited for in vain: not again */
	size_t received_bytes;
	struct denial_budget denial;
	struct trace trace;
	/* Memory of everything that was opened on its behalf, and of the clients that wait for that. */
	size_t held_bytes;
	size_t weighed_bytes;	    /* of that, as it stands in the resolver's sum */
	struct heap_node size;	    /* in resolver->sizes, the largest first */
	struct budget_queries open; /* the newest first */
};

/* Why nothing came of it: the words that explain a SERVFAIL. */
struct trouble {
	uint16_t ede;
	char text[224];
};

enum query_state {
	QUERY_LEG,   /* begin (or go on) with query->name: cache, then the zone to ask */
	QUERY_CUT,   /* find the deepest zone cut known */
	QUERY_ASK,   /* choose a server and send, or wait for a reply or for addresses */
	QUERY_CHECK, /* validate the leg's sets; may wait for DS and DNSKEY */
	QUERY_DONE,
	QUERY_STATE_COUNT,
};

enum step {
	STEP_WAIT,
	STEP_AGAIN
}; /* what a state's function says: wait for an event, or run on */

enum { TELLERS_MAX = 4 }; /* of the legs of a chain */
enum { SERVERS_MAX = 40, NS_NAMES_MAX = DELEGATION_SERVERS_MAX, DEPENDENCIES_MAX = 24 };

enum form { FORM_FULL, FORM_BARE /* OPT without options */, FORM_PLAIN /* without EDNS */ };

struct server { /* one address of the zone being asked */
	struct endpoint address;
	const uint8_t *ns_name; /* NULL for forward and stub zones */
	const struct settings_budget
		*budget; /* its packets are counted; NULL: nobody counts them */
	uint8_t sends, losses;
	uint8_t gone; /* sends that were hinted to be in vain, and not answered in their time */
	uint64_t last_sent_us;
	bool bad;	 /* lame, refused, broken: not asked again by this question */
	bool lame;	 /* of these: does not serve the zone */
	bool fails;	 /* of these: serves it, but has no answer to the question */
	bool mute;	 /* of the lame: said nothing at all, and may be believed ... */
	bool mute_plain; /* ... without EDNS, which could have told more: witness.h */
	bool witness;	 /* has been asked for another type */
	bool use_tcp;	 /* truncated, suspicious */
	bool tcp_lost;	 /* a connection ended under a question once */
	bool tcp_failed;
	/* habit.h: replies in a row that lacked the same, BADCOOKIEs; to be asked, and was, in small
	 * letters; without a cookie */
	uint8_t habit, habit_count, bad_cookies;
	bool small, asked_small, no_cookie;
	/* form.h: enum form that FORMERR has led to; it was heard over UDP, though not believed */
	uint8_t form_udp, form_tcp;
	bool form_heard, form_silent; /* silent: over TCP, with EDNS */
};

struct ns_name { /* a name server whose address is not known yet */
	const uint8_t *name;
	bool asked_a, asked_aaaa, in_zone, has_glue;
};

struct send {		/* one packet that may be answered; slots of the resolver */
	uint64_t token; /* 0: free slot */
	TAILQ_ENTRY(send) in_order;
	enum send_standing standing;
	uint32_t server_mark, zone_mark; /* where it is counted */
	struct query *query;
	unsigned server; /* index into query->servers */
	uint16_t id, qtype;
	enum transport transport;
	uint8_t qname[DNAME_MAX]; /* with the letters' case as sent */
	uint8_t cookie[COOKIE_CLIENT_SIZE];
	enum form form; /* form.h */
	bool form_tried,
		small_tried; /* plainer, smaller than otherwise, as its server was silent */
	uint16_t offered;    /* bytes that a reply may have, over UDP */
	bool with_cookie, with_options, minimized;
	bool small;    /* in small letters, as a try: habit.h */
	bool witness;  /* asks for another type: witness.h */
	bool stubborn; /* over TCP because UDP lost, not because the server wants it */
	bool expired;  /* its time is over, but a late reply is still welcome */
	bool aside;    /* its family leads nowhere: others are asked meanwhile */
	bool hinted;   /* an ICMP message said that nobody is there: others are asked meanwhile */
	uint8_t mismatches;
	uint8_t number; /* in the trace */
	uint64_t sent_us;
	uint64_t deadline_ms, hedge_ms; /* hedge 0: none */
};

/* A question that waits for another one. */
struct parent_link {
	struct query *parent;
	struct parent_link *next;
};

/* A finished sub-question, kept for the one who asked (the cache may not hold it any more). */
struct dependency {
	const uint8_t *name;
	uint16_t type;
	bool pending, fresh;
	struct answer *answer; /* in the asker's arena; NULL while pending */
};

/* Of each set of the leg, so that a second run does not check again. */
struct checked {
	enum security security; /* SECURITY_PENDING: not done yet */
	bool wildcard_proven;
	const struct proven *proven; /* in the arena; NULL unless it is secure */
	const uint8_t *signer;
	/* That it lies in, by what was found out about it: its signer's, or the cut at or below which
	 * all is insecure; NULL: nothing was. */
	const uint8_t *zone;
	/* How far it got, if it had to wait for its turn in between (verify.c). */
	const struct keyset *keys;     /* being tried; NULL: not yet found */
	uint8_t sigs_done, sigs_tried; /* signatures that are done with; of these, those that fit */
	enum crypto_result sigs_worst; /* of the latter */
	unsigned attempts;	       /* of the next signature, that failed */
	enum crypto_result worst;      /* of them */
};

/* Keys, and what their signatures are found by, made once for all sets and signatures. */
struct keyset {
	struct proven proven;
	bool whole;	/* all keys of their zone, not only those that its parent vouches for */
	bool refetched; /* with query->keys_refetched */
	unsigned count; /* of the first keys, LIMIT_DNSKEYS at most */
	uint16_t tags[LIMIT_DNSKEYS];
};

struct zone_context { /* the zone whose servers are asked now */
	uint8_t name[DNAME_MAX];
	const struct settings_zone *configured; /* forward or stub, or NULL */
	bool place_taken;	 /* the next packet was counted when it had to queue: throttle.h */
	int64_t expires_ms;	 /* of the delegation: bounds what it refers to */
	uint64_t delegation;	 /* its fingerprint */
	struct endpoint told_by; /* the parent's server that gave it; family 0: it was cached */
	int64_t told_ms;	 /* when */
	struct server servers[SERVERS_MAX];
	unsigned server_count;
	struct ns_name ns_names[NS_NAMES_MAX];
	unsigned ns_name_count, ns_lookups;
	uint64_t since_ms;  /* mono: when its servers began to be asked */
	bool ready;	    /* servers are filled in */
	bool glue_tried;    /* add_parent_glue() has run */
	bool inside_failed; /* a look-up of an address of a server whose name is in the zone */
	bool from_hints;    /* the root's, not yet primed */
	bool signed_data;   /* nothing without signatures is of use: with EDNS, rather over TCP */
	bool unroutable4, unroutable6; /* has addresses of a family that is off or has no route */
	bool witness_asked;	       /* one is asked for another type: the one numbered so */
	unsigned witness, witnesses;   /* ... and how many have been so far */
	bool counted;		       /* of one server at least packets are counted */
	enum askable refused;	       /* why an address was not taken; ASKABLE_YES: none was */
	struct endpoint refused_one;   /* ... the first */
};

enum asking_state {
	ASKING_NOT_YET,
	ASKING_ELSEWHERE, /* another worker does: its answer is waited for */
	ASKING_SETTLED,	  /* no more */
};

struct appeal {		     /* to the parent of a zone of which no server is of use: appeal.h */
	bool open;	     /* that parent is being asked */
	bool spent;	     /* all servers have been tried; else they are silent so far */
	const uint8_t *zone; /* in the arena */
	uint64_t delegation; /* of that: its fingerprint */
	struct endpoint told[LIMIT_APPEALS]; /* who gave it; family 0: it was cached */
	unsigned count;			     /* in all of the question */
	struct trouble why;
};

struct query {
	struct resolver *resolver;
	const struct settings *settings;
	struct arena arena;
	struct budget *budget;
	enum query_state state;
	bool running;		       /* in the ready list */
	bool internal;		       /* no client asked: DS and DNSKEY and address look-ups */
	bool priming;		       /* the question is the root's NS set */
	bool primed;		       /* has waited for priming once */
	bool fresh_only;	       /* do not take the cache's answer for the question itself */
	bool refresh;		       /* opened by prefetching */
	bool anew;		       /* nothing of the chain comes from the cache */
	bool from_root;		       /* ... nor do delegations */
	bool alias_cached;	       /* an alias of the chain came from the cache ... */
	bool aliases_anew, first_anew; /* ... none does any more; none at the first name */
	bool alias_untold, end_denied; /* notes of cut.h: of the alias followed, of its end */
	/* The forward zone of the leg whose servers failed: the zone around it is asked (fallback). */
	const struct settings_zone *fallen_from;
	const uint8_t *plain_zone; /* whose servers sent no signatures to who needs this, or NULL */
	enum asking_state asking;
	bool asked_here; /* other workers wait for what this brings */
	uint64_t asking_hash, asking_since_ms;
	uint8_t depth;
	struct query *ready_next; /* also links finished ones until the step ends */
	struct query *hash_next;
	struct query *older, *newer; /* by age */
	struct shares_member share;  /* of those in progress: whose client it works for */
	LIST_ENTRY(query) in_budget;
	struct heap_node timer;
	struct cache_since since; /* when it was opened: what it learns enters through this */
	struct heap_node turn;	  /* in resolver->turns while its validation waits */
	uint64_t give_up_ms;	  /* mono */
	struct kept *kept;	  /* the name that is refreshed; NULL: none, or let go meanwhile */
	uint32_t chain_ms;	  /* what the servers of the chain need in a bad case */
	/* Asked to confirm what DENIER said: of others, where there are any, and over TCP. */
	bool confirming, doubted; /* doubted: denied, and not believed yet */
	struct endpoint denier;
	uint8_t only_family; /* asked to see whether servers of this one answer: family.h; 0: any */
	bool shortage; /* it lacked room here, or what it waited for did: says nothing of the name */

	uint8_t qname[DNAME_MAX]; /* lower case */
	uint16_t qtype;
	struct waiter *waiters;
	unsigned waiter_count;
	LIST_HEAD(, waiter) led; /* who waits for the target of its stale alias instead */
	struct parent_link *parents;
	struct lead *leads; /* expired chains that it will end: lead.h */

	/* for who keeps traces */
	uint8_t number; /* in the budget's trace */
	uint8_t told;	/* TRACE_TOLD_... */
	bool watched;	/* an operator asked */
	unsigned clients;
	struct endpoint client; /* who asked first */
	uint64_t started_us;

	/* the chain so far */
	const uint8_t *name; /* the leg's owner name, lower case, in the arena */
	unsigned alias_count, referral_count;
	struct answer answer, *denial; /* cut.h: told if no other comes */
	/* Bits, by the sets of the answer with which legs begin: told by servers, not by the cache; of a
	 * name of which the slower tier has told what it keeps. */
	uint32_t legs_told, legs_recalled;
	struct endpoint tellers[TELLERS_MAX]; /* the servers that told them, the last ones */
	unsigned teller_count;

	/* asking */
	struct zone_context zone;
	struct { /* the names of its servers: in the arena, used again for the next zone's */
		uint8_t *at;
		size_t size;
	} server_names;
	struct appeal appeal;
	struct {
		uint8_t name[DNAME_MAX]; /* minimised question */
		uint16_t type;
		bool active; /* differs from the full question */
		bool off;    /* give the full name from now on in this leg */
		unsigned steps;
		unsigned labels; /* to show next; 0: from the cut on */
		/* It was denied, and what is below it was asked for all the same; is_tried: what came
		 * is bogus, and this is checked instead. */
		struct reply *denial;
		bool is_tried;
	} minimize;
	unsigned sends; /* of this question */
	struct send *open[LIMIT_SENDS_OPEN];
	unsigned open_count;
	uint64_t throttled_until_ms;
	uint64_t turn_ms; /* of that, when a place in the line for a server was taken; 0: none */
	struct endpoint turn_at; /* ... as which it is counted */
	struct line_member line;
	bool held_back;	   /* by a line that was too long; says nothing about the servers */
	uint8_t starvings; /* times that no room of ours was found for a packet */
	uint64_t retry_ms; /* when a server that is out for now may be asked again; 0: none */

	/* what came back */
	struct reply *reply; /* in the arena */
	unsigned reply_server;
	bool reply_cached; /* came from an unchecked entry, not from a server */
	struct checked set_checks[ANSWER_SETS_MAX];
	struct checked authority_checks[ANSWER_AUTHORITY_MAX];
	struct denial_memo *memo; /* of the proof that waits for its next turn; in the arena */
	unsigned bogus_retries;
	struct reply *bogus_reply; /* kept while another server is tried */
	struct trouble bogus_why;  /* what is wrong with it, whatever others have said since */
	/* It claims no authority, or denies without an SOA: others are asked first, until then (mono). */
	struct reply *doubtful_reply, *end_reply; /* cut.h: said of the next leg, an alias' end */
	unsigned doubtful_server;
	uint64_t doubt_until_ms;
	uint64_t soa_until_ms; /* for so long the SOA of a denial is waited for; 0: not begun */
	bool keys_refetched;

	struct { /* what the slower tier knows of the leg's name: recall.c */
		bool asked, waits;
		bool known;	/* has told all */
		uint64_t token; /* 0: nothing is to come */
		uint64_t end_ms;
		struct query *next; /* of the same bucket */
	} recall;

	struct dependency dependencies[DEPENDENCIES_MAX];
	unsigned dependency_count;
	struct trouble trouble;
};

/* A forwarder is asked: its replies tell of all zones, and show no cuts. */
static inline bool query_is_forwarded(const struct query *q)
{
	return q->zone.configured && q->zone.configured->forward;
}

enum { RECALL_BUCKETS = 256 }; /* some at a time, unless the slower tier hangs */

struct resolver {
	const struct settings *settings;
	struct cache *cache;
	struct infra *infra;
	struct ranges *ranges;
	struct metrics *metrics;
	struct throttle *throttle, own_throttle;
	const struct own_addresses *own_addresses; /* of the machine; NULL: none known */
	struct prefetch *prefetch;
	struct asking_shared *asking; /* NULL: nobody else asks */
	uint8_t asking_owner;
	struct rng rng;
	struct hash_key cookie_secret, table_key;
	struct client_context client_context;
	struct limiter limiter;
	struct crypto_keys *keys;
	resolver_recall_fn *recall;
	void *recall_context;
	uint64_t recall_tokens;		       /* given so far */
	struct query *recalls[RECALL_BUCKETS]; /* by token */
	resolver_observe_fn *observe_keys;
	void *observe_context;
	resolver_forwarded_fn *forwarded;
	void *forwarded_context;
	trace_report_fn *report;
	void *report_context;
	prefetch_change_fn *changed;
	void *changed_context;
	/* mono; 0: not with these settings */
	uint64_t observed_ms[SETTINGS_ANCHORS_MAX];
	struct now now;	  /* of the step in progress; mono_us without held_us */
	uint64_t held_us; /* for how long the machine has stood still, all told */
	bool has_ipv4, has_ipv6;
	uint32_t family_lost
		[2]; /* IPv4, IPv6: for the so manieth time, when it was last seen here */
	uint8_t family_to_probe; /* 0: none */

	/* Memory of all questions in progress, and the most that it may be. */
	size_t question_bytes, question_bytes_limit, max_question_bytes;
	struct heap sizes; /* budgets by what they hold, the largest first */
	uint64_t shed_count;

	struct query **table; /* by qname and qtype */
	struct query *oldest, *newest;
	struct shares shares; /* of LIMIT_QUERIES */
	struct line lines[THROTTLE_SLOTS];
	struct query *ready_first, *ready_last;
	struct query *finished; /* freed when the step ends */
	size_t query_count;
	struct heap query_timers, client_timers;
	struct heap turns; /* questions whose validation waits, by what they have cost */
	uint64_t work_us;  /* of validation, since time or a turn last began */
	uint64_t work_limit_us, max_work_us, total_work_us;
	bool work_is_turn;	      /* this step is for those who wait */
	bool work_refused;	      /* somebody was told to wait in this step */
	struct waiter **waiter_table; /* by token */
	size_t waiter_count;
	struct waiter *waiter_pool;
	unsigned waiter_pool_count;

	struct sends sends;
	uint32_t hedges, hedge_base; /* hedges among the last sends */

	struct arena step_arena; /* packets of the actions */
	/* What is needed only until the present event, or the present turn of a question, is over:
	 * replies before they are judged, and what the cache is filled from. */
	struct arena turn_arena;
	struct action *actions;
	size_t action_count, action_capacity;
	unsigned max_sends_per_client, max_signature_checks, max_nsec3_hashes;
	uint8_t reply_buffer[MESSAGE_MAX];
	uint8_t scratch[MESSAGE_MAX];
};

/* --- query.c --- */

enum { QUERY_BUCKETS = 4096 }; /* as many as LIMIT_QUERIES: chains stay short */

/* The question for (NAME lower case, TYPE) in progress, or NULL. */
struct query *query_find(struct resolver *r, const uint8_t *name, uint16_t type);
/* Open one that is not in progress, needed by PARENT and charged to its budget (NULL: a budget of its
 * own), and wake it. NULL if memory is out. */
struct query *query_open(struct resolver *r, const uint8_t *name, uint16_t type,
			 struct query *parent);
/* HOLDER's client waits for Q: Q counts as its, if nobody's who waits already holds fewer questions. */
void query_take_over(struct query *q, const struct shares_holder *holder);
/* ... that brings the answer anew. NULL also if the same is being asked already. */
struct query *query_open_refresh(struct resolver *r, const uint8_t *name, uint16_t type);
/* ... and that asks others than DENIER, over TCP. */
void query_confirm(struct query *q, const struct endpoint *denier);
/* EV_WATCH: open one for an operator, or watch the one in progress. */
void query_watch(struct resolver *r, const struct event *ev);
/* Put Q on the list of questions that run before the step ends. */
void query_wake(struct query *q);
/* Note why things go wrong; the last word counts. */
void query_trouble(struct query *q, uint16_t ede, const char *format, ...) PRINTF_LIKE(3, 4);
/* The trouble noted last is what the answer itself has to tell, whatever trouble comes after it. */
void query_remark(struct query *q);
/* The same where a limit was reached, which is counted too. */
void query_limit(struct query *q, uint16_t ede, const char *format, ...) PRINTF_LIKE(3, 4);
/* ... where the trouble is told in other words than WHAT. */
void query_count_limit(struct query *q, const char *what);
/* A client of Q could wait no longer and was told EDE and TEXT: told to who keeps traces. */
void query_report_late(struct query *q, uint16_t ede, const char *text);
/* Q's next step, for the trace. */
void query_note(struct query *q, struct trace_step step);
/*
 * Need the answer to (NAME, TYPE): OK and *OUT if it has been resolved for Q already, or stands in the
 * cache and FRESH does not forbid to take it from there; ERR_BUSY if Q waits for it now; ERR_LIMIT if
 * the budget does not allow it or it would wait for itself.
 */
MUST_USE enum err query_need(struct query *q, const uint8_t *name, uint16_t type, bool fresh,
			     const struct answer **out);
/* End Q with its q->answer, or as a failure with RCODE_SERVFAIL and q->trouble. It is freed when the
 * step ends. */
void query_finish(struct query *q);
void query_fail(struct query *q);
/* Q's data can neither be shown to be good nor to be bad, as the keys for that are out of reach: a
 * failure, but for who does not want it checked. */
bool query_is_unproven(const struct query *q);
/* ... whose fault is the alias chain itself: it is told beside the SERVFAIL. */
void query_fail_chain(struct query *q);
/* Free what has ended. */
void query_free_finished(struct resolver *r);
/* Free Q, whose waiters are gone, as it stands. */
void query_discard(struct query *q);
/* Q may hold more memory than when it was last looked at: enter that. */
void query_weigh(struct query *q);
/* Give up questions until the memory of the others is within its limit. No question runs. */
void query_shed(struct resolver *r);

/* --- resolver.c --- */

/* Have room for MORE actions beside those that are owed already: an answer to each waiting client, and two
 * for each send, itself and its end. Whoever makes one of those asks for it first, and makes none if that
 * fails, so that no action is lost. */
MUST_USE bool resolver_reserve(struct resolver *r, size_t more);
/* Add an action, which is owed, or one of the few that a step has besides. The packet must live in
 * r->step_arena. */
void resolver_act(struct resolver *r, const struct action *action);
/* The step's time on the clock that all resolvers share: for what they count together. */
struct now resolver_shared_now(const struct resolver *r);
/* Clamp to the settings. */
uint32_t resolver_clamp_ttl(const struct resolver *r, uint32_t ttl_s);
