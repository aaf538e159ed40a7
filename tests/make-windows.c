/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/made-windows.h"

#include "common/mem.h"
#include "common/page.h"
#include "tests/make-elf.h"

/* Writes a SYNTHETIC Windows guest, for measuring and for trying things out:
 *
 *	make-windows BUILD raw|full|bitmap|elf MIB SEED OUT [LIBRARY.dll...]
 *
 * makes OUT, the memory; OUT.disk, an image that holds the same libraries;
 * OUT.truth, what each page is, a line each: page, class, flags, priority,
 * page of the file, file; and OUT.images, an ELF core that holds the libraries
 * as they stand in memory at another address.
 */
static bool
write_truth(const struct made_windows *w, const char *path)
{
	FILE *f = fopen(path, "w");
	bool good;

	if (!f)
		return false;
	fprintf(f, "# SYNTHETIC Windows %u\n", w->config.build);
	for (uint64_t n = 0; n < w->high; n++) {
		const struct made_truth *t = &w->truth[n];

		if (t->class != CLASS_UNKNOWN)
			fprintf(f, "0x%" PRIx64 " %s %u %u %u %s\n", n,
				class_name(t->class), t->flags, t->priority,
				t->index,
				t->file ? w->files[t->file - 1].name : "-");
	}
	good = ferror(f) == 0;
	return fclose(f) == 0 && good;
}

/* The images one behind the other, at addresses of their own. */
static bool
write_images(const struct pe *pes, size_t n, int fd)
{
	uint64_t at = PAGE_BYTES, base = UINT64_C(0x7ff000000000);
	uint8_t head[PAGE_BYTES] = { 0 };
	/* where no guest has memory, so that nothing is found by its place */
	struct memory_region r = { UINT64_C(1) << 40, PAGE_BYTES, 0 };

	for (size_t i = 0; i < n; i++) {
		auto_free uint8_t *image = pe_load(&pes[i], base);

		if (pwrite(fd, image, pes[i].image_len, (off_t)at) !=
		    (ssize_t)pes[i].image_len)
			return false;
		at += pes[i].image_len;
		base += (pes[i].image_len + 0xffffull) & ~0xffffull;
	}
	r.len = at - PAGE_BYTES;
	make_elf(head, &r, 1);
	return pwrite(fd, head, sizeof(head), 0) == sizeof(head);
}

static int
create(const char *path, const char *suffix)
{
	char name[4096];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

int
main(int argc, char **argv)
{
	struct made_config c = { .build = 0 };
	struct made_windows w;
	auto_free struct pe *pes = NULL;
	enum made_container kind = 0;
	char truth[4096];
	bool good;

	if (argc < 6)
		return 2;
	pes = calloc((size_t)argc, sizeof(*pes));
	if (!pes)
		return 1;
	c.build = (unsigned)strtoul(argv[1], NULL, 0);
	while (kind < MADE__MAX &&
	       strcmp(argv[2], made_container_name(kind)) != 0)
		kind++;
	c.bytes = strtoull(argv[3], NULL, 0) << 20;
	c.seed = strtoull(argv[4], NULL, 0);
	for (int i = 6; i < argc; i++)
		c.npes += pe_read(&pes[c.npes], argv[i]);
	c.pes = pes;
	if (kind == MADE__MAX || c.bytes < 8 << 20)
		return 2;
	made_windows_init(&w, &c);
	snprintf(truth, sizeof(truth), "%s.truth", argv[5]);
	good = made_windows_write(&w, kind, create(argv[5], "")) &&
	       made_windows_disk(&w, create(argv[5], ".disk")) &&
	       write_images(pes, c.npes, create(argv[5], ".images")) &&
	       write_truth(&w, truth);
	printf("SYNTHETIC: %zu files, %zu libraries\n", w.nfiles, c.npes);
	made_windows_fini(&w);
	while (c.npes > 0)
		pe_free(&pes[--c.npes]);
	return !good;
}
