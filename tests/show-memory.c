/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/page.h"
#include "memory/memory.h"

/* For shell tests.  With one memory image: its format, then its segments, a
 * line each.  With two: fails unless each page of the first stands at the
 * same guest-physical address in the second, with the same bytes.
 */
static void
show(const struct memory *m)
{
	printf("%s\n", m->format);
	for (size_t i = 0; i < m->nsegments; i++) {
		const struct memory_segment *s = &m->segments[i];

		if (s->is_pages)
			printf("pages 0x%" PRIx64 ":0x%" PRIx64 ":0x%" PRIx64
			       "\n",
			       s->gpa, s->offset, s->len);
		else
			printf("bytes 0x%" PRIx64 "\n", s->len);
	}
}

static int
compare(const struct memory *a, const struct memory *b)
{
	uint64_t differ = 0, missing = 0, n;

	for (uint64_t i = 0; i < a->npages; i++) {
		const struct memory_segment *s = memory_segment_of(a, i);
		uint64_t gpa = s->gpa + (i - s->first_page) * PAGE_BYTES;

		if (!memory_page_at(b, gpa, &n))
			missing++;
		else if (memcmp(memory_page(a, i), memory_page(b, n),
				PAGE_BYTES) != 0)
			differ++;
	}
	printf("%" PRIu64 " pages, %" PRIu64 " missing, %" PRIu64 " differ\n",
	       a->npages, missing, differ);
	return missing + differ > 0;
}

int
main(int argc, char **argv)
{
	struct memory m[2];
	struct err e;
	int status = 0;

	if (argc < 2 || argc > 3)
		return 2;
	for (int i = 1; i < argc; i++)
		if (memory_open(&m[i - 1], argv[i], NULL, 0, &e) < 0) {
			fprintf(stderr, "%s\n", e.text);
			return 1;
		}
	if (argc == 2)
		show(&m[0]);
	else
		status = compare(&m[0], &m[1]);
	for (int i = 1; i < argc; i++)
		memory_close(&m[i - 1]);
	return status;
}
