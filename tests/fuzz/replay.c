/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "common/map.h"
#include "common/mem.h"

/* Stands in for libFuzzer: runs a target over the files that are named, or,
 * after --make-seeds, writes its seeds into a folder.
 */

static void
replay(const char *path)
{
	auto_free uint8_t *copy = NULL;
	struct map map;
	struct err e;

	fuzz_ok(map_open(&map, path, &e), &e);
	copy = malloc(MAX(map.len, (size_t)1));
	fuzz_check(copy != NULL);
	if (map.len > 0)
		memcpy(copy, map.data, map.len);
	(void)LLVMFuzzerTestOneInput(copy, map.len);
	map_close(&map);
}

static void
make_seeds(const char *folder)
{
	struct buf b;
	const char *name;

	buf_init(&b, 1 << 20);
	for (unsigned i = 0; (name = fuzz_seed(i, &b)) != NULL; i++) {
		char path[4096];
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", folder, name);
		f = fopen(path, "wb");
		fuzz_check(f != NULL);
		fuzz_check(fwrite(b.data, 1, b.len, f) == b.len);
		fuzz_check(fclose(f) == 0);
		buf_reset(&b);
	}
	buf_fini(&b);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--make-seeds") == 0) {
		make_seeds(argv[2]);
		return 0;
	}
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	return 0;
}
