/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tools/progress.h"

#define STEP_NS 100000000u

void
progress_init(struct progress *p, const char *what)
{
	*p = (struct progress){ .what = what,
				.shown = isatty(STDERR_FILENO),
				.began_ns = clock_wall_ns() };
}

void
progress_show(struct progress *p, uint64_t done, uint64_t all)
{
	uint64_t now = clock_wall_ns();
	char done_text[24], all_text[24];
	double s, left;

	if (!p->shown || all == 0 || now - p->last_ns < STEP_NS)
		return;
	p->last_ns = now;
	s = (double)(now - p->began_ns) / 1e9;
	left = done ? s * (double)(all - done) / (double)done : 0;
	fprintf(stderr, "\r%s: %s of %s, %3.0f%%, %.0f s left\033[K", p->what,
		size_text(done, done_text, sizeof(done_text)),
		size_text(all, all_text, sizeof(all_text)),
		100.0 * (double)done / (double)all, left);
}

void
progress_fini(struct progress *p)
{
	if (p->shown && p->last_ns)
		fputs("\r\033[K", stderr);
}

char *
size_text(uint64_t bytes, char *out, size_t cap)
{
	static const char *const units[] = { "B",   "KiB", "MiB",
					     "GiB", "TiB", "PiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		u++;
	}
	snprintf(out, cap, u ? "%.1f %s" : "%.0f %s", v, units[u]);
	return out;
}

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

const volatile sig_atomic_t *
interrupted(void)
{
	struct sigaction a = { .sa_handler = on_signal,
			       .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	return &stop;
}
