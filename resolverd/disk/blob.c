#include <stdlib.h>

#include "disk/private.h"

enum err disk_put_blob(struct disk *d, const char *name, struct span blob)
{
	size_t name_len = strlen(name);
	if (name_len == 0 || name_len > DISK_BLOB_NAME_MAX || blob.len > DISK_BLOB_MAX)
		return ERR_LIMIT;
	if (!d->path)
		return ERR_CLOSED;
	struct disk_key key;
	struct disk_record head = {.format = DISK_FORMAT};
	disk_key_blob(&key, name);
	struct disk_item *item = disk_item_new(&key, sizeof(head) + blob.len);
	if (!item)
		return ERR_NO_MEMORY;
	memcpy(item->record, &head, sizeof(head));
	if (blob.len > 0)
		memcpy(item->record + sizeof(head), blob.at, blob.len);
	item->precious = true;
	bool replaced;
	size_t dropped;
	enum err err = disk_pending_add(&d->pending, item, &replaced, &dropped);
	disk_count(&d->counters.dropped, dropped);
	return err;
}

enum err disk_get_blob(struct disk_reader *r, const char *name, struct writer *out)
{
	struct disk_key key;
	struct disk_buffer buffer = {.at = malloc(DISK_RECORD_MAX), .size = DISK_RECORD_MAX};
	if (!buffer.at)
		return ERR_NO_MEMORY;
	disk_key_blob(&key, name);
	pthread_mutex_lock(&r->lock);
	enum err err = disk_fetch(r, &key, &buffer);
	pthread_mutex_unlock(&r->lock);
	if (err == OK) {
		writer_bytes(out, span_of(buffer.at + sizeof(struct disk_record),
					  buffer.len - sizeof(struct disk_record)));
		err = out->failed ? ERR_NO_SPACE : OK;
	}
	free(buffer.at);
	return err;
}

/* Lock held. */
static struct disk_item *shelved(struct disk *d, struct span key)
{
	for (unsigned i = 0; i < d->shelf_count; i++)
		if (span_equal(disk_key_span(d->shelf[i]->key), key))
			return d->shelf[i];
	return NULL;
}

void disk_shelve(struct disk *d, struct disk_item *item)
{
	if (!item)
		return;
	pthread_mutex_lock(&d->lock);
	bool fits = d->shelf_count < DISK_BLOBS_MAX;
	if (fits)
		d->shelf[d->shelf_count++] = item;
	pthread_mutex_unlock(&d->lock);
	if (!fits)
		disk_item_drop(item);
}

static enum err copy_item(const struct disk_item *item, struct writer *out)
{
	size_t head = sizeof(struct disk_record);
	if (item->removal || item->size < head)
		return ERR_CORRUPT; /* as it was found */
	writer_bytes(out, span_of(item->record + head, item->size - head));
	return out->failed ? ERR_NO_SPACE : OK;
}

enum err disk_recall_blob(struct disk *d, const char *name, struct writer *out)
{
	struct disk_key key;
	struct disk_item *item = NULL;
	enum err err = ERR_NOT_FOUND;
	if (!disk_is_opened(d))
		return ERR_BUSY;
	disk_key_blob(&key, name);
	if (disk_pending_find(&d->pending, &key, false, &item, 1) == 1) {
		err = copy_item(item, out);
		disk_item_drop(item);
		return err;
	}
	pthread_mutex_lock(&d->lock);
	item = shelved(d, disk_key_span(&key));
	if (item)
		err = copy_item(item, out);
	pthread_mutex_unlock(&d->lock);
	return err;
}

void disk_forget_blobs(struct disk *d)
{
	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < d->shelf_count; i++)
		disk_item_drop(d->shelf[i]);
	d->shelf_count = 0;
	pthread_mutex_unlock(&d->lock);
}
