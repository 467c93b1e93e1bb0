#include "machine/allowances.h"

#include "base/log.h"

/* One line for what has been dropped since the last one. */
static void tell(struct allowance_link *link, enum allowance which, struct now now)
{
	uint64_t untold = link->dropped[which] - link->notes[which].told;
	uint64_t told_us = link->notes[which].told_us;

	if (untold == 0 || (told_us && now.mono_us < told_us + ALLOWANCES_TELL_MS * 1000ULL))
		return;
	log_warning("network allowance exceeded interface=%s kind=%s packets=%llu", link->name,
		    allowance_name(which), (unsigned long long)untold);
	link->notes[which].told = link->dropped[which];
	link->notes[which].told_us = now.mono_us;
}

/* What others see of LINK. */
static struct allowances_link note(struct allowance_link *link, struct now now)
{
	struct allowances_link out = {0};

	memcpy(out.name, link->name, sizeof(out.name));
	for (size_t k = 0; k < ALLOWANCE_COUNT; k++) {
		if (link->risen[k] > 0)
			link->notes[k].risen_us = now.mono_us;
		tell(link, (enum allowance)k, now);
		uint64_t risen_us = link->notes[k].risen_us;
		out.dropped[k] = link->dropped[k];
		out.recent[k] = risen_us && now.mono_us < risen_us + ALLOWANCES_TELL_MS * 1000ULL;
	}
	return out;
}

static void follow(struct allowances *a)
{
	struct allowance_reader *r = &a->reader;
	bool any = false;

	for (size_t i = 0; i < r->link_count; i++)
		any |= r->links[i].risen[ALLOWANCE_linklocal] > 0;
	if (r->link_count > 0)
		throttle_note_drops(a->throttle, any);
}

static void handle_timer(void *context)
{
	struct allowances *a = context;
	struct allowance_reader *r = &a->reader;

	if (a->periods++ % ALLOWANCES_SCAN_PERIODS == 0)
		allowance_scan(r);
	allowance_read(r);
	follow(a);
	REQUIRE(pthread_mutex_lock(&a->lock) == 0);
	for (size_t i = 0; i < r->link_count; i++)
		a->view.links[i] = note(&r->links[i], a->loop->now);
	a->view.link_count = r->link_count;
	a->view.rate_percent = throttle_share(a->throttle) * 100 / THROTTLE_WHOLE;
	memcpy(a->view.gone, r->gone, sizeof(a->view.gone));
	REQUIRE(pthread_mutex_unlock(&a->lock) == 0);
	loop_timer_set(a->loop, &a->timer, a->loop->now.mono_us + ALLOWANCES_PERIOD_MS * 1000ULL);
}

void allowances_open(struct allowances *a, struct loop *loop, struct throttle *throttle)
{
	*a = (struct allowances){.loop = loop, .throttle = throttle};
	a->timer = (struct loop_timer){.fn = handle_timer, .context = a};
	REQUIRE(pthread_mutex_init(&a->lock, NULL) == 0);
	enum err err = allowance_open(&a->reader);
	a->open = err == OK;
	if (a->open)
		handle_timer(a);
	else
		log_warning("drops of network cards are not read reason=\"%s\"", err_text(err));
}

void allowances_close(struct allowances *a)
{
	if (!a->loop)
		return;
	loop_timer_clear(a->loop, &a->timer);
	if (a->open)
		allowance_close(&a->reader);
	REQUIRE(pthread_mutex_destroy(&a->lock) == 0);
	a->loop = NULL;
}

void allowances_read(struct allowances *a, struct allowances_view *out)
{
	REQUIRE(pthread_mutex_lock(&a->lock) == 0);
	*out = a->view;
	REQUIRE(pthread_mutex_unlock(&a->lock) == 0);
}
