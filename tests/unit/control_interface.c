/*
 * The interface description and the daemon's table of verbs say the same.
 */
#include "unit/base_unit.h"

#include <stdio.h>

#include "console/commands.h"
#include "control/interface.h"

static const char *kind_text(enum verb_kind kind)
{
	switch (kind) {
	case VERB_STRING:
		return "string";
	case VERB_INT:
		return "int";
	case VERB_BOOL:
		return "bool";
	case VERB_STRINGS:
		return "[]string";
	}
	return "";
}

/* "method Name(a: string, b: ?int) ->" */
static void declare(const struct verb *v, char *out, size_t size)
{
	size_t len = (size_t)snprintf(out, size, "method %s(", v->name);

	for (size_t i = 0; i < SESSION_PARAMETERS_MAX && v->parameters[i].name; i++) {
		const struct verb_parameter *p = &v->parameters[i];
		len += (size_t)snprintf(out + len, size - len, "%s%s: %s%s", i ? ", " : "", p->name,
					p->optional ? "?" : "", kind_text(p->kind));
	}
	(void)snprintf(out + len, size - len, ") ->");
}

/* Every verb is described, with its parameters. */
static void test_verbs_are_described(void **unused)
{
	size_t count;
	const struct verb *verbs = commands_table(&count);

	(void)unused;
	for (size_t i = 0; i < count; i++) {
		char line[512];
		declare(&verbs[i], line, sizeof(line));
		if (!strstr(interface_text, line))
			fail_msg("not in io.resolverd.varlink: %s", line);
	}
}

/* Everything described is there, and nothing is described twice. */
static void test_described_verbs_exist(void **unused)
{
	size_t count, described = 0;

	(void)unused;
	(void)commands_table(&count);
	for (const char *at = interface_text; (at = strstr(at, "\nmethod ")); at++)
		described++;
	assert_int_equal(described, count);
}

/* "(changes)" in the comment before a method, and only there, says that it does. */
static void test_changes_are_told(void **unused)
{
	size_t count;
	const struct verb *verbs = commands_table(&count);

	(void)unused;
	for (size_t i = 0; i < count; i++) {
		char line[128];
		(void)snprintf(line, sizeof(line), "\nmethod %s(", verbs[i].name);
		const char *method = strstr(interface_text, line);
		assert_non_null(method);
		/* The paragraph that ends with the method. */
		const char *begin = method;
		while (begin > interface_text && strncmp(begin, "\n\n", 2) != 0)
			begin--;
		bool told = memmem(begin, (size_t)(method - begin), "(changes)", 9) != NULL;
		if (told != verbs[i].changes)
			fail_msg("%s: the table and the description differ", verbs[i].name);
	}
}

static void test_embedded(void **unused)
{
	(void)unused;
	assert_int_equal(strlen(interface_text), interface_text_bytes);
	assert_non_null(strstr(interface_text, "\ninterface " INTERFACE_NAME "\n"));
	assert_int_equal(strlen(interface_service_text), interface_service_text_bytes);
	assert_non_null(strstr(interface_service_text, "\ninterface " INTERFACE_SERVICE_NAME "\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs_are_described),
		cmocka_unit_test(test_described_verbs_exist),
		cmocka_unit_test(test_changes_are_told),
		cmocka_unit_test(test_embedded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
