/*
 * Preloaded into the daemon, lets allocations fail. The file RESOLVERD_STARVE holds numbers of 64 bits:
 * how many allocations there have been since that was set to zero, the first one to fail, and how many
 * fail from there on (0: none).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DONE, FIRST, HOW_MANY };

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static volatile uint64_t *figures;

/* Libraries that bear no failure, and are called only after memory for what they take was had. */
enum { SPARED_MAX = 8 };
static struct {
	uintptr_t from, to;
} spared[SPARED_MAX];
static unsigned spared_count;

static int find_spared(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	(void)context;
	if (!strstr(info->dlpi_name, "libldns") && !strstr(info->dlpi_name, "libseccomp"))
		return 0;
	for (unsigned i = 0; i < info->dlpi_phnum && spared_count < SPARED_MAX; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		spared[spared_count].from = info->dlpi_addr + part->p_vaddr;
		spared[spared_count].to = spared[spared_count].from + part->p_memsz;
		spared_count++;
	}
	return 0;
}

static bool is_spared(const void *caller)
{
	for (unsigned i = 0; i < spared_count; i++)
		if ((uintptr_t)caller >= spared[i].from && (uintptr_t)caller < spared[i].to)
			return true;
	return false;
}

__attribute__((constructor)) static void begin(void)
{
	int fd = open(getenv("RESOLVERD_STARVE"), O_RDWR | O_CLOEXEC);
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || at == MAP_FAILED)
		abort();
	close(fd);
	dl_iterate_phdr(find_spared, NULL);
	figures = at;
}

static bool is_denied(const void *caller)
{
	if (!figures || is_spared(caller))
		return false;
	uint64_t number = __atomic_fetch_add(&figures[DONE], 1, __ATOMIC_RELAXED);
	if (figures[HOW_MANY] == 0 || number < figures[FIRST] ||
	    number - figures[FIRST] >= figures[HOW_MANY])
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return is_denied(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return is_denied(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return is_denied(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || is_denied(__builtin_return_address(0)))
		return NULL;
	return __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return is_denied(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return is_denied(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	if (is_denied(__builtin_return_address(0)))
		return ENOMEM;
	*out = __libc_memalign(alignment, size);
	return *out ? 0 : ENOMEM;
}

/* The C library's is called by libldns; as the rest it allocates by malloc(). */
char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = is_denied(__builtin_return_address(0)) ? NULL : __libc_malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}
