#include "cache/infra.h"

#include <pthread.h>
#include <stdlib.h>

#include "cache/families.h"
#include "dns/dname.h"

enum {
	SHARDS = 64,
	SHARD_SERVERS_MAX = INFRA_SERVERS_MAX / SHARDS,
	BUCKETS_MIN = 16, /* and a power of two */
	SHARD_SHIFT = 48, /* the shard is chosen by bits the buckets do not use */
	LAME_MAX = 8,
	QUIRKS = 10,

	/* Unknown servers: INFRA_RTT_UNKNOWN_US + 4 x this is INFRA_RTO_UNKNOWN_MS. */
	RTTVAR_UNKNOWN_US = (INFRA_RTO_UNKNOWN_MS * 1000 - INFRA_RTT_UNKNOWN_US) / 4,
	RTT_MAX_US = 60 * 1000 * 1000, /* whatever took longer is not this query's reply */

	/* A loss counts half as much with each of these; a row of them is broken by the other. */
	LOSS_HALF_LIFE_MS = 10 * 1000,
	LOSS_ROW_MS = 30 * 1000,
	LOSS_GAIN = 8,

	SAVED_VERSION = 1,
	SAVED_HEAD = 1 + 4,
	SAVED_BITS = 8,
	SAVED_MAX = 1 + 2 + 16 + 3 * 4 + 1 + SAVED_BITS * 2,
	/* Shown by the server, in exchanges that cannot be forged. */
	SAVED_QUIRKS = INFRA_NO_EDNS | INFRA_NO_CASE | INFRA_KEEPS_CASE,
};
static_assert(1 << (QUIRKS - 1) == INFRA_NO_DS, "an expiry per quirk");
static_assert(SAVED_QUIRKS < 1 << SAVED_BITS, "they are written as a byte");
static_assert(INFRA_KEEPS_CASE_MS / 1000 <= UINT16_MAX, "and what is left of each as two");

struct lame {
	uint64_t zone; /* keyed hash of its name */
	int64_t until_ms;
};

struct server { /* shard lock */
	struct server *chain, *newer, *older;
	struct endpoint address;
	uint32_t srtt_us, rttvar_us, high_us; /* srtt_us 0: no reply measured yet */
	uint32_t tcp_us;		      /* 0: no exchange over TCP measured yet */
	uint16_t loss_permille, backoff_ms, tcp_backoff_ms, quirks;
	uint8_t losses_in_row;
	uint8_t small_wins;
	uint8_t cookie_len;
	uint8_t cookie[32];
	uint32_t quirk_until_s[QUIRKS];
	int64_t lost_ms;    /* the last loss */
	int64_t decayed_ms; /* loss_permille holds as of then */
	int64_t backoff_until_ms, tcp_backoff_until_ms;
	struct lame *lame; /* LAME_MAX of them, or NULL */
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct server **buckets;
	uint32_t bucket_count, server_count;
	struct server *newest, *oldest;
};

struct infra {
	struct hash_key key;
	struct families families;
	struct shard shards[SHARDS];
};

enum err infra_new(struct infra **out)
{
	struct infra *i = aligned_alloc(_Alignof(struct infra), sizeof(*i));
	if (!i)
		return ERR_NO_MEMORY;
	memset(i, 0, sizeof(*i));
	hash_key_init(&i->key);
	families_init(&i->families);
	for (size_t k = 0; k < SHARDS; k++)
		REQUIRE(pthread_mutex_init(&i->shards[k].lock, NULL) == 0);
	*out = i;
	return OK;
}

static void server_free(struct server *s)
{
	free(s->lame);
	free(s);
}

void infra_free(struct infra *i)
{
	if (!i)
		return;
	for (size_t k = 0; k < SHARDS; k++) {
		struct shard *shard = &i->shards[k];
		struct server *s;
		while ((s = shard->newest) != NULL) {
			shard->newest = s->older;
			server_free(s);
		}
		free(shard->buckets);
		pthread_mutex_destroy(&shard->lock);
	}
	families_deinit(&i->families);
	free(i);
}

/* ---- one shard, under its lock ---- */

static void queue_unlink(struct shard *shard, struct server *s)
{
	*(s->newer ? &s->newer->older : &shard->newest) = s->older;
	*(s->older ? &s->older->newer : &shard->oldest) = s->newer;
}

static void queue_push(struct shard *shard, struct server *s)
{
	s->newer = NULL;
	s->older = shard->newest;
	*(shard->newest ? &shard->newest->newer : &shard->oldest) = s;
	shard->newest = s;
}

static struct server **bucket_at(const struct shard *shard, uint64_t hash)
{
	return &shard->buckets[hash & (shard->bucket_count - 1)];
}

static uint64_t address_hash(const struct infra *i, const struct endpoint *address)
{
	return hash_bytes(&i->key, span_of(address, sizeof(*address)));
}

static void forget_oldest(const struct infra *i, struct shard *shard)
{
	struct server *s = shard->oldest;
	struct server **link = bucket_at(shard, address_hash(i, &s->address));
	while (*link != s)
		link = &(*link)->chain;
	*link = s->chain;
	queue_unlink(shard, s);
	shard->server_count--;
	server_free(s);
}

/* Twice as many buckets. Without memory the chains get longer, that is all. */
static void grow_buckets(const struct infra *i, struct shard *shard)
{
	uint32_t count = shard->bucket_count ? 2 * shard->bucket_count : BUCKETS_MIN;
	struct server **buckets = calloc(count, sizeof(struct server *));
	if (!buckets)
		return;
	free(shard->buckets);
	shard->buckets = buckets;
	shard->bucket_count = count;
	for (struct server *s = shard->newest; s; s = s->older) {
		struct server **head = bucket_at(shard, address_hash(i, &s->address));
		s->chain = *head;
		*head = s;
	}
}

/* ADDRESS in the one form that is hashed: no padding, no scope where there is none. */
static struct endpoint normal(const struct endpoint *address)
{
	struct endpoint out = {.family = address->family, .port = address->port};
	memcpy(out.addr, address->addr, address->family == 4 ? 4 : sizeof(out.addr));
	if (address->family == 6)
		out.scope_id = address->scope_id;
	return out;
}

/* The server's record, now the most recently used one, or NULL. */
static struct server *find(struct shard *shard, uint64_t hash, const struct endpoint *address)
{
	if (shard->bucket_count == 0)
		return NULL;
	struct server *s = *bucket_at(shard, hash);
	while (s && memcmp(&s->address, address, sizeof(*address)) != 0)
		s = s->chain;
	if (s) {
		queue_unlink(shard, s);
		queue_push(shard, s);
	}
	return s;
}

static struct server *find_or_add(const struct infra *i, struct shard *shard, uint64_t hash,
				  const struct endpoint *address)
{
	struct server *s = find(shard, hash, address);
	if (s)
		return s;
	if (shard->server_count == SHARD_SERVERS_MAX)
		forget_oldest(i, shard);
	if (shard->server_count >= shard->bucket_count)
		grow_buckets(i, shard);
	s = shard->bucket_count > 0 ? calloc(1, sizeof(*s)) : NULL;
	if (!s)
		return NULL;
	s->address = *address;
	struct server **head = bucket_at(shard, hash);
	s->chain = *head;
	*head = s;
	queue_push(shard, s);
	shard->server_count++;
	return s;
}

/* ---- what is learned ---- */

static void decay(struct server *s, struct now now)
{
	if (now.cache_ms - s->decayed_ms >= LOSS_HALF_LIFE_MS) {
		int64_t halvings = (now.cache_ms - s->decayed_ms) / LOSS_HALF_LIFE_MS;
		s->loss_permille = (uint16_t)(s->loss_permille >> MIN(halvings, 15));
		s->decayed_ms += halvings * LOSS_HALF_LIFE_MS;
	}
	if (now.cache_ms - s->lost_ms > LOSS_ROW_MS) {
		s->losses_in_row = 0;
		s->backoff_ms = 0;
	}
	for (size_t k = 0; k < QUIRKS; k++) {
		if (now.cache_ms / 1000 >= s->quirk_until_s[k])
			s->quirks &= (uint16_t) ~(1U << k);
	}
}

/* RFC 6298 §2: alpha 1/8, beta 1/4. */
static void smooth_rtt(struct server *s, uint32_t rtt_us)
{
	if (s->srtt_us == 0) {
		s->srtt_us = rtt_us;
		s->rttvar_us = rtt_us / 2;
		s->high_us = 2 * rtt_us;
		return;
	}
	uint32_t off = rtt_us > s->srtt_us ? rtt_us - s->srtt_us : s->srtt_us - rtt_us;
	s->rttvar_us = (3 * s->rttvar_us + off) / 4;
	s->srtt_us = MAX((7 * s->srtt_us + rtt_us) / 8, 1);
}

/* A running 95th percentile: 19 steps up when exceeded, one down otherwise, so that it stands still
 * where one in twenty exceeds it. A step is a 64th of the present value. */
static void step_high(struct server *s, uint32_t rtt_us)
{
	uint32_t step = MAX(s->high_us / 64, 1);
	if (rtt_us > s->high_us)
		s->high_us += MIN(19 * step, rtt_us - s->high_us);
	else
		s->high_us -= MIN(step, s->high_us);
	s->high_us = MAX(s->high_us, s->srtt_us);
}

static void learn_reply(struct server *s, uint32_t rtt_us)
{
	rtt_us = MAX(MIN(rtt_us, RTT_MAX_US), 1);
	smooth_rtt(s, rtt_us);
	step_high(s, rtt_us);
	s->loss_permille =
		(uint16_t)(s->loss_permille - (s->loss_permille + LOSS_GAIN - 1) / LOSS_GAIN);
	s->losses_in_row = 0;
	s->backoff_ms = 0;
	s->backoff_until_ms = 0;
}

static void learn_loss(struct server *s, struct now now)
{
	s->loss_permille = (uint16_t)(s->loss_permille + (1000 - s->loss_permille) / LOSS_GAIN);
	s->lost_ms = now.cache_ms;
	if (s->losses_in_row < UINT8_MAX)
		s->losses_in_row++;
	/* What was under way when the back-off began says nothing new. */
	if (s->losses_in_row < INFRA_LOSSES_DOWN || now.cache_ms < s->backoff_until_ms)
		return;
	uint32_t doubled = s->backoff_ms ? 2U * s->backoff_ms : INFRA_BACKOFF_MIN_MS;
	s->backoff_ms = (uint16_t)MIN(doubled, INFRA_BACKOFF_MAX_MS);
	s->backoff_until_ms = now.cache_ms + s->backoff_ms;
}

static void set_quirk_for(struct server *s, unsigned quirk, int64_t ms, struct now now)
{
	s->quirks |= (uint16_t)quirk;
	s->quirk_until_s[__builtin_ctz(quirk)] = (uint32_t)((now.cache_ms + ms) / 1000);
}

static int64_t quirk_ttl_ms(unsigned quirk)
{
	return quirk == INFRA_KEEPS_CASE ? INFRA_KEEPS_CASE_MS : INFRA_QUIRK_TTL_MS;
}

static void set_quirk(struct server *s, unsigned quirk, struct now now)
{
	set_quirk_for(s, quirk, quirk_ttl_ms(quirk), now);
}

static void copy_out(const struct server *s, struct infra_server *out)
{
	*out = (struct infra_server){
		.known = true,
		.srtt_us = s->srtt_us ? s->srtt_us : INFRA_RTT_UNKNOWN_US,
		.rttvar_us = s->srtt_us ? s->rttvar_us : RTTVAR_UNKNOWN_US,
		.high_us = s->srtt_us ? s->high_us : 2 * INFRA_RTT_UNKNOWN_US,
		.loss_permille = s->loss_permille,
		.losses_in_row = s->losses_in_row,
		.quirks = s->quirks,
		.backoff_until_ms = s->backoff_until_ms,
		.tcp_us = s->tcp_us,
		.tcp_backoff_until_ms = s->tcp_backoff_until_ms,
	};
	if (s->quirks & INFRA_COOKIE) {
		memcpy(out->server_cookie, s->cookie, s->cookie_len);
		out->server_cookie_len = s->cookie_len;
	}
}

/* ---- public ---- */

struct access { /* a locked shard and the server in it */
	struct shard *shard;
	struct server *server; /* NULL: unknown, or no memory */
};

static struct access enter(struct infra *i, const struct endpoint *address, bool add,
			   struct now now)
{
	struct endpoint key = normal(address);
	uint64_t hash = address_hash(i, &key);
	struct access a = {.shard = &i->shards[(hash >> SHARD_SHIFT) % SHARDS]};
	pthread_mutex_lock(&a.shard->lock);
	a.server = add ? find_or_add(i, a.shard, hash, &key) : find(a.shard, hash, &key);
	if (a.server)
		decay(a.server, now);
	return a;
}

static void leave(struct access a)
{
	pthread_mutex_unlock(&a.shard->lock);
}

void infra_get(struct infra *i, const struct endpoint *server, struct now now,
	       struct infra_server *out)
{
	static const struct server unknown;
	struct access a = enter(i, server, false, now);
	copy_out(a.server ? a.server : &unknown, out);
	out->known = a.server != NULL;
	leave(a);
}

uint32_t infra_rto_ms(const struct infra_server *s)
{
	uint64_t rto_us = (uint64_t)s->srtt_us + 4 * (uint64_t)s->rttvar_us;
	uint64_t rto_ms = (rto_us + 999) / 1000;
	return (uint32_t)MAX(INFRA_RTO_MIN_MS, MIN(rto_ms, INFRA_RTO_MAX_MS));
}

uint32_t infra_hedge_ms(const struct infra_server *s)
{
	uint64_t high_ms = ((uint64_t)s->high_us + 999) / 1000;
	return (uint32_t)MIN(MAX(high_ms, 1), infra_rto_ms(s));
}

void infra_reply(struct infra *i, const struct endpoint *server, uint32_t rtt_us, struct now now)
{
	struct access a = enter(i, server, true, now);
	if (a.server)
		learn_reply(a.server, rtt_us);
	leave(a);
}

void infra_loss(struct infra *i, const struct endpoint *server, struct now now)
{
	struct access a = enter(i, server, true, now);
	if (a.server)
		learn_loss(a.server, now);
	leave(a);
}

/* Two round trips and then some, where nothing has been measured. */
static uint32_t tcp_expected_ms(const struct infra_server *s)
{
	return s->tcp_us > 0 ? s->tcp_us / 1000 : 3 * infra_rto_ms(s);
}

uint32_t infra_tcp_patience_ms(const struct infra_server *s)
{
	return MAX((uint32_t)INFRA_TCP_PATIENCE_MIN_MS, 2 * tcp_expected_ms(s));
}

uint32_t infra_tcp_hedge_ms(const struct infra_server *s)
{
	return MAX((uint32_t)INFRA_TCP_PATIENCE_MIN_MS / 2, tcp_expected_ms(s) * 5 / 4);
}

void infra_tcp_try(struct infra *i, const struct endpoint *server, struct now now)
{
	struct access a = enter(i, server, false, now);
	if (a.server && a.server->tcp_backoff_ms > 0)
		a.server->tcp_backoff_until_ms =
			MAX(a.server->tcp_backoff_until_ms, now.cache_ms + INFRA_BACKOFF_MIN_MS);
	leave(a);
}

/* The slowest lately: some exchanges find a connection that is made already. */
static void learn_tcp(struct server *s, uint32_t rtt_us)
{
	rtt_us = MAX(MIN(rtt_us, RTT_MAX_US), 1);
	s->tcp_us = MAX(rtt_us, s->tcp_us - s->tcp_us / 8);
	s->tcp_backoff_ms = 0;
	s->tcp_backoff_until_ms = 0;
}

static void learn_tcp_loss(struct server *s, struct now now)
{
	uint32_t doubled = s->tcp_backoff_ms ? 2U * s->tcp_backoff_ms : INFRA_BACKOFF_MIN_MS;
	s->tcp_backoff_ms = (uint16_t)MIN(doubled, INFRA_TCP_BACKOFF_MAX_MS);
	s->tcp_backoff_until_ms = now.cache_ms + s->tcp_backoff_ms;
}

void infra_tcp_reply(struct infra *i, const struct endpoint *server, uint32_t rtt_us,
		     struct now now)
{
	struct access a = enter(i, server, true, now);
	if (a.server)
		learn_tcp(a.server, rtt_us);
	leave(a);
}

void infra_tcp_loss(struct infra *i, const struct endpoint *server, struct now now)
{
	struct access a = enter(i, server, true, now);
	if (a.server)
		learn_tcp_loss(a.server, now);
	leave(a);
}

void infra_set_quirk(struct infra *i, const struct endpoint *server, enum infra_quirk quirk,
		     bool on, struct now now)
{
	struct access a = enter(i, server, on, now);
	if (a.server && on) {
		if (quirk == INFRA_NO_CASE && a.server->lame) /* said of what it did not know */
			memset(a.server->lame, 0, LAME_MAX * sizeof(struct lame));
		if (quirk == INFRA_KEEPS_CASE)
			a.server->small_wins = 0;
		if (quirk == INFRA_NO_CASE || quirk == INFRA_KEEPS_CASE)
			a.server->quirks &= (uint16_t) ~(INFRA_NO_CASE | INFRA_KEEPS_CASE);
		set_quirk(a.server, quirk, now);
	} else if (a.server) {
		a.server->quirks &= (uint16_t)~quirk;
	}
	leave(a);
}

void infra_suspect(struct infra *i, const struct endpoint *server, enum infra_quirk quirk,
		   struct now now)
{
	struct access a = enter(i, server, true, now);
	if (a.server && !(a.server->quirks & quirk)) {
		int64_t until_ms = (int64_t)a.server->quirk_until_s[__builtin_ctz(quirk)] * 1000;
		bool again = until_ms > 0 && now.cache_ms < until_ms + INFRA_SUSPECT_MS;
		set_quirk_for(a.server, quirk, again ? INFRA_QUIRK_TTL_MS : INFRA_SUSPECT_MS, now);
	}
	leave(a);
}

bool infra_small_win(struct infra *i, const struct endpoint *server, struct now now)
{
	struct access a = enter(i, server, true, now);
	bool often = a.server && ++a.server->small_wins >= INFRA_SMALL_WINS;
	if (often)
		a.server->small_wins = 0;
	leave(a);
	return often;
}

void infra_small_ends(struct infra *i, const struct endpoint *server, struct now now)
{
	struct access a = enter(i, server, false, now);
	if (a.server)
		a.server->small_wins = 0;
	leave(a);
}

void infra_set_cookie(struct infra *i, const struct endpoint *server, struct span server_cookie,
		      struct now now)
{
	struct access a = enter(i, server, true, now);
	if (a.server && server_cookie.len > 0 && server_cookie.len <= sizeof(a.server->cookie)) {
		memcpy(a.server->cookie, server_cookie.at, server_cookie.len);
		a.server->cookie_len = (uint8_t)server_cookie.len;
		set_quirk(a.server, INFRA_COOKIE, now);
	}
	leave(a);
}

static uint64_t zone_hash(const struct infra *i, const uint8_t *zone)
{
	uint8_t lower[DNAME_MAX];
	size_t len = dname_lower(zone, lower);
	return hash_bytes(&i->key, span_of(lower, len));
}

void infra_set_lame(struct infra *i, const struct endpoint *server, const uint8_t *zone,
		    struct now now)
{
	uint64_t hash = zone_hash(i, zone);
	struct access a = enter(i, server, true, now);
	if (a.server && !a.server->lame)
		a.server->lame = calloc(LAME_MAX, sizeof(struct lame));
	if (a.server && a.server->lame) {
		/* Its own place, or the one that ends first: free ones ended in 1970. */
		struct lame *lame = a.server->lame, *place = lame;
		for (size_t k = 0; k < LAME_MAX && place->zone != hash; k++) {
			if (lame[k].zone == hash || lame[k].until_ms < place->until_ms)
				place = &lame[k];
		}
		*place = (struct lame){.zone = hash, .until_ms = now.cache_ms + INFRA_LAME_TTL_MS};
	}
	leave(a);
}

bool infra_is_lame(struct infra *i, const struct endpoint *server, const uint8_t *zone,
		   struct now now)
{
	uint64_t hash = zone_hash(i, zone);
	bool is_lame = false;
	struct access a = enter(i, server, false, now);
	for (size_t k = 0; a.server && a.server->lame && k < LAME_MAX; k++) {
		const struct lame *lame = &a.server->lame[k];
		is_lame |= lame->zone == hash && now.cache_ms < lame->until_ms;
	}
	leave(a);
	return is_lame;
}

struct families *infra_families(struct infra *i)
{
	return &i->families;
}

void infra_network_changed(struct infra *i)
{
	families_forget(&i->families);
	for (size_t k = 0; k < SHARDS; k++) {
		struct shard *shard = &i->shards[k];
		pthread_mutex_lock(&shard->lock);
		for (struct server *s = shard->newest; s; s = s->older) {
			s->losses_in_row = 0;
			s->loss_permille = 0;
			s->backoff_ms = 0;
			s->backoff_until_ms = 0;
			s->tcp_backoff_ms = 0;
			s->tcp_backoff_until_ms = 0;
		}
		pthread_mutex_unlock(&shard->lock);
	}
}

void infra_walk(struct infra *i,
		bool (*fn)(void *context, const struct endpoint *server,
			   const struct infra_server *s),
		void *context)
{
	bool more = true;
	for (size_t k = 0; k < SHARDS && more; k++) {
		struct shard *shard = &i->shards[k];
		pthread_mutex_lock(&shard->lock);
		for (const struct server *s = shard->newest; s && more; s = s->older) {
			struct infra_server copy;
			copy_out(s, &copy);
			more = fn(context, &s->address, &copy);
		}
		pthread_mutex_unlock(&shard->lock);
	}
}

/* ---- over a restart ---- */

static void write_server(const struct server *s, struct now now, struct writer *out)
{
	int64_t now_s = now.cache_ms / 1000;
	uint8_t quirks = (uint8_t)(s->quirks & SAVED_QUIRKS);
	if (s->srtt_us == 0 || s->address.scope_id != 0)
		return;
	for (size_t k = 0; k < SAVED_BITS; k++) {
		if (s->quirk_until_s[k] <= now_s)
			quirks &= (uint8_t) ~(1U << k);
	}
	writer_u8(out, s->address.family);
	writer_u16(out, s->address.port);
	writer_bytes(out, span_of(s->address.addr, s->address.family == 4 ? 4 : 16));
	writer_u32(out, s->srtt_us);
	writer_u32(out, s->rttvar_us);
	writer_u32(out, s->high_us);
	writer_u8(out, quirks);
	for (size_t k = 0; k < SAVED_BITS; k++) {
		if (quirks & 1U << k)
			writer_u16(out, (uint16_t)(s->quirk_until_s[k] - now_s));
	}
}
static_assert(INFRA_QUIRK_TTL_MS / 1000 <= UINT16_MAX, "what is left of a quirk's time fits");

void infra_write(struct infra *i, struct now now, struct writer *out)
{
	if (writer_left(out) < SAVED_HEAD)
		return;
	writer_u8(out, SAVED_VERSION);
	writer_u32(out, (uint32_t)now.unix_s);
	for (size_t k = 0; k < SHARDS; k++) {
		struct shard *shard = &i->shards[k];
		size_t reserve = writer_left(out) / (SHARDS - k) * (SHARDS - k - 1);
		pthread_mutex_lock(&shard->lock);
		for (const struct server *s = shard->newest; s; s = s->older) {
			if (writer_left(out) < reserve + SAVED_MAX)
				break;
			write_server(s, now, out);
		}
		pthread_mutex_unlock(&shard->lock);
	}
}

/* One server. False at the end, or where it makes no sense. */
static bool read_server(struct infra *i, struct reader *from, int64_t age_s, struct now now)
{
	uint8_t family = reader_u8(from);
	uint16_t port = reader_u16(from);
	struct span addr = reader_bytes(from, family == 4 ? 4 : 16);
	uint32_t srtt_us = reader_u32(from), rttvar_us = reader_u32(from);
	uint32_t high_us = reader_u32(from);
	uint8_t quirks = reader_u8(from);
	uint16_t left_s[SAVED_BITS] = {0};
	for (size_t k = 0; k < SAVED_BITS; k++) {
		if (quirks & 1U << k)
			left_s[k] = reader_u16(from);
	}
	if (from->failed || (family != 4 && family != 6) || srtt_us == 0 || srtt_us > RTT_MAX_US ||
	    rttvar_us > RTT_MAX_US || high_us > 2 * RTT_MAX_US)
		return false;
	struct endpoint address = endpoint_of(addr, port);
	struct access a = enter(i, &address, true, now);
	if (a.server && a.server->srtt_us == 0) {
		a.server->srtt_us = srtt_us;
		a.server->rttvar_us = rttvar_us;
		a.server->high_us = high_us;
		for (size_t k = 0; k < SAVED_BITS; k++) {
			if (left_s[k] <= age_s || !(SAVED_QUIRKS & 1U << k) ||
			    left_s[k] > quirk_ttl_ms(1U << k) / 1000)
				continue;
			a.server->quirks |= (uint16_t)(1U << k);
			a.server->quirk_until_s[k] =
				(uint32_t)(now.cache_ms / 1000 + left_s[k] - age_s);
		}
	}
	leave(a);
	return true;
}

void infra_read(struct infra *i, struct span saved, struct now now)
{
	struct reader from = reader_of(saved);
	uint8_t version = reader_u8(&from);
	int64_t age_s = now.unix_s - (int64_t)reader_u32(&from);
	if (from.failed || version != SAVED_VERSION)
		return;
	if (age_s < 0)
		age_s = INT32_MAX; /* unknown: the clock was set back */
	while (reader_left(&from) > 0 && read_server(i, &from, age_s, now))
		;
}
