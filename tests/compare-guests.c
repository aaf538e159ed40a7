/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* compare-guests SOURCE DESTINATION BYTES: compares the RAM of two QEMUs, given
 * by their process ids, after a migration, while neither guest runs.  Where a
 * page differs it must be zero at the destination, and one that the guest at
 * the source has free, or that it has given to somebody who has not written to
 * it yet: nothing that a program or a file has, and no page table.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify/guest.h"
#include "memory/qemu-live.h"

static struct qemu_maps maps[2];
static struct qemu_live live[2];

static int
die(const char *what)
{
	fprintf(stderr, "compare-guests: %s\n", what);
	return 2;
}

static bool
open_source(const struct qemu_ram *ram, struct guest *g)
{
	struct err e;

	for (unsigned way = 0; way < QEMU_LIVE_WAYS; way++) {
		if (qemu_live_open(&live[0], &maps[0], ram, way, &e) <= 0)
			continue;
		if (guest_open(g, &live[0].memory, &e) == 0 &&
		    g->os != GUEST_NONE && g->drops)
			return true;
		for (size_t i = 0; i < g->nchecks; i++)
			if (!g->checks[i].passed)
				fprintf(stderr, "not so: %s\n",
					g->checks[i].what);
		guest_close(g);
		qemu_live_close(&live[0]);
	}
	return false;
}

static bool
is_used(enum page_class c)
{
	return c == CLASS_ANON || c == CLASS_FILE || c == CLASS_SHMEM ||
	       c == CLASS_TABLE || c == CLASS_SLAB;
}

int
main(int argc, char **argv)
{
	static const uint8_t zeros[4096];
	struct qemu_ram ram = { .machine = "" };
	uint64_t len, differ = 0, nfree = 0, other = 0, wrong = 0;
	uint8_t a[4096], b[4096];
	struct guest g;
	struct err e;

	if (argc != 4)
		return die("SOURCE DESTINATION BYTES?");
	len = strtoull(argv[3], NULL, 0);
	for (unsigned i = 0; i < 2; i++)
		if (qemu_maps_open(&maps[i], atoi(argv[1 + i]), &e) < 0)
			return die(e.text);
	ram.len = len;
	if (!open_source(&ram, &g))
		return die("the guest at the source is not known");
	if (qemu_live_open(&live[1], &maps[1], &ram, 0, &e) <= 0)
		return die("no RAM at the destination");
	for (uint64_t n = 0; n < len / 4096; n++) {
		if (!qemu_live_read(&live[0], n, a) ||
		    !qemu_live_read(&live[1], n, b))
			return die("RAM cannot be read");
		if (memcmp(a, b, 4096) == 0)
			continue;
		differ++;
		if (memcmp(b, zeros, 4096) != 0 || is_used(guest_class(&g, n)))
			wrong++;
		else if (guest_class(&g, n) == CLASS_FREE)
			nfree++;
		else
			other++;
	}
	printf("pages %llu, differ %llu: free %llu, not written %llu, "
	       "wrong %llu\n",
	       (unsigned long long)(len / 4096), (unsigned long long)differ,
	       (unsigned long long)nfree, (unsigned long long)other,
	       (unsigned long long)wrong);
	return wrong > 0;
}
