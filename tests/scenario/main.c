/*
 * scenario FILE...
 *
 * Plays each file. A line for each that fails, with the line where it went wrong; last "N passed, N
 * failed".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "hang.h"
#include "scenario/scene.h"

static void say_nothing(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	(void)line;
}

static bool play(const char *path)
{
	char line[SCENE_TEXT_MAX];
	FILE *file = fopen(path, "r");
	struct scene *s = calloc(1, sizeof(*s));
	REQUIRE(s);
	s->path = path;
	arena_init(&s->arena, (size_t)64 << 20);
	heap_init(&s->events);
	settings_init(&s->settings);
	s->settings.minimization = MINIMIZE_OFF;
	s->settings.prime = s->settings.dnssec = s->settings.stale_enabled = false;
	s->settings.prefetch.enabled = false;
	if (!file)
		scene_fail(s, "%s", strerror(errno));
	while (file && !s->failed && fgets(line, sizeof(line), file))
		scene_read(s, line);
	if (file && !s->failed)
		scene_read_end(s);
	if (file)
		fclose(file);
	scene_end(s);
	bool passed = !s->failed;
	free(s);
	return passed;
}

int main(int argc, char **argv)
{
	int passed = 0;
	log_init(LOG_LEVEL_ERROR, say_nothing, NULL);
	for (int i = 1; i < argc; i++) {
		hang_at(argv[i], 0);
		passed += play(argv[i]);
	}
	printf("%d passed, %d failed\n", passed, argc - 1 - passed);
	return passed == argc - 1 && passed > 0 ? 0 : 1;
}
