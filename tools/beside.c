/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/beside.h"

static const char *const folders[] = { LIBEXECDIR, BINDIR };

bool
beside_path(const char *name, char *out, size_t cap)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		if ((size_t)snprintf(out, cap, "%s/%s", self, name) < cap &&
		    access(out, X_OK) == 0)
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if ((size_t)snprintf(out, cap, "%s/%s", folders[i], name) <
			    cap &&
		    access(out, X_OK) == 0)
			return true;
	return false;
}
