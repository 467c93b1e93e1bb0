/*
 * Configuration files: whatever is read either becomes a configuration or one line of words.
 * The file system is left out: a file that is named would be opened.
 */
#include <stdint.h>
#include <string.h>

#include "base/require.h"
#include "config/config.h"

enum { INPUT_MAX = 16384 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct config_error error = {0};

	if (size > INPUT_MAX || memmem(data, size, "hints", 5))
		return 0;
	if (config_load_text("fuzz", span_of(data, size), &config, &error) == OK) {
		REQUIRE(config->listen_count + config->listen_interface_count > 0);
		REQUIRE(config->workers > 0);
		REQUIRE(config->settings.hints.count > 0);
		config_free(config);
		return 0;
	}
	size_t len = strnlen(error.line, sizeof(error.line));
	REQUIRE(len > 0 && len < sizeof(error.line));
	for (size_t i = 0; i < len; i++)
		REQUIRE((uint8_t)error.line[i] >= ' ');
	return 0;
}
