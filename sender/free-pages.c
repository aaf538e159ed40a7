/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "classify/guest-now.h"
#include "common/clock.h"
#include "common/page.h"
#include "sender/free-pages.h"
#include "stream/cpu-state.h"

#define FREE_TRIES   20
#define FREE_STEP_MS 50
#define FREE_RETRY   10  /* steps between two tries */
#define FREE_TICKS   600 /* steps in which the clock has to be found */

#define CR0_PAGING (UINT64_C(1) << 31)

struct free_pages {
	struct qemu_maps maps;
	struct qemu_ram ram;
	char machine[256];
	struct qemu_live memory;
	struct guest guest;
	struct guest_now *now;     /* NULL: not found yet */
	pthread_t thread;          /* finds the guest */
	atomic_bool wanted, leave; /* it is to begin, to end */
	atomic_int state;          /* enum free_state */
	_Atomic(const char *) why; /* it is FREE_NONE */
	char text[160];
	/* In turns. */
	bool looked;              /* .now is of the batch that is planned */
	bool lost;                /* the kernel is not what it was */
	uint64_t ndropped, clock; /* the guest's, at the last of them */
};

void
free_pages_stop(struct free_pages *f, const char *why)
{
	if (free_pages_state(f) != FREE_NONE)
		f->why = why;
	f->state = FREE_NONE;
}

void
free_pages_begin(struct free_pages *f)
{
	if (f->wanted || free_pages_state(f) == FREE_NONE)
		return;
	f->why = "the guest was not known in time";
	f->wanted = true;
}

enum free_state
free_pages_state(const struct free_pages *f)
{
	return (enum free_state)f->state;
}

const char *
free_pages_text(const struct free_pages *f)
{
	return free_pages_state(f) == FREE_DROPS ? f->text : f->why;
}

static void
free_wait(unsigned ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000L };

	nanosleep(&t, NULL);
}

/* Whether a Linux guest is there, if RAM is found in that way. */
static bool
free_open(struct free_pages *f, unsigned way)
{
	struct err e;

	if (qemu_live_open(&f->memory, &f->maps, &f->ram, way, &e) <= 0)
		return false;
	if (guest_open(&f->guest, &f->memory.memory, &e) == 0 &&
	    f->guest.os == GUEST_LINUX)
		return true;
	guest_close(&f->guest);
	qemu_live_close(&f->memory);
	return false;
}

static void
free_close(struct free_pages *f)
{
	guest_close(&f->guest);
	qemu_live_close(&f->memory);
}

/* Whether the guest that is open is one whose word is taken. */
static bool
free_is_proved(struct free_pages *f)
{
	struct err e;

	if (f->guest.drops)
		f->now = guest_now_open(&f->guest, &e);
	return f->now;
}

/* A guest may change its tables while they are read for the first time, so that
 * a check fails: it is looked at again, but not for ever.
 */
static bool
free_insist(struct free_pages *f, unsigned way)
{
	struct err e;

	if (!free_open(f, way))
		return false;
	for (unsigned i = 0; i < FREE_TRIES && !f->leave; i++) {
		if (free_is_proved(f))
			return true;
		for (unsigned k = 0; k < FREE_RETRY && !f->leave; k++)
			free_wait(FREE_STEP_MS);
		physical_forget(&f->memory.memory);
		if (guest_refresh(&f->guest, &e) < 0)
			break;
	}
	free_close(f);
	return false;
}

static bool
free_find(struct free_pages *f)
{
	unsigned doubt = QEMU_LIVE_WAYS;

	for (unsigned way = 0; way < QEMU_LIVE_WAYS && !f->leave; way++) {
		if (!free_open(f, way))
			continue;
		if (free_is_proved(f))
			return true;
		free_close(f);
		doubt = way;
	}
	return doubt < QEMU_LIVE_WAYS && !f->leave && free_insist(f, doubt);
}

static void *
free_run(void *arg)
{
	struct free_pages *f = arg;
	int looking = FREE_LOOKING;
	unsigned i = 0;

	while (!f->wanted && !f->leave)
		free_wait(FREE_STEP_MS);
	if (!free_find(f)) {
		free_pages_stop(f, "no tables of Linux that pass all checks");
		return NULL;
	}
	snprintf(f->text, sizeof(f->text), "Linux %s", f->guest.release);
	while (!guest_now_ticks(f->now, clock_wall_ns())) {
		if (f->leave)
			return NULL;
		if (++i == FREE_TICKS) {
			free_pages_stop(f, "the guest's kernel does not tick");
			return NULL;
		}
		free_wait(FREE_STEP_MS);
	}
	atomic_compare_exchange_strong(&f->state, &looking, FREE_DROPS);
	return NULL;
}

struct free_pages *
free_pages_new(struct qemu_maps *maps, const struct qemu_ram *ram,
	       struct err *e)
{
	struct free_pages *f = calloc(1, sizeof(*f));

	if (!f) {
		qemu_maps_close(maps);
		(void)err_sys(e, "free pages");
		return NULL;
	}
	f->maps = qemu_maps_take(maps);
	f->ram = *ram;
	snprintf(f->machine, sizeof(f->machine), "%s", ram->machine);
	f->ram.machine = f->machine;
	f->why = "the link was not what it waited for";
	errno = pthread_create(&f->thread, NULL, free_run, f);
	if (errno == 0)
		return f;
	(void)err_sys(e, "a thread");
	qemu_maps_close(&f->maps);
	free(f);
	return NULL;
}

void
free_pages_free(struct free_pages *f)
{
	if (!f)
		return;
	f->leave = true;
	pthread_join(f->thread, NULL);
	guest_now_close(f->now);
	free_close(f);
	qemu_maps_close(&f->maps);
	free(f);
}

void
free_pages_look(struct free_pages *f)
{
	f->looked = false;
}

/* The first page that may be free makes us look; most batches have none. */
static bool
free_look(struct free_pages *f)
{
	if (!f->looked && !guest_now_look(f->now)) {
		f->lost = true;
		free_pages_stop(f, "the guest has started another kernel");
	}
	f->looked = true;
	return !f->lost;
}

bool
free_pages_drops(struct free_pages *f, uint64_t n, const uint8_t *page)
{
	uint8_t now[PAGE_BYTES];

	if (free_pages_state(f) != FREE_DROPS || !free_look(f) ||
	    !guest_now_is_free(f->now, n) ||
	    !qemu_live_read(&f->memory, n, now) ||
	    memcmp(now, page, PAGE_BYTES) != 0)
		return false;
	f->ndropped++;
	f->clock = guest_now_clock(f->now);
	return true;
}

/* Whether the CPUs run the kernel whose word was taken.  Where QEMU's state is
 * not understood it must have ticked since.
 */
static bool
free_runs(const struct free_pages *f, struct span state)
{
	struct cpu_state cpu;
	bool found = false;

	while (cpu_state_next(&state, &cpu)) {
		if (!(cpu.cr0 & CR0_PAGING))
			continue;
		if (guest_now_runs(f->now, cpu.cr3))
			return true;
		found = true;
	}
	return !found && guest_now_clock(f->now) > f->clock;
}

int
free_pages_confirm(struct free_pages *f, struct span state, struct err *e)
{
	if (f->ndropped == 0 ||
	    (!f->lost && guest_now_look(f->now) && free_runs(f, state)))
		return 0;
	return err_set(e, ERR_LIMIT,
		       "the guest has started another kernel while it moved; "
		       "its free pages were left out: try again, or with "
		       "--no-free-drop");
}
