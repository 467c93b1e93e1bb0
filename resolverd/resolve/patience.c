#include "resolve/patience.h"

#include "resolve/servers.h"

enum {
	/* Connect and answer, as it has retransmissions of its own: replies over TCP are welcome so long. */
	PATIENCE_TCP_MS = 3000,
	PATIENCE_STUBBORN_MS = 700, /* less than between two pushes of a refresh */
	/* Where packets are counted a repetition costs more than waiting; a second try must fit. */
	PATIENCE_RTO_COUNTED_MS = 600,
	PATIENCE_RTO_MAX_MS = 800, /* clients wait 1.8 s: two tries must fit */
	PATIENCE_LATE_MS =
		6500, /* replies this late are still welcome: the provider takes up to 6 s */
};

/* A refresh does not wait for TCP alone; and where TCP leads nowhere, as it does behind many a firewall, a
 * client has time for others, as with UDP. */
static void set_tcp_timers(struct query *q, struct send *s, const struct infra_server *known)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	uint32_t patience_ms = MIN(infra_tcp_patience_ms(known), (uint32_t)PATIENCE_RTO_MAX_MS);
	if (s->stubborn)
		patience_ms = PATIENCE_STUBBORN_MS;
	else if (servers_are_counted(q))
		patience_ms = PATIENCE_RTO_MAX_MS;
	s->deadline_ms = now_ms + patience_ms;
	uint32_t hedge_ms = infra_tcp_hedge_ms(known);
	if (hedge_ms < patience_ms && q->open_count == 1 && q->zone.server_count > 1)
		s->hedge_ms = now_ms + hedge_ms;
	infra_tcp_try(q->resolver->infra, &q->zone.servers[s->server].address, q->resolver->now);
}

void patience_set(struct query *q, struct send *s, const struct infra_server *known)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	struct server *server = &q->zone.servers[s->server];
	if (s->transport == TRANSPORT_TCP) {
		set_tcp_timers(q, s, known);
		return;
	}
	uint64_t rto = (uint64_t)infra_rto_ms(known) << MIN(server->losses, 4);
	if (servers_are_counted(q))
		rto = MAX(rto, (uint64_t)PATIENCE_RTO_COUNTED_MS);
	s->deadline_ms = now_ms + MIN(rto, (uint64_t)PATIENCE_RTO_MAX_MS);
	if (known->known && q->open_count == 1 && q->zone.server_count > 1)
		s->hedge_ms = now_ms + infra_hedge_ms(known);
}

uint64_t patience_late_end_ms(const struct send *s)
{
	return s->sent_us / 1000 +
	       (s->transport == TRANSPORT_TCP ? PATIENCE_TCP_MS : PATIENCE_LATE_MS);
}
