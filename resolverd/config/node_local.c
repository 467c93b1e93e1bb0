#include <string.h>

#include "config/raw.h"

static const char standard_interface[] = "resolverd";

/* What an interface of ours may be called: the kernel's rule, less what only looks like a name. */
static bool is_interface(const char *word)
{
	size_t len = strlen(word);

	if (len == 0 || len >= CONFIG_INTERFACE_SIZE || strcmp(word, ".") == 0 ||
	    strcmp(word, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (word[i] <= ' ' || word[i] >= 0x7f || strchr("/:%\"\\", word[i]))
			return false;
	return true;
}

static bool is_in(const struct endpoint *e, const char *const *prefixes, size_t count)
{
	struct endpoint_prefix p;

	for (size_t i = 0; i < count; i++) {
		REQUIRE(endpoint_prefix_parse(prefixes[i], &p) == OK);
		if (endpoint_prefix_covers(&p, e))
			return true;
	}
	return false;
}

/* Why nobody may make E an address of a node; NULL: fine. */
static const char *objection(const struct endpoint *e)
{
	/* What a cluster gives to services and nodes. Elsewhere an address belongs to somebody. */
	static const char *const own[] = {
		"169.254.0.0/16", "10.0.0.0/8",	   "172.16.0.0/12",
		"192.168.0.0/16", "100.64.0.0/10", "fc00::/7",
	};
	/* Instance metadata, DNS, time and credentials of Amazon: the node would cut itself off. */
	static const char *const provider[] = {
		"169.254.169.0/24",
		"169.254.170.0/24",
		"fd00:ec2::/32",
	};
	static const char *const link_local[] = {"fe80::/10"};

	if (is_in(e, link_local, ARRAY_LEN(link_local)))
		return "an IPv6 link-local address, which pods cannot reach: take a unique local "
		       "one such as fd00::10";
	if (is_in(e, provider, ARRAY_LEN(provider)))
		return "an address of the cloud provider's own services";
	if (!is_in(e, own, ARRAY_LEN(own)))
		return "neither an IPv4 link-local nor a private address";
	return NULL;
}

static enum err add_address(struct config_build *b, const char *key, const char *word)
{
	struct config *c = b->config;
	struct endpoint *e = &c->node_local.addresses[c->node_local.count];

	/* No port: an address is made, and 53 is what everybody asks. */
	if (endpoint_parse(word, 0, e) != OK || e->port != 0 || e->scope_id != 0)
		return config_refuse(b, key, "\"%s\" is not an address without a port", word);
	const char *why = objection(e);
	if (why)
		return config_refuse(b, key, "\"%s\" is %s", word, why);
	e->port = 53;
	for (size_t i = 0; i < c->listen_count; i++)
		if (endpoint_equal(e, &c->listen[i]))
			return config_refuse(b, key, "\"%s\" is given twice, or in listen too",
					     word);
	if (c->listen_count == CONFIG_LISTEN_MAX)
		return config_refuse(b, key, "more than %d addresses with those of listen",
				     CONFIG_LISTEN_MAX);
	c->listen[c->listen_count++] = *e;
	c->node_local.count++;
	return OK;
}

enum err config_node_local_build(struct config_build *b, const struct raw_config *raw)
{
	const char *interface = raw->node_local.interface;
	size_t count = raw->node_local.addresses_count;
	char key[CONFIG_KEY_MAX];

	if (interface && count == 0)
		return config_refuse(b, "node-local", "addresses are missing");
	if (count > CONFIG_NODE_LOCAL_MAX)
		return config_refuse(b, "node-local.addresses", "1 to %d addresses are expected",
				     CONFIG_NODE_LOCAL_MAX);
	if (!interface)
		interface = standard_interface;
	if (!is_interface(interface))
		return config_refuse(b, "node-local.interface",
				     "\"%s\" is not the name of an interface (1 to %d characters)",
				     interface, CONFIG_INTERFACE_SIZE - 1);
	memcpy(b->config->node_local.interface, interface, strlen(interface) + 1);
	for (size_t i = 0; i < count; i++) {
		config_key(key, "node-local.addresses", i, NULL);
		enum err err = add_address(b, key, raw->node_local.addresses[i]);
		if (err != OK)
			return err;
	}
	return OK;
}
