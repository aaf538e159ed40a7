/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/engine.h"
#include "tests/fuzz/fuzz.h"
#include "tests/make-module.h"

#include "common/mem.h"
#include "dedup/module.h"
#include "dedup/modules.h"

/* Any bytes as the file of a module, */
static void
lay_out(const uint8_t *data, size_t size)
{
	struct module m;
	unsigned sum = 0;
	struct err e;

	fuzz_check(module_file_bytes(data, size) <= 2 * MODULE_FILE_MAX);
	fuzz_ok(module_lay_out(&m, data, size, &e), &e);
	fuzz_check(m.npages <= MODULE_PAGES_MAX);
	for (size_t i = 0; i < m.npages * PAGE_BYTES; i++)
		sum += m.bytes[i];
	fuzz_check(sum != 1 || m.npages > 0);
	free(m.bytes);
}

/* and as the end of the list of an image's. */
static void
read_list(const uint8_t *data, size_t size)
{
	size_t npages = size / PAGE_BYTES + 1, pad = npages * PAGE_BYTES - size;
	auto_free uint8_t *bytes = calloc(npages, PAGE_BYTES);
	struct fuzz_memory m;
	struct modules *ms;
	uint32_t n;

	memcpy(bytes + pad, data, size);
	fuzz_memory(&m, bytes, (uint32_t)npages);
	ms = modules_new(&m.memory, NULL);
	if (!ms)
		return;
	n = modules_npages(ms);
	for (uint32_t i = 0; i < n; i += n / 64 + 1)
		(void)modules_line_of(ms, i, i % MODULES_LINES);
	if (n > 0)
		(void)modules_line_of(ms, n - 1, MODULES_LINES - 1);
	modules_free(ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	lay_out(data, size);
	read_list(data, size);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static struct made_module made;
	struct modules_list list;
	struct module m;
	struct err e;

	module_make(&made);
	if (i == 0) {
		fuzz_ok(buf_put(out, made.file, made.len, &e), &e);
		return "module";
	}
	if (i > 1)
		return NULL;
	fuzz_ok(module_lay_out(&m, made.file, made.len, &e), &e);
	modules_list_init(&list);
	for (uint64_t block = 7; block < 9; block++)
		fuzz_ok(modules_list_add(&list, block, &m, &e), &e);
	fuzz_ok(modules_list_end(&list, &e), &e);
	fuzz_ok(buf_put(out, list.modules.data, list.modules.len, &e), &e);
	modules_list_fini(&list);
	free(m.bytes);
	return "list";
}
