#include "machine/node_local.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "net/link.h"
#include "net/listeners.h"
#include "net/socket.h"

static const char *address_text(const struct endpoint *e, char out[static ENDPOINT_TEXT_SIZE])
{
	char *end = strrchr(endpoint_text(e, out), ':');

	*end = '\0'; /* the port */
	return out;
}

/* What is to be done about errno. */
static const char *advice(void)
{
	return errno == EPERM ? ": give CAP_NET_ADMIN (systemd: node-local.conf as a drop-in; "
				"Kubernetes: capabilities: {add: [NET_ADMIN]})"
			      : "";
}

/* ---- making ---- */

/* Our interface, made if need be. */
static enum err have_link(struct node_local *l, struct link *link)
{
	const char *name = l->wanted.interface;
	enum err err = link_find(&l->route, name, link);

	if (err != ERR_NOT_FOUND)
		return err;
	err = link_make(&l->route, name);
	/* Another instance may have been faster. */
	if (err == OK)
		log_notice("node-local interface made interface=%s", name);
	else if (err != ERR_SYSTEM || errno != EEXIST)
		return err;
	return link_find(&l->route, name, link);
}

static enum err have_address(struct node_local *l, size_t i)
{
	const struct endpoint *e = &l->wanted.addresses[i];
	char text[ENDPOINT_TEXT_SIZE];
	struct link link;

	if (socket_is_here(e))
		return OK; /* wherever it is */
	enum err err = have_link(l, &link);
	if (err == OK)
		err = link_add_address(&l->route, link.index, e);
	if (err == ERR_SYSTEM && errno == EEXIST)
		return OK;
	if (err != OK)
		return err;
	l->made |= 1U << i;
	log_notice("node-local address made address=%s interface=%s", address_text(e, text),
		   l->wanted.interface);
	return OK;
}

/* All of them; false if one is missing, which is told. */
static bool have_all(struct node_local *l)
{
	const struct config_node_local *w = &l->wanted;
	char text[ENDPOINT_TEXT_SIZE];
	bool complete = true;

	for (size_t i = 0; i < w->count; i++) {
		enum err err = have_address(l, i);
		if (err == OK)
			continue;
		complete = false;
		if (!l->told)
			log_error("node-local address cannot be made address=%s interface=%s "
				  "reason=\"%s%s\"",
				  address_text(&w->addresses[i], text), w->interface,
				  err == ERR_SYSTEM ? strerrordesc_np(errno) : err_text(err),
				  err == ERR_SYSTEM ? advice() : "");
	}
	l->told = !complete;
	return complete;
}

bool node_local_open(struct node_local *l, const struct config_node_local *wanted)
{
	*l = (struct node_local){.wanted = *wanted,
				 .route = {.protocol = NETLINK_ROUTE},
				 .diagnosis = {.protocol = NETLINK_SOCK_DIAG}};
	return have_all(l);
}

bool node_local_look(struct node_local *l)
{
	return have_all(l);
}

/* ---- removing ---- */

/* Does another instance serve address I? If that is not known, so that it stays. */
static bool is_served(struct node_local *l, size_t i)
{
	bool found;

	return listeners_look(&l->diagnosis, &l->wanted.addresses[i], &found) != OK || found;
}

/* False: it stays. That another instance was faster is fine. */
static bool remove_address(struct node_local *l, const struct link *link, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_SIZE];

	if (link_remove_address(&l->route, link->index, e) == OK)
		log_notice("node-local address removed address=%s interface=%s",
			   address_text(e, text), l->wanted.interface);
	else if (errno != EADDRNOTAVAIL && errno != ENODEV)
		return false;
	return true;
}

/* Of what is ON the LINK, the addresses that nobody needs. */
static void remove_addresses(struct node_local *l, const struct link *link,
			     const struct link_addresses *on)
{
	uint32_t ours = link->ours ? on->there : (on->ours | l->made) & on->there;
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; i < l->wanted.count; i++) {
		const struct endpoint *e = &l->wanted.addresses[i];
		bool is_ours = ours >> i & 1;
		if (!(on->there >> i & 1) ||
		    (is_ours && !is_served(l, i) && remove_address(l, link, e)))
			continue;
		log_notice("node-local address left address=%s interface=%s", address_text(e, text),
			   l->wanted.interface);
	}
}

/* LINK is ours and nothing is on it (any more): another instance may have removed the rest. */
static bool is_bare(struct node_local *l, const struct link *link)
{
	struct link_addresses on = {.wanted = l->wanted.addresses, .count = l->wanted.count};

	return link->ours && link_look(&l->route, link->index, &on) == OK && on.there == 0 &&
	       on.others == 0;
}

void node_local_close(struct node_local *l)
{
	const struct config_node_local *w = &l->wanted;
	struct link_addresses on = {.wanted = w->addresses, .count = w->count};
	struct link link;

	if (w->count == 0)
		return;
	if (link_find(&l->route, w->interface, &link) == OK &&
	    link_look(&l->route, link.index, &on) == OK) {
		remove_addresses(l, &link, &on);
		if (is_bare(l, &link) && link_remove(&l->route, link.index) == OK)
			log_notice("node-local interface removed interface=%s", w->interface);
	}
	l->wanted.count = 0;
}
