#include <grp.h>
#include <stdio.h>
#include <string.h>

#include "config/raw.h"
#include "config/value.h"

enum {
	SOCKET_PATH_MAX = 107, /* sun_path of the system, less its NUL */
	GROUP_MAX = 255,
	GROUP_BUFFER = 64 * 1024, /* the members of the group, which the system tells too */
	METRICS_PORT = 9253,
	/* A failure takes about 1 kB: some two thousand of them, and as many of the rest. */
	RECORDER_BYTES = 4 * 1024 * 1024,
	RECORDER_BYTES_MIN = 64 * 1024, /* below, not even one trace would fit for each worker */
	RECORDER_BYTES_MAX = 1024 * 1024 * 1024,
	RECORDER_SLOW_MS = 500, /* half a second is noticed by people */
	RECORDER_SLOW_MS_MAX = 10000,
};

static const char *keep(struct config_build *b, const char *word)
{
	return (const char *)arena_copy(&b->config->arena, span_of(word, strlen(word) + 1)).at;
}

static enum err build_socket(struct config_build *b, const char *word)
{
	struct config *c = b->config;

	char standard[CONFIG_PATH_MAX];

	(void)snprintf(standard, sizeof(standard), "%s/control.sock",
		       config_value_directory("RUNTIME_DIRECTORY", RESOLVERD_RUNDIR));
	if (!word)
		word = standard;
	if (strcmp(word, "none") == 0) {
		c->control_socket = NULL;
		return OK;
	}
	if (word[0] != '/' || strlen(word) > SOCKET_PATH_MAX)
		return config_refuse(b, "control.socket",
				     "\"%.200s\" is neither none nor an absolute path of at most "
				     "%d characters",
				     word, SOCKET_PATH_MAX);
	c->control_socket = keep(b, word);
	return c->control_socket ? OK : ERR_NO_MEMORY;
}

static enum err build_group(struct config_build *b, const char *word)
{
	struct config *c = b->config;
	struct group group, *found = NULL;
	char *buffer;

	if (!word)
		return OK;
	if (!*word || strlen(word) > GROUP_MAX)
		return config_refuse(b, "control.group", "the name of a group is expected");
	buffer = arena_alloc(&c->arena, GROUP_BUFFER);
	c->control_group = keep(b, word);
	if (!buffer || !c->control_group)
		return ERR_NO_MEMORY;
	if (getgrnam_r(word, &group, buffer, GROUP_BUFFER, &found) != 0 || !found)
		return config_refuse(b, "control.group", "there is no group \"%s\"", word);
	c->control_gid = group.gr_gid;
	return OK;
}

static enum err build_readonly(struct config_build *b, const char *word)
{
	static const char *const words[] = {[CONFIG_READONLY_NONE] = "none",
					    [CONFIG_READONLY_GROUP] = "group",
					    [CONFIG_READONLY_ALL] = "all"};

	for (size_t i = 0; word && i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		b->config->control_readonly = (enum config_readonly)i;
		return OK;
	}
	return word ? config_refuse(b, "control.readonly", "\"%s\" is none of none, group, all",
				    word)
		    : OK;
}

static enum err build_metrics(struct config_build *b, const struct raw_config *raw)
{
	struct config *c = b->config;
	char key[CONFIG_KEY_MAX];

	if (raw->metrics.listen_count > CONFIG_METRICS_MAX)
		return config_refuse(b, "metrics.listen",
				     "at most %d addresses or interfaces are expected",
				     CONFIG_METRICS_MAX);
	for (size_t i = 0; i < raw->metrics.listen_count; i++) {
		const char *word = raw->metrics.listen[i];
		config_key(key, "metrics.listen", i, NULL);
		if (config_value_endpoint(word, METRICS_PORT,
					  &c->metrics_listen[c->metrics_listen_count]))
			c->metrics_listen_count++;
		else if (config_value_interface(word, METRICS_PORT,
						&c->metrics_interfaces[c->metrics_interface_count]))
			c->metrics_interface_count++;
		else
			return config_refuse(b, key,
					     "\"%s\" is neither an address nor an interface, "
					     "with a port or without",
					     word);
	}
	return OK;
}

static enum err build_health(struct config_build *b, const struct raw_config *raw)
{
	struct config *c = b->config;
	char key[CONFIG_KEY_MAX];

	if (raw->metrics.health_count > CONFIG_METRICS_MAX)
		return config_refuse(b, "metrics.health", "at most %d addresses are expected",
				     CONFIG_METRICS_MAX);
	for (size_t i = 0; i < raw->metrics.health_count; i++) {
		const char *word = raw->metrics.health[i];
		config_key(key, "metrics.health", i, NULL);
		if (!config_value_endpoint(word, METRICS_PORT, &c->metrics_health[i]))
			return config_refuse(b, key, "\"%s\" is not an address with a port", word);
		c->metrics_health_count++;
	}
	return OK;
}

static enum err build_recorder(struct config_build *b, const struct raw_config *raw)
{
	struct config *c = b->config;
	uint64_t bytes = RECORDER_BYTES, slow_ms = RECORDER_SLOW_MS;

	if (raw->recorder.memory &&
	    (!config_value_size(raw->recorder.memory, &bytes) ||
	     (bytes != 0 && bytes < RECORDER_BYTES_MIN) || bytes > RECORDER_BYTES_MAX))
		return config_refuse(b, "recorder.memory",
				     "\"%s\" is neither 0 nor a size from 64K to 1G",
				     raw->recorder.memory);
	if (raw->recorder.slow && (!config_value_time(raw->recorder.slow, &slow_ms) ||
				   slow_ms == 0 || slow_ms > RECORDER_SLOW_MS_MAX))
		return config_refuse(b, "recorder.slow", "\"%s\" is not a time from 1ms to 10s",
				     raw->recorder.slow);
	c->recorder_bytes = (size_t)bytes;
	c->recorder_slow_ms = (uint32_t)slow_ms;
	return config_read_bool(b, "recorder.redact", raw->recorder.redact, &c->recorder_redact);
}

enum err config_console_build(struct config_build *b, const struct raw_config *raw)
{
	enum err err = build_socket(b, raw->control.socket);

	if (err == OK)
		err = build_group(b, raw->control.group);
	if (err == OK)
		err = build_readonly(b, raw->control.readonly);
	if (err == OK)
		err = build_metrics(b, raw);
	if (err == OK)
		err = build_health(b, raw);
	return err == OK ? build_recorder(b, raw) : err;
}
