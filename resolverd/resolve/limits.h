#pragma once
/*
 * Every limit on the work that one client query may cause, each with its reason. None is ever reset
 * by a sub-query: all queries opened on behalf of one client query charge the same struct budget.
 * Numbers of peers are from their sources (2026): Unbound 1.26, BIND 9.20, PowerDNS 5.4, Knot 6.4.
 */
enum {
	/* Packets sent upstream for one client query, retries and hedges included. Unbound allows 200
	 * (max-global-quota), Knot and PowerDNS 50-100; honest cold chains need under 30. */
	LIMIT_SENDS = 80,
	/* Of these, for one question of the chain: UDP retries to dead servers end here. Unbound 32. */
	LIMIT_SENDS_PER_QUERY = 32,
	/* Sub-queries opened (name-server addresses, DS, DNSKEY). */
	LIMIT_SUBQUERIES = 40,
	/* Depth of sub-queries for sub-queries. BIND 7, Unbound 4 for targets, PowerDNS 16. */
	LIMIT_DEPTH = 6,
	/* Referrals followed for one question; a name has at most 127 labels, real ones under 10. */
	LIMIT_REFERRALS = 24,
	/* Times that the parent of a zone is asked once more by one question, as the delegation led to
	 * no server that answers: two of its servers beside the one that gave it. */
	LIMIT_APPEALS = 2,
	/* ... and how long ago a delegation that is cached must have been given for that: all questions
	 * for a dead zone together ask its parent once in this time (RFC 9520 §3.3). */
	LIMIT_APPEAL_S = 60,
	/* CNAME and DNAME hops. Unbound and BIND 11, PowerDNS 10, Knot 13. */
	LIMIT_ALIASES = 12,
	/* Name-server names whose addresses are looked up for one delegation: large hosters give
	 * out six in zones of their own, and one may be all that works. (NXNSAttack: PowerDNS 10
	 * addresses per query, Unbound gives up with the 6th name that fails, Knot with the 5th.) */
	LIMIT_NS_LOOKUPS = 6,
	/* ... and addresses for the whole client query: the same in both families. */
	LIMIT_NS_LOOKUPS_TOTAL = 12,
	/* Times one address is asked the same question. Unbound 5. With a fifth of all packets lost
	 * each way, three tries at each of two servers fail once in 460 questions, five once in
	 * 27,000. */
	LIMIT_SENDS_PER_SERVER = 5,
	/* The same where packets are counted (rate-limit): loss there is throttling, and every
	 * repetition makes it worse. Stripe saw retries at three levels multiply their load by
	 * seven. */
	LIMIT_SENDS_PER_COUNTED = 2,
	/* Sends of one question that may be answered at a time, those whose time is over included:
	 * a late reply is welcome, but each open send is one more packet that a forger could hit
	 * (RFC 5452 §5). Four cost two bits of the 32 and more that port, id and letters' case
	 * give. Equal questions are one per worker; LIMIT_MISMATCHES wrong guesses at an open send
	 * end it. */
	LIMIT_SENDS_OPEN = 4,
	/* Whoever finds no socket to ask with tries again after so long, then twice as long each time
	 * up to sixteen times; all of it takes 2.3 s, which is longer than clients wait. */
	LIMIT_STARVED_MS = 25,
	LIMIT_STARVINGS = 8,
	/* Bytes received for one client query. PowerDNS 100 kB. */
	LIMIT_RECEIVED_BYTES = 200 * 1024,
	/* Labels revealed one by one while minimising (RFC 9156 §2.3: MAX_MINIMISE_COUNT 10). */
	LIMIT_MINIMISE_STEPS = 10,
	/* Replies that do not match before UDP is given up for TCP, or, where packets are counted, the
	 * port for another one. PowerDNS and BIND: 1. */
	LIMIT_MISMATCHES = 3,
	/* Signature verifications for one client query, failed or not, sub-queries included.
	 * PowerDNS 30, Knot 32, BIND 16. A cold chain of four zones needs about 14. */
	LIMIT_SIGNATURE_CHECKS = 32,
	/* Of these, those that may fail: an honest chain has none, and an attack's cost a
	 * millisecond each (P-384). BIND 1, Unbound 4. */
	LIMIT_FAILED_CHECKS = 8,
	/* What validation may cost, by crypto_cost_us(), before a worker looks after everybody else
	 * again: of what one batch of replies brings, and of those who have waited for their turn. A
	 * cached answer waits out both at worst. One P-384 check takes 750, a chain with P-256 under
	 * 300; the second is at least one check of any kind, or nobody would ever be done. */
	LIMIT_STEP_WORK_US = 300,
	LIMIT_TURN_WORK_US = 800,
	/* Of what is due at one time, clients whose patience is over, questions and refreshes, so many of each
	 * are seen to in one step; the rest when others have been looked at. Each may send, some 30 us. */
	LIMIT_STEP_DUE = 8,
	/* What precedes a check: the tags of a set of keys, a thousand bytes a microsecond; a look at a
	 * signature, and at each key of its tag, by the length of names (6 us with 127 labels); a digest
	 * of a DS. */
	LIMIT_TAG_BYTES_PER_US = 1000,
	LIMIT_NAME_BYTES_PER_US = 50,
	LIMIT_DS_DIGEST_US = 3,
	/* NSEC3: one hash of 50 iterations, the most that is computed. */
	LIMIT_NSEC3_HASH_US = 10,
	/* RRSIGs tried for one RRset. Unbound 8, PowerDNS 2. */
	LIMIT_SIGS_PER_RRSET = 4,
	/* DNSKEYs with the same tag and algorithm tried for one RRSIG, or digested for one DS. PowerDNS
	 * 2. */
	LIMIT_KEYS_PER_TAG = 2,
	/* ... looked at to find those: with revoked ones and those that may not sign. */
	LIMIT_KEYS_LOOKED_AT = 8,
	/* DS records looked at for one delegation. PowerDNS 8. */
	LIMIT_DS_PER_ZONE = 8,
	/* NSEC3 hash computations for one client query; each at most 51 iterations. */
	LIMIT_NSEC3_HASHES = 150,
	/* ... of these, to make an answer from what is known (RFC 8198), in one step: a name of
	 * ip6.arpa has 34 labels, and what takes more is asked for. */
	LIMIT_SYNTHESIS_HASHES = 40,
	/* DNSKEY records in one set: more is an attack on the key-tag search. */
	LIMIT_DNSKEYS = 64,

	/* Bytes of the decision trace of one client query. Its 80 packets with what came of each take
	 * about 4 kB, its 40 sub-questions about 3 kB. */
	LIMIT_TRACE_BYTES = 8 * 1024,

	/* Memory of one question of the core. A 64 kB answer is held about four times. */
	LIMIT_ARENA_BYTES = 1024 * 1024,
	/* Questions in progress per resolver. Unbound 512 to 2048 a thread. When there are so many, the
	 * client that has most of them for its weight loses its oldest (base/shares.h), so that fresh
	 * questions get through, and those of others stay. */
	LIMIT_QUERIES = 4096,
	/* Memory of all of them, clients that wait and traces included, where nobody says otherwise
	 * (resolver_parts). One that waits for a silent server holds 16 kB: this is all of them. */
	LIMIT_QUESTION_BYTES = 64 * 1024 * 1024,
	/* A client query that holds more than this, sub-questions and all, is given up before others
	 * are. A cold chain of signed zones holds up to 180 kB with all its sub-questions. */
	LIMIT_FAIR_BYTES = 256 * 1024,
	/* Of these, those that stand in line for one rate-limited server, which serves ten times fewer
	 * a second than there are questions: others must not be shed for them. */
	LIMIT_LINE = LIMIT_QUERIES / 4,
	/* Clients waiting for one question; more get SERVFAIL. CoreDNS forwards equal misses
	 * without joining them, so a name that a whole cluster begins to use has as many as there
	 * are pods. To answer them is one step of some milliseconds, and no question takes all of a
	 * worker's clients. BIND clients-per-query 100. */
	LIMIT_WAITERS = 4096,

	/* CoreDNS reads for 2 s, then throws the answer away. resolution.client-timeout may say
	 * otherwise for clients that wait longer (glibc: 5 s), but no less than one retransmission
	 * needs. */
	LIMIT_CLIENT_MS = 1800,
	LIMIT_CLIENT_MIN_MS = 500,
	/* Time that a forward zone's servers have where the public tree may answer in their stead: what
	 * is left of a client's time must be enough to iterate. */
	LIMIT_FALLBACK_MS = 800,
	/* Time that the other servers of a zone have to contradict one that denies without an SOA: as
	 * long, for the same reason, and no longer than a client waits who asked first. */
	LIMIT_DOUBT_MS = 800,
	/* Time to find the SOA of a denial that came without: two tries of a far server, and less than a client
	 * waits, who has the denial's worth without it. */
	LIMIT_SOA_MS = 400,
	/* Servers of a zone that said nothing at all and are asked for another type of the name, as one that
	 * serves it does so too: beside a balancer, two that are lame. */
	LIMIT_WITNESSES = 3,
	/* ... and times that each is asked: a packet may be lost. */
	LIMIT_WITNESS_SENDS = 2,
	/* What they all deny so is kept for this long. Nothing says how long it holds, and clients are
	 * not to keep it (RFC 2308 §5); but a dual-stack client asks for AAAA with each A, and each
	 * time the question would go round all servers. No longer either is it remembered that the
	 * tree around a forward zone whose servers fail denies a name, which they may have. */
	LIMIT_BARE_DENIAL_S = 5,
	/* The end of an alias that the same reply denies is asked for itself when it was not for so long: then a
	 * zone's AAAA questions cost no packet more, and who delegates the end is believed in an hour. */
	LIMIT_ALIAS_END_S = 3600,
	/* Before an expired alias chain is told as it was, its target is asked for, then the next one of the
	 * chain: a known server answers in a tenth of that, and all of it together leaves a client's time
	 * whole. */
	LIMIT_LEAD_MS = 200,
	LIMIT_LEADS = 3,
	/* The data of a kept name has changed: for so long its refreshes stay with the server that told that,
	 * as others may not know it yet. A zone's secondaries are told within seconds (RFC 1996), or ask;
	 * and should that server be wrong, it is not followed for ever. */
	LIMIT_CHANGED_MS = 120000,
	/* Later a refresh that would go back to what was replaced asks one more server, and stays with what is
	 * there if that says so: a secondary to which nothing is transferred any more. But no longer than this:
	 * it may be the other one of two that is behind. */
	LIMIT_RETURNS_MS = 600000,
	/* Work goes on behind the answer for this long in all, for the cache's sake. */
	LIMIT_QUERY_MS = 10000,
	/* Time that a disk has to tell what memory does not know, before servers are asked beside it:
	 * about a round trip to one, and several reads of a network's block device. */
	LIMIT_RECALL_MS = 20,
	/* Failures are remembered (RFC 9520 §3.2: at least 1 s, at most 5 min), doubling. */
	LIMIT_FAILURE_MIN_MS = 1000,
	LIMIT_FAILURE_MAX_MS = 30000,
	/* ... where there are replies, only without the signatures or keys that prove them: whatever
	 * keeps those away may let them pass at any time, and one failure is of all names of a zone. */
	LIMIT_UNPROVEN_MAX_MS = 2000,
	/* While the last try for a question is known to have failed, what is stale is told at once and
	 * the next try is made behind it: as long as RFC 9520 lets a failure be remembered. */
	LIMIT_FAILURE_SHOWS_MS = 300000,
	/* Bogus data (RFC 4035 §4.7) for at most this long. */
	LIMIT_BOGUS_S = 60,
	/* Cut of a delegation's TTL, and of any TTL from a server that says a year. */
	LIMIT_DELEGATION_S = 86400,
	/* A zone may shorten the life of its own delegation, not below this: its parent would be asked
	 * for every question. Who moves a zone lowers the TTL of its NS set to 60..900 s first. */
	LIMIT_DELEGATION_MIN_S = 60,
};
