#include "config/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "config/file.h"

enum { KEY_DEPTH_MAX = 16 }; /* deeper than any key there is */

struct config_source {
	const char *name;
	struct span text;
	yaml_document_t document;
	yaml_node_t *root; /* NULL: empty */
};

/* One line whatever a key or value held: control characters would make more of it. */
static void write_line(struct config_error *error, const char *name, size_t line, const char *key,
		       const char *message)
{
	char *out = error->line;
	size_t size = sizeof(error->line);

	if (line == 0)
		(void)snprintf(out, size, "%s: %s", name, message);
	else if (!key || !*key)
		(void)snprintf(out, size, "%s:%zu: %s", name, line, message);
	else
		(void)snprintf(out, size, "%s:%zu: %s: %s", name, line, key, message);
	for (; *out; out++)
		if ((unsigned char)*out < ' ' || *out == 0x7f)
			*out = '?';
}

enum err config_source_read(const char *path, struct span *out, struct config_error *error)
{
	const char *why;
	enum err err = config_file_read(path, out, &why);

	if (err == ERR_MALFORMED)
		write_line(error, path, 0, NULL, why);
	return err;
}

static enum err refuse_yaml(const char *name, const yaml_parser_t *parser,
			    struct config_error *error)
{
	char message[CONFIG_LINE_MAX];

	if (parser->error == YAML_MEMORY_ERROR || !parser->problem)
		return ERR_NO_MEMORY;
	(void)snprintf(message, sizeof(message), "not YAML: %s%s%s", parser->problem,
		       parser->context ? " " : "", parser->context ? parser->context : "");
	write_line(error, name, parser->problem_mark.line + 1, NULL, message);
	return ERR_MALFORMED;
}

/* Nothing may stand behind the first document: it would be ignored silently. */
static enum err check_end(struct config_source *s, yaml_parser_t *parser,
			  struct config_error *error)
{
	yaml_document_t second;

	if (!s->root) /* the end has been seen */
		return OK;
	if (!yaml_parser_load(parser, &second))
		return refuse_yaml(s->name, parser, error);
	const yaml_node_t *node = yaml_document_get_root_node(&second);
	size_t line = node ? node->start_mark.line + 1 : 0;
	yaml_document_delete(&second);
	if (line == 0)
		return OK;
	write_line(error, s->name, line, NULL, "a second document");
	return ERR_MALFORMED;
}

/* A document without content, as "---" alone. */
static bool is_nothing(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0;
}

/* Keys are words, everywhere: whatever follows may count on it. */
static enum err check_keys(struct config_source *s, struct config_error *error)
{
	if (s->root && s->root->type != YAML_MAPPING_NODE) {
		write_line(error, s->name, s->root->start_mark.line + 1, NULL,
			   "keys are expected at the top");
		return ERR_MALFORMED;
	}
	for (yaml_node_t *n = s->document.nodes.start; n < s->document.nodes.top; n++) {
		if (n->type != YAML_MAPPING_NODE)
			continue;
		for (yaml_node_pair_t *p = n->data.mapping.pairs.start;
		     p < n->data.mapping.pairs.top; p++) {
			const yaml_node_t *key = yaml_document_get_node(&s->document, p->key);
			if (key->type == YAML_SCALAR_NODE)
				continue;
			write_line(error, s->name, key->start_mark.line + 1, NULL,
				   "a key must be a word");
			return ERR_MALFORMED;
		}
	}
	return OK;
}

enum err config_source_new(const char *name, struct span text, struct config_source **out,
			   struct config_error *error)
{
	yaml_parser_t parser;
	struct config_source *s = calloc(1, sizeof(*s));
	enum err err = ERR_NO_MEMORY;

	if (!s)
		return ERR_NO_MEMORY;
	s->name = name;
	s->text = text;
	if (!yaml_parser_initialize(&parser))
		goto free_source;
	yaml_parser_set_input_string(&parser, text.at, text.len);
	if (!yaml_parser_load(&parser, &s->document)) {
		err = refuse_yaml(name, &parser, error);
		goto delete_parser;
	}
	s->root = yaml_document_get_root_node(&s->document);
	err = check_end(s, &parser, error);
	if (err == OK && is_nothing(s->root))
		s->root = NULL;
	if (err == OK)
		err = check_keys(s, error);
	if (err != OK)
		goto delete_document;
	yaml_parser_delete(&parser);
	*out = s;
	return OK;

delete_document:
	yaml_document_delete(&s->document);
delete_parser:
	yaml_parser_delete(&parser);
free_source:
	free(s);
	return err;
}

void config_source_free(struct config_source *s)
{
	yaml_document_delete(&s->document);
	free(s);
}

struct span config_source_text(const struct config_source *s)
{
	return s->text;
}

bool config_source_is_empty(const struct config_source *s)
{
	return !s->root || s->root->data.mapping.pairs.start == s->root->data.mapping.pairs.top;
}

/* ---- where a key stands ---- */

struct place {
	const yaml_node_t *value; /* NULL: there is no more of the path */
	size_t line;		  /* of the last step found */
};

/* The entry of MAPPING for the first LEN bytes of NAME; the last one if it is given twice. */
static void step_key(const struct config_source *s, struct place *at, const char *name, size_t len)
{
	yaml_document_t *doc = (yaml_document_t *)(uintptr_t)&s->document;
	const yaml_node_t *mapping = at->value;

	at->value = NULL;
	if (mapping->type != YAML_MAPPING_NODE)
		return;
	for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
	     p < mapping->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(doc, p->key);
		if (key->data.scalar.length != len ||
		    memcmp(key->data.scalar.value, name, len) != 0)
			continue;
		at->line = key->start_mark.line + 1;
		at->value = yaml_document_get_node(doc, p->value);
	}
}

static void step_index(const struct config_source *s, struct place *at, unsigned long index)
{
	yaml_document_t *doc = (yaml_document_t *)(uintptr_t)&s->document;
	const yaml_node_t *list = at->value;

	at->value = NULL;
	if (list->type != YAML_SEQUENCE_NODE)
		return;
	yaml_node_item_t *first = list->data.sequence.items.start;
	if (index >= (size_t)(list->data.sequence.items.top - first))
		return;
	at->value = yaml_document_get_node(doc, first[index]);
	at->line = at->value->start_mark.line + 1;
}

/* As far along PATH as the document goes. */
static struct place find(const struct config_source *s, const char *path)
{
	struct place at = {.value = s->root, .line = s->root ? s->root->start_mark.line + 1 : 1};

	for (unsigned depth = 0; at.value && *path && depth < KEY_DEPTH_MAX; depth++) {
		if (*path == '[') {
			char *end;
			step_index(s, &at, strtoul(path + 1, &end, 10));
			path = *end == ']' ? end + 1 : end;
			continue;
		}
		if (*path == '.')
			path++;
		size_t len = strcspn(path, ".[");
		step_key(s, &at, path, len);
		path += len;
	}
	return at;
}

bool config_source_is_list(const struct config_source *s, const char *key)
{
	struct place at = find(s, key);

	return at.value && at.value->type == YAML_SEQUENCE_NODE;
}

enum err config_source_refuse(const struct config_source *s, const char *key, const char *message,
			      struct config_error *error)
{
	write_line(error, s->name, find(s, key).line, key, message);
	return ERR_MALFORMED;
}
