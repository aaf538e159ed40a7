/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "classify/class.h"

const char *
class_name(enum page_class c)
{
	static const char *const names[CLASS__MAX] = {
		[CLASS_UNKNOWN] = "unknown", [CLASS_FREE] = "free",
		[CLASS_ZEROED] = "zeroed",   [CLASS_FILE] = "file",
		[CLASS_IMAGE] = "image",     [CLASS_STANDBY] = "standby",
		[CLASS_ANON] = "anon",       [CLASS_SHMEM] = "shmem",
		[CLASS_SLAB] = "slab",       [CLASS_TABLE] = "table",
		[CLASS_KERNEL] = "kernel",   [CLASS_RESERVED] = "reserved",
		[CLASS_OFFLINE] = "offline",
	};

	return names[c];
}
