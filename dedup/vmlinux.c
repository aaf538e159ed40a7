/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/load.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/unpack.h"
#include "dedup/vmlinux-run.h"
#include "dedup/vmlinux.h"

#define VMLINUX_FILE_MAX   (64u << 20)  /* a bzImage */
#define VMLINUX_ELF_MAX    (256u << 20) /* what it unpacks to */
#define VMLINUX_PAGES_MAX  (128u << 20) /* what that loads */
#define VMLINUX_LOADS_MAX  64
#define VMLINUX_KERNEL_MAP 0xffffffff80000000ULL

bool
vmlinux_starts(const uint8_t block[4096])
{
	return memcmp(block + 0x202, "HdrS", 4) == 0 && block[0x1fe] == 0x55 &&
	       block[0x1ff] == 0xaa;
}

/* Where in a bzImage its payload is; 0 if the header makes no sense. */
static size_t
vmlinux_payload(const uint8_t *head, size_t *len)
{
	size_t setup = head[0x1f1] ? head[0x1f1] : 4;
	size_t offset = load_le32(head + 0x248);

	*len = load_le32(head + 0x24c);
	if (!vmlinux_starts(head) || *len < 8 || *len > VMLINUX_FILE_MAX ||
	    offset > VMLINUX_FILE_MAX)
		return 0;
	return (setup + 1) * 512 + offset;
}

/* The parts of the ELF file that make up the kernel. */
struct vmlinux_loads {
	Elf64_Phdr at[VMLINUX_LOADS_MAX];
	unsigned n;
	uint64_t low, high; /* physical */
};

static int
vmlinux_find_loads(const uint8_t *elf, size_t len, struct vmlinux_loads *l,
		   struct err *e)
{
	Elf64_Ehdr h;

	memcpy(&h, elf, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64 ||
	    h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phoff > len ||
	    h.e_phnum > (len - h.e_phoff) / sizeof(Elf64_Phdr))
		return err_set(e, ERR_CORRUPT, "not an x86-64 kernel");
	*l = (struct vmlinux_loads){ .low = UINT64_MAX };
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;

		memcpy(&p, elf + h.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type != PT_LOAD || p.p_vaddr < VMLINUX_KERNEL_MAP)
			continue;
		if (p.p_offset > len || p.p_filesz > len - p.p_offset ||
		    p.p_paddr > UINT64_MAX - p.p_filesz ||
		    l->n == VMLINUX_LOADS_MAX)
			return err_set(e, ERR_CORRUPT,
				       "program header %u makes no sense", i);
		l->at[l->n++] = p;
		l->low = MIN(l->low, p.p_paddr & ~(uint64_t)(PAGE_BYTES - 1));
		l->high = MAX(l->high, p.p_paddr + p.p_filesz);
	}
	if (l->n == 0 || l->high <= l->low ||
	    l->high - l->low > VMLINUX_PAGES_MAX)
		return err_set(e, ERR_CORRUPT, "a kernel that loads nothing");
	return 0;
}

/* Pages that were mapped become a memory; what was mapped behind them goes. */
static int
vmlinux_memory(struct memory *m, uint8_t *pages, uint64_t len, uint64_t mapped,
	       uint64_t gpa, struct err *e)
{
	struct memory_segment segment = { .len = len,
					  .gpa = gpa,
					  .is_pages = true };
	struct memory_run run = { .gpa = gpa, .npages = len / PAGE_BYTES };

	if (mapped > len)
		munmap(pages + len, mapped - len);
	*m = (struct memory){ .map = { pages, len, -1 },
			      .format = "vmlinux",
			      .segments = malloc(sizeof(segment)),
			      .nsegments = 1,
			      .npages = len / PAGE_BYTES,
			      .by_gpa = malloc(sizeof(run)),
			      .nruns = 1 };
	if (!m->segments || !m->by_gpa) {
		memory_close(m);
		return err_sys(e, "a kernel");
	}
	*m->segments = segment;
	*m->by_gpa = run;
	return 0;
}

static void *
vmlinux_map(size_t len, struct err *e)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at != MAP_FAILED)
		return at;
	(void)err_sys(e, "a kernel of %zu bytes", len);
	return NULL;
}

/* Zeros, of which a third of a kernel is made, are left untouched: the pages
 * are zero already and take no memory.
 */
static void
vmlinux_copy(uint8_t *to, const uint8_t *from, size_t len)
{
	static const uint8_t zeros[PAGE_BYTES];

	for (size_t at = 0, n; at < len; at += n) {
		n = MIN(len - at, (size_t)PAGE_BYTES);
		if (memcmp(from + at, zeros, n) != 0)
			memcpy(to + at, from + at, n);
	}
}

static uint64_t
vmlinux_whole(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

/* Lays out what is loaded, by physical address, and behind it how that differs
 * once it runs.
 */
static int
vmlinux_lay_out(struct memory *m, const uint8_t *elf, size_t len, struct err *e)
{
	struct vmlinux_loads l;
	uint64_t size, room, table = 0;
	uint8_t *pages;

	if (vmlinux_find_loads(elf, len, &l, e) < 0)
		return -1;
	size = vmlinux_whole(l.high - l.low);
	room = vmlinux_whole(vmlinux_run_bound(elf, len));
	pages = vmlinux_map(size + room, e);
	if (!pages)
		return -1;
	for (unsigned i = 0; i < l.n; i++)
		vmlinux_copy(pages + (l.at[i].p_paddr - l.low),
			     elf + l.at[i].p_offset, l.at[i].p_filesz);
	if (room > 0)
		table = PAGE_BYTES * vmlinux_run_table(elf, len, l.low, pages,
						       size / PAGE_BYTES, room);
	return vmlinux_memory(m, pages, size + table, size + room, l.low, e);
}

int
vmlinux_make(struct memory *m, const uint8_t *file, size_t len, struct err *e)
{
	size_t start, packed, unpacked;
	uint8_t *elf;
	int ret;

	start = len < PAGE_BYTES ? 0 : vmlinux_payload(file, &packed);
	if (start == 0 || start > len || packed > len - start)
		return err_set(e, ERR_CORRUPT, "not a whole bzImage");
	unpacked = load_le32(file + start + packed - 4);
	if (unpacked < PAGE_BYTES || unpacked > VMLINUX_ELF_MAX)
		return err_set(e, ERR_CORRUPT, "a kernel of %zu bytes",
			       unpacked);
	elf = vmlinux_map(unpacked, e);
	if (!elf)
		return -1;
	ret = unpack(file + start, packed, elf, unpacked, e);
	if (ret == 0)
		ret = vmlinux_lay_out(m, elf, unpacked, e);
	munmap(elf, unpacked);
	return ret;
}

int
vmlinux_read(struct image *img, uint64_t block, uint8_t **out, size_t *len,
	     struct err *e)
{
	uint8_t head[PAGE_BYTES], *file;
	size_t start, packed;
	uint64_t n;

	if (block >= image_nblocks(img))
		return err_set(e, ERR_CORRUPT, "not a bzImage");
	if (image_read(img, block, 1, head, e) < 0)
		return -1;
	start = vmlinux_payload(head, &packed);
	n = (start + packed + PAGE_BYTES - 1) / PAGE_BYTES;
	if (start == 0)
		return err_set(e, ERR_CORRUPT, "not a bzImage");
	file = malloc(n * PAGE_BYTES);
	if (!file)
		return err_sys(e, "a kernel of %zu bytes", packed);
	if (image_read_file(img, block, 0, n, file, e) < 0) {
		free(file);
		return -1;
	}
	*out = file;
	*len = start + packed;
	return 0;
}
