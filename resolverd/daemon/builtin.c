#include "daemon/builtin.h"

/* Paths are relative to the top of the tree, where make runs the compiler. The sizes are 32 bits
 * in the assembler and zero-extended on 64-bit machines, hence .quad there. */
#if __SIZEOF_SIZE_T__ == 8
#define SIZE_WORD ".quad"
#else
#define SIZE_WORD ".long"
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
		SIZE_WORD " 1b - " #symbol "\n"                                                    \
		".size " #symbol "_bytes, . - " #symbol "_bytes\n"                                 \
		".popsection\n")
/* clang-format on */

EMBED(builtin_root_hints, "etc/root.hints");
EMBED(builtin_trust_anchors, "etc/trust-anchors");
