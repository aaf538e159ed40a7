/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* show-live PID BYTES [MACHINE]: what is found of the guest in a QEMU that runs, and what
 * that costs.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classify/guest-now.h"
#include "common/clock.h"
#include "memory/qemu-live.h"

static struct qemu_maps maps;
static struct qemu_live live;

static double
ms_since(uint64_t *cpu)
{
	uint64_t now = clock_cpu_ns(), before = *cpu;

	*cpu = now;
	return (double)(now - before) / 1e6;
}

static void
show_now(const struct guest *g, uint64_t npages)
{
	uint64_t cpu = clock_cpu_ns(), nfree = 0;
	struct guest_now *now;
	struct err e;

	now = guest_now_open(g, &e);
	if (!now) {
		printf("nothing is dropped: %s\n", e.text);
		return;
	}
	printf("made ready: %.1f ms of CPU\n", ms_since(&cpu));
	for (unsigned i = 0; i < 100; i++) {
		if (guest_now_ticks(now, clock_wall_ns())) {
			printf("ticks: after %u looks, %.1f ms of CPU\n", i,
			       ms_since(&cpu));
			break;
		}
		usleep(50000);
	}
	ms_since(&cpu);
	for (uint64_t n = 0; n < npages; n++) {
		if (n % 256 == 0 && !guest_now_look(now))
			printf("it is not what it was\n");
		nfree += guest_now_is_free(now, n);
	}
	printf("free now: %llu pages, %.1f ms of CPU in all\n",
	       (unsigned long long)nfree, ms_since(&cpu));
	guest_now_close(now);
}

int
main(int argc, char **argv)
{
	uint64_t len = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
	struct qemu_ram ram = { .len = len,
				.machine = argc > 3 ? argv[3] : "" };
	struct err e;

	if (argc < 3 || qemu_maps_open(&maps, atoi(argv[1]), &e) < 0) {
		fprintf(stderr, "show-live: %s\n", e.text);
		return 2;
	}
	for (unsigned way = 0; way < QEMU_LIVE_WAYS; way++) {
		uint64_t cpu = clock_cpu_ns();
		struct guest g;

		if (qemu_live_open(&live, &maps, &ram, way, &e) <= 0)
			continue;
		if (guest_open(&g, &live.memory, &e) < 0)
			printf("way %u: %s\n", way, e.text);
		printf("way %u: %s %s, %.1f ms of CPU%s\n", way,
		       guest_os_name(g.os), g.release, ms_since(&cpu),
		       live.fd == maps.file ? ", by its file" : "");
		for (size_t i = 0; i < g.nchecks; i++)
			printf("  %s: %s\n", g.checks[i].passed ? "ok" : "NO",
			       g.checks[i].what);
		if (g.os != GUEST_NONE) {
			if (guest_refresh(&g, &e) < 0)
				printf("%s\n", e.text);
			printf("again: %.1f ms of CPU\n", ms_since(&cpu));
			show_now(&g, len / 4096);
		}
		guest_close(&g);
		qemu_live_close(&live);
	}
	return 0;
}
