#pragma once
/*
 * The list of popular entries, as the writer sees it. In the file it is a few records of
 * SPACE_HOT, numbered from 0, each an array of
 *
 *   u16 key_len, u32 hits, u32 last_hit (seconds since 1970), u32 gap_ms, key
 *
 * most popular first; the first record begins with the u32 number of records.
 */
#include "disk/private.h"

enum { DISK_HOT_RECORD_MAX = 64 * 1024 };

/* The record NUMBER of H into OUT; 0 when there are no more, else its size. Call with 0, 1, 2, … */
size_t disk_hot_encode(struct disk_hot *h, uint32_t number,
		       uint8_t out[static DISK_HOT_RECORD_MAX]);
