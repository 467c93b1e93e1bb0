#pragma once
/*
 * What is known of each upstream server address: round-trip time, loss, back-off, and quirks.
 * Shared by all workers; locks one shard per call; touched on misses only. Bounded: the least
 * recently used server is forgotten first. Knowledge from outages decays in seconds: a server is
 * never given up for longer than INFRA_BACKOFF_MAX_MS.
 */
#include "base/cursor.h"
#include "base/endpoint.h"
#include "base/hash.h"
#include "base/now.h"

struct families;

enum {
	INFRA_SERVERS_MAX = 65536,     /* 64 k addresses x about 100 bytes: 7 MB at most */
	INFRA_RTT_UNKNOWN_US = 100000, /* an unknown server is assumed this far away */
	INFRA_RTO_MIN_MS = 25,	       /* tens of milliseconds on a near server */
	INFRA_RTO_MAX_MS = 1500,       /* above this another server is the better idea */
	INFRA_RTO_UNKNOWN_MS = 376,    /* as BIND and Unbound begin */
	INFRA_BACKOFF_MIN_MS = 500,    /* after INFRA_LOSSES_DOWN losses in a row */
	INFRA_BACKOFF_MAX_MS = 5000,   /* probed again within seconds, whatever happened */
	INFRA_LOSSES_DOWN = 3,
	/* TCP that leads nowhere is most often somebody's rule, which stays; and whoever has no other
	 * server tries it all the same. So it is left alone from the first loss on, and for longer. */
	INFRA_TCP_BACKOFF_MAX_MS = 30000,
	/* A TCP exchange is two round trips, and the server's work: never given up before this. */
	INFRA_TCP_PATIENCE_MIN_MS = 200,
	INFRA_QUIRK_TTL_MS = 15 * 60 * 1000, /* quirks are re-probed: servers get upgraded */
	/* ... but for INFRA_KEEPS_CASE, where it was seen: silence is no sign against it, and an outage is
	 * shorter. A server may yet be replaced by one that knows small letters only. */
	INFRA_KEEPS_CASE_MS = 2 * 60 * 60 * 1000,
	INFRA_SUSPECT_MS = 2 * 60 * 1000, /* of quirks that only loss speaks for */
	INFRA_LAME_TTL_MS = 60 * 1000,
	INFRA_SMALL_WINS = 3, /* a packet is lost by chance, not three in a row: INFRA_NO_CASE */
};

enum infra_quirk {
	INFRA_NO_EDNS = 1,	   /* answers FORMERR or NOTIMP to OPT over TCP */
	INFRA_NO_CASE = 2,	   /* does not keep the question's letter case */
	INFRA_KEEPS_CASE = 4,	   /* was seen to keep it */
	INFRA_TCP_ONLY = 8,	   /* UDP answers were suspicious or never came while TCP works */
	INFRA_COOKIE = 16,	   /* a server cookie is known */
	INFRA_SOME_COOKIES = 32,   /* ... but not all replies have one */
	INFRA_NO_OPTIONS = 64,	   /* FORMERR to OPT with options, or silence: resolve/form.h */
	INFRA_NO_EDNS_UDP = 128,   /* the same to OPT, over UDP */
	INFRA_SMALL_REPLIES = 256, /* large ones over UDP are lost */
	INFRA_NO_DS = 512,	   /* silent to questions for DS: resolve/no_ds.h */
};

struct infra_server { /* a copy, for deciding */
	bool known;
	uint32_t srtt_us, rttvar_us; /* RFC 6298 smoothing */
	uint32_t high_us;	     /* running estimate of a high percentile (about 95 %) */
	uint16_t loss_permille;	     /* smoothed */
	uint8_t losses_in_row;
	uint16_t quirks;
	int64_t backoff_until_ms; /* cache_ms; in the past: usable */
	uint32_t tcp_us;	  /* what an exchange over TCP takes, rather too long; 0: unknown */
	int64_t tcp_backoff_until_ms; /* the same for TCP: others first */
	uint8_t server_cookie[32];
	uint8_t server_cookie_len;
};

struct infra;

MUST_USE enum err infra_new(struct infra **out);
void infra_free(struct infra *i);

/* What is known of SERVER (known = false and defaults otherwise; quirks past their time are gone). */
void infra_get(struct infra *i, const struct endpoint *server, struct now now,
	       struct infra_server *out);
/* Retransmission time-out in milliseconds from a copy: srtt + 4 rttvar, within the bounds. */
uint32_t infra_rto_ms(const struct infra_server *s);
/* When to hedge, in milliseconds: after the high percentile, never above the RTO. */
uint32_t infra_hedge_ms(const struct infra_server *s);

/* A reply came after RTT_US: ends any back-off. */
void infra_reply(struct infra *i, const struct endpoint *server, uint32_t rtt_us, struct now now);
/* A UDP query got no reply in time; doubles the back-off once INFRA_LOSSES_DOWN is reached. */
void infra_loss(struct infra *i, const struct endpoint *server, struct now now);
/* What an exchange over TCP is given, connection and all, before another server is asked. */
uint32_t infra_tcp_patience_ms(const struct infra_server *s);
/* When to hedge it. */
uint32_t infra_tcp_hedge_ms(const struct infra_server *s);
/* One begins. If TCP led nowhere lately, it is the one that finds out whether it does still, and others
 * keep away meanwhile. */
void infra_tcp_try(struct infra *i, const struct endpoint *server, struct now now);
/* A reply came over TCP after RTT_US: ends its back-off. */
void infra_tcp_reply(struct infra *i, const struct endpoint *server, uint32_t rtt_us,
		     struct now now);
/* None did, or there was no connection: begins a back-off, or doubles it. */
void infra_tcp_loss(struct infra *i, const struct endpoint *server, struct now now);
/* Set or clear a quirk. */
void infra_set_quirk(struct infra *i, const struct endpoint *server, enum infra_quirk quirk,
		     bool on, struct now now);
/* Set a quirk for INFRA_SUSPECT_MS, if it is not set; if that comes soon after the last time has ended, for
 * as long as others. */
void infra_suspect(struct infra *i, const struct endpoint *server, enum infra_quirk quirk,
		   struct now now);
/* It was silent for a question in mixed letters, and answered it in small ones. True: so it was
 * INFRA_SMALL_WINS times without having answered mixed ones. */
bool infra_small_win(struct infra *i, const struct endpoint *server, struct now now);
/* It has answered mixed ones, by whatever. */
void infra_small_ends(struct infra *i, const struct endpoint *server, struct now now);
/* Remember the server cookie. */
void infra_set_cookie(struct infra *i, const struct endpoint *server, struct span server_cookie,
		      struct now now);
/* SERVER does not serve ZONE (lame, REFUSED): kept for INFRA_LAME_TTL_MS; at most 8 zones each. */
void infra_set_lame(struct infra *i, const struct endpoint *server, const uint8_t *zone,
		    struct now now);
bool infra_is_lame(struct infra *i, const struct endpoint *server, const uint8_t *zone,
		   struct now now);
/* What is known of the address families as such. */
struct families *infra_families(struct infra *i);
/* Routes changed: forget back-offs and what was thought of families, keep round-trip times. */
void infra_network_changed(struct infra *i);
/*
 * For the next start: round-trip times and those quirks that a server has itself shown, of the most
 * recently used servers as far as OUT has room. Losses, back-offs, lameness and the need for TCP are
 * left out: what is learned in an outage ends with the process.
 */
void infra_write(struct infra *i, struct now now, struct writer *out);
/* Take in what infra_write() wrote, for servers that are not known yet; what does not parse ends it.
 * Quirks keep their time, counted by the wall clock. */
void infra_read(struct infra *i, struct span saved, struct now now);
/* Walk all servers until FN returns false: for `upstreams`. FN runs under a shard's lock and must not
 * call into this part; quirks and losses are as of the server's last use. */
void infra_walk(struct infra *i,
		bool (*fn)(void *context, const struct endpoint *server,
			   const struct infra_server *s),
		void *context);
