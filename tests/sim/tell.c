/*
 * The beginning of the story of a run: which zones there are, who serves them, and how well.
 */
#include <stdio.h>

#include "sim/oracle.h"
#include "sim/sim.h"

static void tell_quirks(struct sim *s, const struct quirks *q)
{
	static const char *const edns[] = {"",
					   " edns-formerr",
					   " edns-notimp",
					   " edns-ignored",
					   " edns-dropped",
					   " edns-options"};
	static const char *const mixed[] = {"", " mixed-refused", " mixed-servfail",
					    " mixed-silent"};
	static const char *const tcp[] = {"", " tcp-refused", " tcp-silent", " tcp-closes"};
	static const char *const lame[] = {
		[LAME_NOT] = "",
		[LAME_REFUSED] = " lame-refused",
		[LAME_UPWARD] = " lame-upward",
		[LAME_NOTIMP] = " lame-notimp",
		[LAME_SERVFAIL] = " lame-servfail",
		[LAME_EMPTY] = " lame-empty",
		[LAME_HEARSAY] = " lame-hearsay",
		[LAME_BARE] = " lame-bare",
		[LAME_DENIES] = " lame-denies",
	};
	static_assert(ARRAY_LEN(lame) == LAME_DENIES + 1, "a word per mode");
	static_assert(ARRAY_LEN(edns) == EDNS_MODE_OPTIONS + 1, "a word per mode");
	sim_tell(s,
		 "      %u+%u us, loss %u%% slow %u%% servfail %u%% nuisance %u%% of "
		 "%02x%s%s%s%s%s%s%s%s%s",
		 q->delay_us, q->spread_us, q->loss_percent, q->slow_percent, q->servfail_percent,
		 q->nuisance_percent, q->nuisances, edns[q->edns], tcp[q->tcp], lame[q->lame],
		 q->dead ? " dead" : "", q->lowercase ? " lowercase" : "",
		 q->truncates ? " truncates" : "", q->liar ? " liar" : "",
		 q->spoofed ? " spoofed" : "", q->mute ? " mute" : "");
	sim_tell(s, "      cookies %u%%, trailing %u, large %u%s%s%s", q->cookie_percent,
		 q->trailing, q->udp_max, mixed[q->mixed], q->error_opt ? " error-opt" : "",
		 q->error_bare ? " error-bare" : "");
}

static void tell_zone(struct sim *s, const struct zone *z)
{
	char name[DNAME_TEXT_MAX], address[ENDPOINT_TEXT_SIZE], list[200];
	sim_tell(s, "  zone %s%s%s", dname_text(z->apex, name), z->tainted ? " tainted" : "",
		 z->unreachable ? " unreachable" : "");
	if (z->security)
		sim_tell(s, "    signed by %u%s%s flaw %d%s%s", z->security->zsk->algorithm,
			 z->security->nsec3 ? " nsec3" : "", z->security->opt_out ? " opt-out" : "",
			 (int)z->security->flaw, z->security->has_ds ? "" : " without DS",
			 z->security->is_unsupported ? " unsupported" : "");
	for (unsigned i = 0; i < z->host_count; i++) {
		const struct host *h = z->hosts[i];
		size_t len = 0;
		for (unsigned a = 0; a < h->address_count; a++)
			len += (size_t)snprintf(list + len, sizeof(list) - len, " %s",
						endpoint_text(&h->addresses[a], address));
		sim_tell(s, "    %s%s", dname_text(h->name, name), list);
		tell_quirks(s, &h->quirks);
	}
}

void tell_world(struct sim *s)
{
	static const char *const moods[] = {"healthy", "rough", "hostile"};
	if (!s->verbose)
		return;
	sim_tell(s, "seed %llu, %s, %s, minimization %d, prime %d, ipv6 %d, dnssec %d, cache %zu",
		 (unsigned long long)s->seed, s->profile->name, moods[s->world.mood],
		 (int)s->settings.minimization, s->settings.prime, s->has_ipv6, s->settings.dnssec,
		 s->memory_bytes);
	for (unsigned i = 0; i < s->world.zone_count; i++)
		tell_zone(s, s->world.zones[i]);
	liar_tell(s);
}

void tell_truth(struct sim *s, const struct stub *c)
{
	static const char *const verdicts[] = {"secure", "insecure", "bogus"};
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	struct oracle o;
	if (!s->verbose)
		return;
	oracle_ask(&s->world, c->qname, c->qtype, &o);
	sim_tell(s, "the truth: rcode %u, %s%s%s, ends in %s", o.rcode, verdicts[o.verdict],
		 o.tainted ? ", tainted" : "", o.dangling ? ", dangling" : "",
		 dname_text(o.last->apex, name));
	for (unsigned i = 0; i < o.set_count; i++)
		sim_tell(s, "  %s %u %s, %u records", dname_text(o.sets[i].owner, name),
			 o.sets[i].ttl_s, type_text(o.sets[i].type, type),
			 o.sets[i].set ? o.sets[i].set->rr_count : 1);
}
