/* A line of the log as fields of the journal. */
#include "unit/base_unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/journal.h"

static void test_split(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *fields[6]; /* behind MESSAGE, PRIORITY and SYSLOG_IDENTIFIER */
	} rows[] = {
		{"", {NULL}},
		{"stopping", {"RESOLVERD_EVENT=stopping"}},
		{"record changed: name=a.example. old=1 new=2",
		 {"RESOLVERD_EVENT=record changed", "RESOLVERD_NAME=a.example.", "RESOLVERD_OLD=1",
		  "RESOLVERD_NEW=2"}},
		{"cannot start reason=\"out of memory\" pid=7",
		 {"RESOLVERD_EVENT=cannot start", "RESOLVERD_REASON=out of memory",
		  "RESOLVERD_PID=7"}},
		{"took-us=5", {"RESOLVERD_TOOK_US=5"}},
		{"a=b=c", {"RESOLVERD_A=b=c"}},
		{"empty a= b=\"\" c=\"open",
		 {"RESOLVERD_EVENT=empty", "RESOLVERD_A=", "RESOLVERD_B=", "RESOLVERD_C=open"}},
		{"A=b =c 1=d e", {"RESOLVERD_EVENT=A=b =c 1=d e"}},
		{"x y=1 and more z=2", {"RESOLVERD_EVENT=x", "RESOLVERD_Y=1", "RESOLVERD_Z=2"}},
	};
	static struct journal_fields f;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t k = 0;
		journal_split(LOG_LEVEL_WARNING, rows[i].line, &f);
		CHECK(rows[i].line, strncmp(f.text[0], "MESSAGE=", 8) == 0);
		CHECK(rows[i].line, strcmp(f.text[0] + 8, rows[i].line) == 0);
		CHECK(rows[i].line, strcmp(f.text[1], "PRIORITY=4") == 0);
		for (; k < ARRAY_LEN(rows[i].fields) && rows[i].fields[k]; k++)
			CHECK(rows[i].fields[k],
			      k + 3 < f.count && strcmp(f.text[k + 3], rows[i].fields[k]) == 0);
		CHECK(rows[i].line, f.count == k + 3);
	}
}

static void test_bounds(void **state)
{
	(void)state;
	static struct journal_fields f;
	char line[1024] = "";
	for (unsigned i = 0; i < 100; i++)
		(void)snprintf(line + strlen(line), sizeof(line) - strlen(line), "k%u=v ", i);
	journal_split(LOG_LEVEL_INFO, line, &f);
	assert_int_equal(f.count, JOURNAL_FIELDS_MAX);
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "k=", 2);
	journal_split(LOG_LEVEL_INFO, line, &f);
	assert_int_equal(strlen(f.text[3]), strlen("RESOLVERD_K=") + strlen(line) - 2);
}

static void test_stream(void **state)
{
	(void)state;
	char words[64];
	struct stat s;
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_int_equal(fstat(fd, &s), 0);
	(void)snprintf(words, sizeof(words), "%ju:%ju", (uintmax_t)s.st_dev, (uintmax_t)s.st_ino);
	assert_true(journal_is_stream(fd, words));
	assert_false(journal_is_stream(fd, NULL));
	assert_false(journal_is_stream(fd, ""));
	assert_false(journal_is_stream(fd, "1:1"));
	close(fd);
	assert_false(journal_is_stream(fd, words));
}

static void take_fields(void *context, enum log_level level, const char *line)
{
	journal_split(level, line, context);
}

/* What a stranger has put into a record is one field, whatever it looks like. */
static void test_strangers_texts(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"\"v=spf1\" priority=0 name=bank.example.",
		"\" reason=\"forged",
		"\\\" reason=\"forged\\",
		"\\",
		"\\\\\" x=1",
		"%s%n \" %d=\"",
		"",
	};
	static struct journal_fields f;

	log_init(LOG_LEVEL_INFO, take_fields, &f);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		log_always(LOG_LEVEL_INFO, "record changed: name=%s old=\"%s\" new=\"%s\" n=%u",
			   "a.", texts[i], texts[i], 7U);
		CHECK(texts[i], f.count == 8);
		CHECK(texts[i], strcmp(f.text[4], "RESOLVERD_NAME=a.") == 0);
		CHECK(texts[i], strcmp(f.text[5] + strlen("RESOLVERD_OLD="), texts[i]) == 0);
		CHECK(texts[i], strcmp(f.text[6] + strlen("RESOLVERD_NEW="), texts[i]) == 0);
		CHECK(texts[i], strcmp(f.text[7], "RESOLVERD_N=7") == 0);
	}
	log_init(LOG_LEVEL_INFO, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_strangers_texts),
		cmocka_unit_test(test_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
