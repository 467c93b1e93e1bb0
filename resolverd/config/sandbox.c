#include <pwd.h>
#include <string.h>

#include "config/raw.h"

enum {
	USER_MAX = 255,
	USER_BUFFER = 16 * 1024, /* what the system tells of an account */
};

static enum err build_user(struct config_build *b, const char *word)
{
	struct config *c = b->config;
	struct passwd account, *found = NULL;
	char *buffer, *name;

	if (!word)
		return OK;
	if (!*word || strlen(word) > USER_MAX)
		return config_refuse(b, "sandbox.user", "the name of an account is expected");
	buffer = arena_alloc(&c->arena, USER_BUFFER);
	name = (char *)(uintptr_t)arena_copy(&c->arena, span_of(word, strlen(word) + 1)).at;
	if (!buffer || !name)
		return ERR_NO_MEMORY;
	if (getpwnam_r(word, &account, buffer, USER_BUFFER, &found) != 0 || !found)
		return config_refuse(b, "sandbox.user", "there is no account \"%s\"", word);
	c->sandbox_user = name;
	c->sandbox_uid = account.pw_uid;
	c->sandbox_gid = account.pw_gid;
	return OK;
}

enum err config_sandbox_build(struct config_build *b, const struct raw_config *raw)
{
	enum err err;

	b->config->sandbox = true;
	err = config_read_bool(b, "sandbox.enabled", raw->sandbox.enabled, &b->config->sandbox);
	return err == OK ? build_user(b, raw->sandbox.user) : err;
}
