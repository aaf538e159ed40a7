/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "common/page.h"
#include "dedup/index.h"
#include "tools/cmd-index.h"
#include "tools/progress.h"

int
index_print_json(json_t *j, struct err *e)
{
	int ret = j ? json_dumpf(j, stdout, JSON_INDENT(2)) : -1;

	json_decref(j);
	if (ret < 0 || putchar('\n') == EOF || fflush(stdout) == EOF)
		return err_set(e, ERR_SYSTEM, "writing the result");
	return 0;
}

static const char *
hex(const struct digest *d, char out[2 * DIGEST_BYTES + 1])
{
	for (unsigned i = 0; i < DIGEST_BYTES; i++)
		snprintf(out + 2 * (size_t)i, 3, "%02x", d->b[i]);
	return out;
}

static json_t *
parts_json(const struct index *idx)
{
	size_t n;
	const struct image_part *p = index_parts(idx, &n);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:I, s:I, s:I}", "offset",
					(json_int_t)p[i].offset, "first_block",
					(json_int_t)p[i].first_block, "blocks",
					(json_int_t)p[i].nblocks));
	return list;
}

json_t *
index_as_json(const char *path, const struct index *idx)
{
	const struct index_header *h = index_header(idx);
	char root[2 * DIGEST_BYTES + 1];

	return json_pack(
		"{s:s, s:s, s:s, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:s, s:o}",
		"index", path, "image", h->path, "image_format", h->format,
		"image_bytes", (json_int_t)h->image_size, "files",
		(int)h->nfiles, "blocks", (json_int_t)h->nblocks, "data_blocks",
		(json_int_t)h->data_blocks, "unique_blocks",
		(json_int_t)h->unique_blocks, "bucket_bytes",
		(json_int_t)index_section_bytes(h, INDEX_BUCKETS),
		"index_bytes", (json_int_t)index_file_bytes(idx), "root",
		hex(&h->root, root), "parts", parts_json(idx));
}

int
index_show_text(const char *path, const struct index *idx)
{
	const struct index_header *h = index_header(idx);
	char root[2 * DIGEST_BYTES + 1], a[24], b[24];
	size_t nparts;
	const struct image_part *parts = index_parts(idx, &nparts);

	printf("index:    %s (%s, %s of it buckets)\n", path,
	       size_text(index_file_bytes(idx), a, sizeof(a)),
	       size_text(index_section_bytes(h, INDEX_BUCKETS), b, sizeof(b)));
	printf("image:    %s (%s in %u file%s, %s)\n", h->path, h->format,
	       h->nfiles, h->nfiles == 1 ? "" : "s",
	       size_text(h->image_size, a, sizeof(a)));
	printf("blocks:   %" PRIu64 " with data, %" PRIu64
	       " of them different (%s)\n",
	       h->data_blocks, h->unique_blocks,
	       size_text(h->unique_blocks * PAGE_BYTES, a, sizeof(a)));
	for (size_t i = 0; nparts > 1 && i < nparts; i++)
		printf("part:     byte %" PRIu64 ", %" PRIu64 " blocks from "
		       "number %" PRIu64 "\n",
		       parts[i].offset, parts[i].nblocks, parts[i].first_block);
	printf("root:     %s\n", hex(&h->root, root));
	return 0;
}

void
index_on_progress(void *arg, uint64_t done, uint64_t all)
{
	progress_show(arg, done * PAGE_BYTES, all * PAGE_BYTES);
}
