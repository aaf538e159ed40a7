/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only program of the guest of free-pages.sh: it takes memory, fills it,
 * looks whether all of it is still there, and gives it back, as fast as it can;
 * and it keeps some for good.  Each second it says how much of it was wrong.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE      4096
#define SLOTS     96
#define MOST      500 /* pages of a slot */
#define KEPT      4000
#define FILE_PATH "/file"

static struct slot {
	uint64_t *at;
	size_t pages;
	uint64_t seed;
} slots[SLOTS];

static uint64_t bad, done;

static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void
fill(uint64_t *at, size_t words, uint64_t seed)
{
	for (size_t i = 0; i < words; i++)
		at[i] = next(&seed);
}

static void
check(const uint64_t *at, size_t words, uint64_t seed)
{
	for (size_t i = 0; i < words; i++)
		bad += at[i] != next(&seed);
}

static void
take(struct slot *s, uint64_t *x)
{
	s->pages = 1 + next(x) % MOST;
	s->seed = next(x) | 1;
	s->at = mmap(NULL, s->pages * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->at == MAP_FAILED) {
		s->at = NULL;
		return;
	}
	/* What is given to a program must be zero. */
	for (size_t i = 0; i < s->pages * PAGE / 8; i++)
		bad += s->at[i] != 0;
	fill(s->at, s->pages * PAGE / 8, s->seed);
}

static void
give_back(struct slot *s)
{
	check(s->at, s->pages * PAGE / 8, s->seed);
	munmap(s->at, s->pages * PAGE);
	s->at = NULL;
}

/* A file that comes and goes: pages that the kernel does not clear. */
static void
use_file(uint64_t *x)
{
	static uint64_t page[PAGE / 8];
	int fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t seed = next(x) | 1;

	for (uint64_t i = 0; i < 256; i++) {
		fill(page, PAGE / 8, seed + i);
		if (write(fd, page, PAGE) != PAGE)
			bad++;
	}
	for (uint64_t i = 0; i < 256; i++) {
		if (pread(fd, page, PAGE, (off_t)(i * PAGE)) != PAGE)
			bad++;
		check(page, PAGE / 8, seed + i);
	}
	close(fd);
	unlink(FILE_PATH);
}

/* Processes are made and end, with all that belongs to them. */
static void
use_process(uint64_t x)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		struct slot s = { 0 };

		bad = 0;
		for (unsigned i = 0; i < 4; i++) {
			take(&s, &x);
			if (s.at)
				give_back(&s);
		}
		_exit(bad > 0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		bad++;
}

int
main(void)
{
	uint64_t x = 88172645463325252ULL;
	uint64_t *kept = mmap(NULL, KEPT * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	time_t said = 0;

	fill(kept, KEPT * PAGE / 8, 7);
	for (;;) {
		struct slot *s = &slots[next(&x) % SLOTS];

		if (s->at)
			give_back(s);
		else
			take(s, &x);
		if (++done % 16 == 0)
			use_file(&x);
		if (done % 32 == 0)
			use_process(next(&x));
		if (done % 128 == 0)
			check(kept, KEPT * PAGE / 8, 7);
		if (time(NULL) == said)
			continue;
		said = time(NULL);
		printf("churn: done=%llu bad=%llu\n", (unsigned long long)done,
		       (unsigned long long)bad);
		fflush(stdout);
	}
}
