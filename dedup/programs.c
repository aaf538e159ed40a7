/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/newfile.h"
#include "common/page.h"
#include "dedup/core.h"
#include "dedup/elf-program.h"
#include "dedup/modules.h"
#include "dedup/pe.h"
#include "dedup/programs.h"
#include "dedup/table.h"

/* Blocks that are read at a time. */
#define PROGRAMS_CHUNK 1024
/* File systems are looked for at as many MiB from where a part begins. */
#define PROGRAMS_MIB 4096
/* Pages that are laid out in all, whatever the image says: 32 GiB. */
#define PROGRAMS_WORK_MAX (1u << 23)
/* An address where no guest has memory, so that nothing is found by place. */
#define PROGRAMS_GPA (UINT64_C(1) << 40)
/* In the header page, behind the core's own: the root of the image.  At 2048
 * had it those that were made before there were modules, at 2112 those of files
 * in one piece only.
 */
#define PROGRAMS_ROOT_AT 2176

struct programs {
	struct image *img;
	bool linux_too, windows_too; /* whose programs there may be */
	uint64_t block;              /* where the file begins that is read */
	struct newfile file;
	struct table seen; /* by hash: copies are kept once */
	struct modules_list modules;
	uint64_t npages, work;
	uint8_t *chunk, *bytes;
};

static bool
is_ntfs(struct image *img, uint64_t block)
{
	uint8_t page[PAGE_BYTES];
	struct err ignored;

	return image_read(img, block, 1, page, &ignored) == 0 &&
	       memcmp(page + 3, "NTFS    ", 8) == 0;
}

/* ext4, XFS or Btrfs. */
static bool
is_linux(struct image *img, uint64_t block)
{
	uint8_t page[PAGE_BYTES];
	struct err ignored;

	if (image_read(img, block, 1, page, &ignored) < 0)
		return false;
	if ((page[1080] == 0x53 && page[1081] == 0xef) ||
	    memcmp(page, "XFSB", 4) == 0)
		return true;
	return image_read(img, block + 16, 1, page, &ignored) == 0 &&
	       memcmp(page + 64, "_BHRfS_M", 8) == 0;
}

static bool
has(struct image *img, bool (*is)(struct image *img, uint64_t block))
{
	size_t nparts;
	const struct image_part *parts = image_parts(img, &nparts);

	for (size_t i = 0; i < nparts; i++)
		for (uint64_t mib = 0; mib < PROGRAMS_MIB; mib++) {
			uint64_t n = mib << (20 - PAGE_SHIFT);

			if (n >= parts[i].nblocks)
				break;
			if (is(img, parts[i].first_block + n))
				return true;
		}
	return false;
}

static int
on_page(void *arg, const uint8_t page[4096], struct err *e)
{
	struct programs *p = arg;
	uint64_t hint = digest_hint(page, PAGE_BYTES);
	uint32_t n;

	if (p->npages == PROGRAMS_PAGES_MAX || table_find(&p->seen, hint, &n))
		return 0;
	table_add(&p->seen, hint, (uint32_t)p->npages);
	return newfile_write(&p->file, ++p->npages * PAGE_BYTES, page,
			     PAGE_BYTES, e);
}

/* The program of so many bytes whose file begins at a block; where its pieces
 * are not known, other bytes make an image that helps nobody.
 */
static int
add_program(struct programs *p, uint64_t block, uint32_t len, struct err *e)
{
	uint64_t n = ((uint64_t)len + PAGE_BYTES - 1) / PAGE_BYTES;

	if (p->work + n > PROGRAMS_WORK_MAX)
		return 0;
	p->work += n;
	if (image_read_file(p->img, block, 0, n, p->bytes, e) < 0)
		return -1;
	return pe_pages(p->bytes, len, on_page, p, e);
}

/* Bytes of the file that is read. */
static bool
read_file(void *arg, uint64_t offset, void *out, size_t n)
{
	struct programs *p = arg;
	uint64_t at = offset / PAGE_BYTES;
	size_t in = offset % PAGE_BYTES, part;
	uint8_t page[PAGE_BYTES], *to = out;
	struct err ignored;

	for (; n > 0; at++, in = 0, to += part, n -= part) {
		part = MIN(PAGE_BYTES - in, n);
		if (p->work++ >= PROGRAMS_WORK_MAX ||
		    image_read_file(p->img, p->block, at, 1, page, &ignored) <
			    0)
			return false;
		memcpy(to, page + in, part);
	}
	return true;
}

/* What is read for a module counts, whether or not there is one. */
static int
add_module(struct programs *p, uint64_t block, const uint8_t head[4096],
	   struct err *e)
{
	struct module m;
	int ret;

	if (p->work > PROGRAMS_WORK_MAX)
		return 0;
	if (modules_read(&m, p->img, block, head, e) < 0)
		return -1;
	p->work += m.npages + m.nblocks;
	ret = modules_list_add(&p->modules, block, &m, e);
	free(m.bytes);
	return ret;
}

static int
add_any(struct programs *p, uint64_t block, const uint8_t head[4096],
	struct err *e)
{
	const struct elf_program elf = { read_file, on_page, p };
	uint32_t len = p->windows_too ? pe_file_bytes(head) : 0;

	p->block = block;
	if (len > 0)
		return add_program(p, block, len, e);
	if (!p->linux_too)
		return 0;
	if (elf_program_pages(head, &elf, e) < 0)
		return -1;
	return add_module(p, block, head, e);
}

static int
look_at_run(struct programs *p, const struct image_run *run,
	    const struct index_how *how, struct err *e)
{
	uint64_t n;

	for (uint64_t at = run->first; at < run->first + run->n; at += n) {
		n = MIN(run->first + run->n - at, (uint64_t)PROGRAMS_CHUNK);
		if (how->cancelled && *how->cancelled)
			return err_set(e, ERR_CANCELLED, "interrupted");
		if (image_read(p->img, at, n, p->chunk, e) < 0)
			return -1;
		for (uint64_t i = 0; i < n; i++) {
			const uint8_t *head = p->chunk + i * PAGE_BYTES;

			if (add_any(p, at + i, head, e) < 0)
				return -1;
		}
		if (how->report)
			how->report(how->arg, at + n, image_nblocks(p->img));
	}
	return 0;
}

static int
look(struct programs *p, const struct digest *root, const struct index_how *how,
     struct err *e)
{
	const struct buf *list = &p->modules.modules;
	struct image_run run = { .first = 0 };
	uint8_t header[PAGE_BYTES];
	int more = p->windows_too || p->linux_too;

	while (more > 0) {
		more = image_next_data(p->img, run.first + run.n, &run, e);
		if (more < 0 || (more > 0 && look_at_run(p, &run, how, e) < 0))
			return -1;
	}
	if (modules_list_end(&p->modules, e) < 0)
		return -1;
	core_header(PROGRAMS_GPA, p->npages * PAGE_BYTES + list->len, header);
	memcpy(header + PROGRAMS_ROOT_AT, root->b, DIGEST_BYTES);
	if (newfile_write(&p->file, 0, header, sizeof(header), e) < 0 ||
	    (list->len > 0 &&
	     newfile_write(&p->file, (p->npages + 1) * PAGE_BYTES, list->data,
			   list->len, e) < 0))
		return -1;
	return newfile_commit(&p->file, e);
}

static int
make(const char *path, struct image *img, const struct digest *root,
     const struct index_how *how, struct err *e)
{
	struct programs p = { .img = img,
			      .linux_too = has(img, is_linux),
			      .windows_too = has(img, is_ntfs),
			      .file = { .fd = -1 } };
	int ret = -1;

	modules_list_init(&p.modules);
	p.chunk = malloc(PROGRAMS_CHUNK * PAGE_BYTES);
	p.bytes = malloc(PE_BYTES_MAX);
	if (!p.chunk || !p.bytes)
		(void)err_sys(e, "programs");
	else if (table_init(&p.seen, PROGRAMS_PAGES_MAX, e) == 0 &&
		 newfile_open(&p.file, path, e) == 0)
		ret = look(&p, root, how, e);
	newfile_close(&p.file);
	table_fini(&p.seen);
	modules_list_fini(&p.modules);
	free(p.chunk);
	free(p.bytes);
	return ret;
}

/* Maps what is kept at the path, if it is of that generation. */
static bool
open_kept(struct memory *m, const char *path, const struct digest *root)
{
	struct err ignored;

	if (access(path, R_OK) < 0 ||
	    memory_open(m, path, NULL, 0, &ignored) < 0)
		return false;
	if (m->map.len >= PAGE_BYTES &&
	    memcmp(m->map.data + PROGRAMS_ROOT_AT, root->b, DIGEST_BYTES) == 0)
		return true;
	memory_close(m);
	return false;
}

/* Where the programs of an image are kept. */
static int
kept_path(const char *image, char path[PATH_MAX], struct err *e)
{
	size_t n;

	if (index_default_path(image, path, PATH_MAX - 16, e) < 0)
		return -1;
	n = strlen(path);
	if (n > 4 && strcmp(path + n - 4, ".idx") == 0)
		n -= 4;
	strcpy(path + n, ".programs");
	return 0;
}

int
programs_lend(const char *image, const struct digest *root)
{
	char path[PATH_MAX];
	struct memory m;
	struct err ignored;
	int fd;

	if (kept_path(image, path, &ignored) < 0 || !open_kept(&m, path, root))
		return -1;
	fd = fcntl(m.map.fd, F_DUPFD_CLOEXEC, 0);
	memory_close(&m);
	return fd;
}

int
programs_kept(struct memory *m, struct image *img, const struct digest *root,
	      const struct index_how *how, struct err *e)
{
	char path[PATH_MAX];

	if (kept_path(image_path(img), path, e) < 0)
		return -1;
	if (open_kept(m, path, root))
		return 0;
	if (make(path, img, root, how, e) < 0)
		return -1;
	return memory_open(m, path, NULL, 0, e);
}
