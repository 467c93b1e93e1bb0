#include "base/err.h"

#define ERR_TEXT(name, text) [name] = text,
static const char *const err_texts[] = {ERR_LIST(ERR_TEXT)};
#undef ERR_TEXT

static_assert(ARRAY_LEN(err_texts) == ERR_COUNT, "each error has its words");

const char *err_text(enum err err)
{
	REQUIRE((unsigned)err < ERR_COUNT);
	return err_texts[err];
}
