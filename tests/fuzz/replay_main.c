/*
 * main() of a fuzz target where libFuzzer is not: feeds it every file of the folders and files
 * named on the command line. What a fuzzer once found stays found, under any compiler.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hang.h"

/* More than a DNS message over TCP; libFuzzer itself stops at less. */
enum { INPUT_MAX_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each input in an allocation of its own exact size, so that a read past its end is seen. */
static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	static uint8_t whole[INPUT_MAX_BYTES];
	size_t size_bytes = fread(whole, 1, sizeof(whole), file);
	int failed = ferror(file);
	fclose(file);
	uint8_t *exact = failed ? NULL : malloc(size_bytes ? size_bytes : 1);
	if (!exact) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return -1;
	}
	memcpy(exact, whole, size_bytes);
	hang_at(path, 0);
	LLVMFuzzerTestOneInput(exact, size_bytes);
	free(exact);
	return 1;
}

/* How many files were fed, or -1. */
static int replay_path(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return replay_file(path);

	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort);
	if (count < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	int fed = 0;
	for (int i = 0; i < count; i++) {
		char child[4096];
		int len = snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && len < (int)sizeof(child) && fed >= 0) {
			int one = replay_file(child);
			fed = one < 0 ? -1 : fed + one;
		}
		free(entries[i]);
	}
	free(entries);
	return fed;
}

int main(int argc, char **argv)
{
	int total = 0;
	for (int i = 1; i < argc; i++) {
		int fed = replay_path(argv[i]);
		if (fed < 0)
			return EXIT_FAILURE;
		total += fed;
	}
	printf("%d inputs replayed\n", total);
	return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
