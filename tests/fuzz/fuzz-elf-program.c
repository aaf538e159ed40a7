/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/make-program.h"

#include "dedup/elf-program.h"

/* Any bytes as a program's file. */
struct input {
	const uint8_t *data;
	size_t size;
	unsigned sum;
};

static bool
read_input(void *arg, uint64_t offset, void *out, size_t n)
{
	const struct input *in = arg;

	if (offset > in->size || n > in->size - offset)
		return false;
	memcpy(out, in->data + offset, n);
	return true;
}

static int
take_page(void *arg, const uint8_t page[4096], struct err *e)
{
	struct input *in = arg;

	(void)e;
	for (unsigned i = 0; i < PAGE_BYTES; i++)
		in->sum += page[i];
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size, 0 };
	const struct elf_program p = { read_input, take_page, &in };
	uint8_t head[PAGE_BYTES] = { 0 };
	struct err e;

	memcpy(head, data, size < PAGE_BYTES ? size : PAGE_BYTES);
	fuzz_ok(elf_program_pages(head, &p, &e), &e);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static uint8_t file[PROGRAM_FILE];
	struct err e;

	if (i > 0)
		return NULL;
	program_make(file);
	fuzz_ok(buf_put(out, file, sizeof(file), &e), &e);
	return "library";
}
