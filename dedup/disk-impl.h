/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_DISK_IMPL_H
#define MIG_DISK_IMPL_H

#include "common/child.h"
#include "common/err.h"

/* What the drivers give to disk.c.  Each fills *d but for its format; on
 * error it leaves nothing to close.
 */
struct disk;

int disk_raw_open(struct disk *d, const char *path, struct err *e);
int disk_nbd_open(struct disk *d, const char *path, const char *format,
		  struct err *e);
/* What another process has opened: fd is the driver's even on error. */
int disk_raw_take(struct disk *d, int fd, const char *name, struct err *e);
int disk_nbd_take(struct disk *d, int fd, const char *name, struct err *e);
/* Starts a server that reads the image for whoever has the other end of *fd:
 * that end alone, and the server ends when it is closed.
 */
int disk_nbd_lend(struct disk *d, const char *path, const char *format, int *fd,
		  struct child *server, struct err *e);

#endif
