/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "tools/progress.h"

#define BAR_STEP_NS  100000000u
#define JSON_STEP_NS 500000000u
#define LINE_BYTES   400

void
progress_init_to(struct progress *p, const char *what, enum progress_kind kind,
		 int fd)
{
	*p = (struct progress){ .what = what,
				.kind = kind,
				.fd = fd,
				.began_ns = clock_wall_ns() };
}

void
progress_init(struct progress *p, const char *what)
{
	bool bar = isatty(STDERR_FILENO);

	progress_init_to(p, what, bar ? PROGRESS_BAR : PROGRESS_NONE,
			 STDERR_FILENO);
}

int
progress_parse(const char *choice, int fd, enum progress_kind *kind,
	       struct err *e)
{
	if (strcmp(choice, "auto") == 0)
		*kind = isatty(fd) ? PROGRESS_BAR : PROGRESS_NONE;
	else if (strcmp(choice, "none") == 0)
		*kind = PROGRESS_NONE;
	else if (strcmp(choice, "bar") == 0)
		*kind = PROGRESS_BAR;
	else if (strcmp(choice, "json") == 0)
		*kind = PROGRESS_JSON;
	else
		return err_set(e, ERR_USAGE,
			       "progress is auto, none, bar or json, not '%s'",
			       choice);
	if (fcntl(fd, F_GETFD) < 0)
		return err_sys(e, "progress to descriptor %d", fd);
	return 0;
}

/* What a reader does not take is lost; the work goes on. */
static void
progress_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static double
progress_seconds(const struct progress *p)
{
	return (double)(clock_wall_ns() - p->began_ns) / 1e9;
}

/* "sending: 1.2 GiB of 2.0 GiB, 60%, as 51.2 MiB (24.0x), 3 s left" */
static void
progress_line(const struct progress *p, const struct progress_at *at,
	      char line[LINE_BYTES])
{
	char done[24], all[24], wire[24], became[64] = "";
	double left = 0;

	if (at->done > 0)
		left = progress_seconds(p) * (double)(at->all - at->done) /
		       (double)at->done;
	if (at->wire > 0)
		snprintf(became, sizeof(became), ", as %s (%.1fx)",
			 size_text(at->wire, wire, sizeof(wire)),
			 (double)at->done / (double)at->wire);
	snprintf(line, LINE_BYTES, "%s: %s of %s, %3.0f%%%s, %.0f s left%s%s",
		 p->what, size_text(at->done, done, sizeof(done)),
		 size_text(at->all, all, sizeof(all)),
		 100.0 * (double)at->done / (double)at->all, became, left,
		 at->more ? "  " : "", at->more ? at->more : "");
}

static size_t
progress_columns(const struct progress *p)
{
	struct winsize size;

	if (ioctl(p->fd, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return 80;
	return size.ws_col;
}

static void
progress_bar(struct progress *p, const struct progress_at *at)
{
	char line[LINE_BYTES];

	progress_line(p, at, line);
	progress_write(p->fd, "\r", 1);
	progress_write(p->fd, line, MIN(strlen(line), progress_columns(p) - 1));
	progress_write(p->fd, "\033[K", 3);
	p->stands = true;
}

static void
progress_json(const struct progress *p, const struct progress_at *at)
{
	json_t *o = json_pack(
		"{s:s, s:s, s:f, s:I, s:I, s:I}", "message_type", "status",
		"what", p->what, "seconds", progress_seconds(p), "bytes_done",
		(json_int_t)at->done, "bytes_all", (json_int_t)at->all,
		"wire_bytes", (json_int_t)at->wire);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	if (text) {
		progress_write(p->fd, text, strlen(text));
		progress_write(p->fd, "\n", 1);
	}
	free(text);
	json_decref(o);
}

void
progress_show_now(struct progress *p, const struct progress_at *at)
{
	char line[LINE_BYTES];

	if (at->all == 0)
		return;
	p->last_ns = clock_wall_ns();
	if (p->kind == PROGRESS_BAR) {
		progress_bar(p, at);
	} else if (p->kind == PROGRESS_JSON) {
		progress_json(p, at);
	} else {
		progress_line(p, at, line);
		fprintf(stderr, "%s\n", line);
	}
}

void
progress_show_at(struct progress *p, const struct progress_at *at)
{
	uint64_t step = p->kind == PROGRESS_BAR ? BAR_STEP_NS : JSON_STEP_NS;

	if (p->kind != PROGRESS_NONE && clock_wall_ns() - p->last_ns >= step)
		progress_show_now(p, at);
}

void
progress_show(struct progress *p, uint64_t done, uint64_t all)
{
	progress_show_at(p, &(struct progress_at){ .done = done, .all = all });
}

void
progress_fini(struct progress *p)
{
	if (p->stands)
		progress_write(p->fd, "\r\033[K", 4);
	p->stands = false;
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
