/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/memory.h"
#include "tests/make-elf.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return check_file(data, size);
}

static void
put_core(struct buf *out, const struct memory_region *r, size_t n, size_t len)
{
	uint8_t head[1024];
	struct err e;

	fuzz_ok(buf_put(out, head, make_elf(head, r, n), &e), &e);
	put_zeros(out, len - out->len);
}

/* 65535 headers or more are counted in the first section header. */
static void
put_counted_elsewhere(struct buf *out)
{
	Elf64_Ehdr h = make_elf_header(PN_XNUM);
	Elf64_Phdr p = make_elf_load((struct memory_region){ 0, 4, 4096 });
	Elf64_Shdr first = { .sh_info = 1 };
	struct err e;

	h.e_shoff = sizeof(h) + sizeof(p);
	fuzz_ok(buf_put(out, &h, sizeof(h), &e), &e);
	fuzz_ok(buf_put(out, &p, sizeof(p), &e), &e);
	fuzz_ok(buf_put(out, &first, sizeof(first), &e), &e);
	put_zeros(out, 4100 - out->len);
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct memory_region two[] = {
		{ 0x100000, 0x1240, 0x1000 },
		{ 0, 0x240, 0x1000 },
	};
	static const struct memory_region agree[] = {
		{ 0x1000, 0x100, 0x1400 },
		{ 0x2000, 0x1100, 0xc00 },
	};
	static const struct memory_region part = { 0xfffff800, 0x200, 0xc00 };

	switch (i) {
	case 0:
		put_core(out, NULL, 0, 0x100);
		return "no-pages";
	case 1:
		put_core(out, two, ARRAY_LEN(two), 0x2240);
		return "two-out-of-order";
	case 2:
		put_core(out, agree, ARRAY_LEN(agree), 0x1d00);
		return "two-that-agree";
	case 3:
		put_core(out, &part, 1, 0xe00);
		return "part-of-a-page";
	case 4:
		put_counted_elsewhere(out);
		return "counted-elsewhere";
	case 5:
		put_zeros(out, 4100);
		return "raw";
	default:
		return NULL;
	}
}
