/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DISK_IMPL_H
#define MIG_DISK_IMPL_H

#include "common/err.h"

/* What the drivers give to disk.c.  Each fills *d but for its format; on
 * error it leaves nothing to close.
 */
struct disk;

int disk_raw_open(struct disk *d, const char *path, struct err *e);
int disk_nbd_open(struct disk *d, const char *path, const char *format,
		  struct err *e);

#endif
