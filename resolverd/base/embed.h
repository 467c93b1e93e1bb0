#pragma once
/*
 * Files of the source tree that are part of the program. EMBED(symbol, "path") makes
 * `const char symbol[]`, ended by a NUL that does not count, and `const size_t symbol_bytes`.
 *
 * Paths are relative to the top of the tree, where make runs the compiler. Dependency files do not
 * see what .incbin reads: the Makefile names it for each object that embeds.
 */

/* The sizes are 32 bits in the assembler and zero-extended on 64-bit machines, hence .quad there. */
#if __SIZEOF_SIZE_T__ == 8
#define EMBED_SIZE_WORD ".quad"
#else
#define EMBED_SIZE_WORD ".long"
#endif

/* clang-format off */
#define EMBED(symbol, path)                                                                        \
	__asm__(".pushsection .rodata, \"a\", %progbits\n"                                         \
		".global " #symbol "\n"                                                            \
		".type " #symbol ", %object\n"                                                     \
		#symbol ":\n"                                                                      \
		".incbin \"" path "\"\n"                                                           \
		"1: .byte 0\n"                                                                     \
		".size " #symbol ", . - " #symbol "\n"                                             \
		".balign 8\n"                                                                      \
		".global " #symbol "_bytes\n"                                                      \
		".type " #symbol "_bytes, %object\n"                                               \
		#symbol "_bytes:\n"                                                                \
		EMBED_SIZE_WORD " 1b - " #symbol "\n"                                              \
		".size " #symbol "_bytes, . - " #symbol "_bytes\n"                                 \
		".popsection\n")
/* clang-format on */
