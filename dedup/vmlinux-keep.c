/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/newfile.h"
#include "common/page.h"
#include "dedup/core.h"
#include "dedup/index.h"
#include "dedup/vmlinux-keep.h"
#include "dedup/vmlinux.h"

static int
keep_path(char path[PATH_MAX], const uint8_t *file, size_t len, struct err *e)
{
	struct digest d;
	size_t n;

	if (index_folder(path, PATH_MAX - 64, e) < 0 ||
	    digest_bytes(file, len, &d, e) < 0)
		return -1;
	n = strlen(path);
	n += (size_t)sprintf(path + n, "/kernel-");
	for (unsigned i = 0; i < FINGERPRINT_BYTES; i++)
		n += (size_t)sprintf(path + n, "%02x", d.b[i]);
	strcpy(path + n, ".core");
	return 0;
}

/* Pages of zeros, a third of a kernel, are left holes. */
static int
keep_pages(struct newfile *f, const struct memory *m, struct err *e)
{
	static const uint8_t zeros[PAGE_BYTES];

	for (uint64_t n = 0; n < m->npages; n++) {
		const uint8_t *page = memory_page(m, n);

		if (memcmp(page, zeros, PAGE_BYTES) != 0 &&
		    newfile_write(f, (n + 1) * PAGE_BYTES, page, PAGE_BYTES,
				  e) < 0)
			return -1;
	}
	return 0;
}

static int
keep_write(const char *path, const struct memory *m, struct err *e)
{
	struct newfile f = { .fd = -1 };
	uint8_t header[PAGE_BYTES];
	int ret = -1;

	core_header(m->segments[0].gpa, m->segments[0].len, header);
	if (newfile_open(&f, path, e) == 0 &&
	    newfile_write(&f, 0, header, sizeof(header), e) == 0 &&
	    keep_pages(&f, m, e) == 0) {
		if (ftruncate(f.fd, (off_t)(m->map.len + PAGE_BYTES)) == 0)
			ret = newfile_commit(&f, e);
		else
			ret = err_sys(e, "%s", path);
	}
	newfile_close(&f);
	return ret;
}

int
vmlinux_kept(struct memory *m, const uint8_t *file, size_t len, struct err *e)
{
	char path[PATH_MAX];
	struct err ignored;

	/* Where nothing can be kept, it is made anew each time. */
	if (keep_path(path, file, len, &ignored) < 0)
		return vmlinux_make(m, file, len, e);
	if (access(path, R_OK) == 0 &&
	    memory_open(m, path, NULL, 0, &ignored) == 0) {
		if (m->npages > 0)
			return 0;
		memory_close(m);
	}
	if (vmlinux_make(m, file, len, e) < 0)
		return -1;
	(void)!keep_write(path, m, &ignored);
	return 0;
}
