/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/mem.h"
#include "dedup/index.h"

#define SYSTEM_FOLDER "/var/lib/virt-mig/index"

static int
folder_name(char *out, size_t cap, struct err *e)
{
	const char *chosen = getenv("VIRT_MIG_INDEX_DIR");
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (chosen && chosen[0] == '/')
		n = snprintf(out, cap, "%s", chosen);
	else if (geteuid() == 0)
		n = snprintf(out, cap, "%s", SYSTEM_FOLDER);
	else if (cache && cache[0] == '/')
		n = snprintf(out, cap, "%s/virt-mig/index", cache);
	else if (home && home[0] == '/')
		n = snprintf(out, cap, "%s/.cache/virt-mig/index", home);
	else
		return err_set(e, ERR_USAGE,
			       "no cache folder: HOME is not set");
	if (n < 0 || (size_t)n >= cap)
		return err_set(e, ERR_LIMIT,
			       "the cache folder's name is too "
			       "long");
	return 0;
}

/* As mkdir -p, for folders that only their owner enters. */
static int
make_folders(char *path, struct err *e)
{
	for (char *at = path + 1;; at++) {
		char c = *at;

		if (c != '/' && c != '\0')
			continue;
		*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "%s", path);
		*at = c;
		if (c == '\0')
			return 0;
	}
}

int
index_folder(char *out, size_t cap, struct err *e)
{
	return folder_name(out, cap, e) < 0 ? -1 : make_folders(out, e);
}

int
index_default_path(const char *image_path, char *out, size_t cap, struct err *e)
{
	auto_free char *real = realpath(image_path, NULL);
	auto_free char *copy = real ? strdup(real) : NULL;
	struct digest d;
	size_t len;
	int n;

	if (!copy)
		return err_sys(e, "%s", image_path);
	if (index_folder(out, cap, e) < 0 ||
	    digest_bytes(real, strlen(real), &d, e) < 0)
		return -1;
	len = strlen(out);
	n = snprintf(out + len, cap - len,
		     "/%.100s-%02x%02x%02x%02x%02x%02x%02x%02x.idx",
		     basename(copy), d.b[0], d.b[1], d.b[2], d.b[3], d.b[4],
		     d.b[5], d.b[6], d.b[7]);
	if (n < 0 || (size_t)n >= cap - len)
		return err_set(e, ERR_LIMIT, "%s: the index's name is too long",
			       image_path);
	return 0;
}
