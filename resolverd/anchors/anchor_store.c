#include "anchors/anchor_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"

enum { PATH_BYTES = CONFIG_PATH_MAX + 32 };
static const char blob_name[] = "anchors";

struct anchor_store { /* main thread */
	char *directory;
	struct disk *disk; /* NULL: none */
	bool is_foreign;   /* the cache file is another daemon's */
	bool waits;	   /* the disk has not answered yet */
	bool has_file;	   /* newer than the blob */
	bool from_file;	   /* what was read */
	bool told_unsaved;
};

static const char *path_of(const struct anchor_store *s, const char *name,
			   char out[static PATH_BYTES])
{
	(void)snprintf(out, PATH_BYTES, "%s/%s", s->directory, name);
	return out;
}

/* Once, until it works again. */
static void tell_unsaved(struct anchor_store *s, const char *what, const char *reason)
{
	if (!s->told_unsaved)
		log_warning("trust anchors are kept in memory only: cannot %s directory=%s "
			    "reason=\"%s\"",
			    what, s->directory, reason);
	s->told_unsaved = true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool write_all(int fd, struct span text)
{
	while (text.len > 0) {
		ssize_t written = write(fd, text.at, text.len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		text = span_of(text.at + written, text.len - (size_t)written);
	}
	return true;
}

/* A whole file at PATH, safe from a loss of power. False: errno says why. */
static bool write_draft(const char *path, struct span text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		return false;
	bool good = write_all(fd, text) && fsync(fd) == 0;
	int error = errno;
	if (close(fd) != 0 && good) {
		error = errno;
		good = false;
	}
	errno = error;
	return good;
}

/* The directory's entry too. That this fails on some file systems is no reason to complain. */
static void sync_directory(const struct anchor_store *s)
{
	int fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static bool write_file(struct anchor_store *s, struct span text)
{
	char path[PATH_BYTES], draft[PATH_BYTES];

	path_of(s, "anchors", path);
	path_of(s, "anchors.new", draft);
	if (!write_draft(draft, text) || rename(draft, path) != 0) {
		int error = errno;
		(void)unlink(draft);
		tell_unsaved(s, "write to", strerrordesc_np(error));
		return false;
	}
	s->has_file = true;
	sync_directory(s);
	return true;
}

/* The file is older than the blob now, and must not come back. */
static bool remove_file(struct anchor_store *s)
{
	char path[PATH_BYTES];

	if (s->has_file && unlink(path_of(s, "anchors", path)) != 0 && errno != ENOENT)
		return false;
	if (s->has_file)
		sync_directory(s);
	s->has_file = false;
	return true;
}

static bool write_blob(struct anchor_store *s, struct span text)
{
	return s->disk && disk_put_blob(s->disk, blob_name, text) == OK &&
	       disk_sync(s->disk) == OK && remove_file(s);
}

/* The directory is most likely on what does not answer, and nobody may wait for it. */
static bool hangs(const struct anchor_store *s)
{
	struct disk_status status;

	if (!s->disk)
		return false;
	disk_read_status(s->disk, &status);
	return s->waits || status.state == DISK_HUNG;
}

bool anchor_store_write(struct anchor_store *s, struct span text)
{
	if (hangs(s)) {
		tell_unsaved(s, "write to", "the disk does not answer");
		return false;
	}
	if (s->is_foreign) {
		tell_unsaved(s, "write to", "another daemon keeps its own there");
		return false;
	}
	if (!write_blob(s, text) && (hangs(s) || !write_file(s, text)))
		return false;
	if (s->told_unsaved)
		log_notice("trust anchors are kept again directory=%s", s->directory);
	s->told_unsaved = false;
	return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The bytes of FD in TEXT; errno is set if they cannot be read. ERR_MALFORMED: too many. */
static enum err read_all(int fd, char text[static ANCHOR_STORE_MAX], size_t *len)
{
	char beyond;

	for (;;) {
		size_t room = ANCHOR_STORE_MAX - *len;
		ssize_t more = read(fd, room > 0 ? text + *len : &beyond, room > 0 ? room : 1);
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return ERR_SYSTEM;
		if (more == 0)
			return OK;
		if (room == 0)
			return ERR_MALFORMED;
		*len += (size_t)more;
	}
}

static enum err read_file(struct anchor_store *s, char text[static ANCHOR_STORE_MAX], size_t *len)
{
	char path[PATH_BYTES];
	int fd = open(path_of(s, "anchors", path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	enum err err = ERR_SYSTEM;

	if (fd >= 0) {
		s->has_file = true;
		err = read_all(fd, text, len);
	}
	if (err == ERR_SYSTEM && errno != ENOENT)
		tell_unsaved(s, "read from", strerrordesc_np(errno));
	if (fd >= 0)
		close(fd);
	return err;
}

static enum err read_blob(struct anchor_store *s, char text[static ANCHOR_STORE_MAX], size_t *len)
{
	struct writer to = writer_of((uint8_t *)text, ANCHOR_STORE_MAX);
	enum err err = disk_recall_blob(s->disk, blob_name, &to);

	if (err == OK)
		*len = writer_span(&to).len;
	/* Why a file cannot be read stands in the log and in the status already. */
	return err == ERR_CORRUPT || err == ERR_NO_SPACE ? ERR_MALFORMED : OK;
}

enum err anchor_store_read(struct anchor_store *s, char text[static ANCHOR_STORE_MAX], size_t *len)
{
	*len = 0;
	if (s->waits)
		return OK;
	enum err err = read_file(s, text, len);
	s->from_file = err == ERR_MALFORMED || (err == OK && *len > 0);
	if (s->from_file)
		return err;
	*len = 0;
	return s->disk ? read_blob(s, text, len) : OK;
}

void anchor_store_accept(struct anchor_store *s, struct span text)
{
	if (s->from_file && s->disk && !s->is_foreign && write_blob(s, text))
		log_notice("trust anchors: their file is taken over into the cache file and "
			   "removed directory=%s",
			   s->directory);
}

void anchor_store_reject(struct anchor_store *s)
{
	char path[PATH_BYTES], aside[PATH_BYTES];

	if (!s->from_file) {
		log_error("trust anchors: their state in the cache file is damaged, beginning with "
			  "those configured directory=%s",
			  s->directory);
		return;
	}
	path_of(s, "anchors", path);
	path_of(s, "anchors.damaged", aside);
	if (rename(path, aside) != 0)
		aside[0] = '\0'; /* it will be overwritten then */
	else
		s->has_file = false;
	log_error("trust anchors: the file is damaged, beginning with those configured path=%s "
		  "moved_to=%s",
		  path, aside);
}

/* ---- life ------------------------------------------------------------------------------------ */

void anchor_store_take(struct anchor_store *s)
{
	struct disk_status status = {.state = DISK_OFF};

	if (s->disk)
		disk_read_status(s->disk, &status);
	s->disk = status.state == DISK_OFF ? NULL : s->disk;
	s->is_foreign = status.state == DISK_LOCKED;
	s->waits = false;
}

enum err anchor_store_new(const char *directory, struct disk *disk, struct anchor_store **out)
{
	struct anchor_store *s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NO_MEMORY;
	s->directory = strdup(directory);
	if (!s->directory) {
		free(s);
		return ERR_NO_MEMORY;
	}
	s->disk = disk;
	s->waits = disk && !disk_is_opened(disk);
	if (!s->waits)
		anchor_store_take(s);
	*out = s;
	return OK;
}

void anchor_store_free(struct anchor_store *s)
{
	if (!s)
		return;
	free(s->directory);
	free(s);
}
