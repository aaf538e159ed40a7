/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only program of the guest that the tests migrate: fills memory, goes on
 * changing a part of it, checks every byte of it over and over, and says so
 * on the serial line five times a second:
 *
 *	HB <NUMBER> t=MS-SINCE-BOOT writes=PAGES rounds=CHECKS-OF-IT-ALL
 *	    bad=PAGES-THAT-WERE-WRONG disk=BLOCKS-THAT-WERE-WRONG <NUMBER>
 *
 * The number, of six digits, comes twice: a move may cut a line in two.
 *
 * The kernel's command line says how much: still=MB and busy=MB of pages that
 * nothing but their words can tell apart, text=MB, zero=MB, rate=pages changed
 * a second, whole=1 to change all of a page and not just its first words;
 * disk=1 that there is one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE      4096
#define WORDS     (PAGE / 8)
#define HEAD      8
#define BEAT_MS   200
#define DISK_SIDE 1024

struct area {
	uint64_t *words;
	long npages;
};

struct guest {
	char cmdline[4096];
	struct area still, busy, text, zero;
	uint64_t *generation; /* of each busy page */
	bool whole;
	int disk;
	uint64_t writes, rounds, bad, disk_bad, beats, random;
	long at; /* the page checked next */
};

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static long
param(const struct guest *g, const char *name, long fallback)
{
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), " %s=", name);
	at = strstr(g->cmdline, key);
	return at ? atol(at + strlen(key)) : fallback;
}

/* Writes words first..last-1 of a page that seed decides, or compares. */
static bool
page_words(uint64_t *page, uint64_t seed, int first, int last, bool write)
{
	uint64_t x = mix(seed) | 1;

	for (int i = first; i < last; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (write)
			page[i] = x;
		else if (page[i] != x)
			return false;
	}
	return true;
}

static uint64_t
seed_of(long page, uint64_t generation)
{
	return mix((uint64_t)page) + generation;
}

/* A busy page: its head is of this generation, and so is the rest of it, or
 * of generation 0.
 */
static bool
busy_words(struct guest *g, long n, bool write)
{
	uint64_t *page = g->busy.words + n * WORDS;
	uint64_t generation = g->generation[n];
	uint64_t rest = g->whole ? generation : 0;

	if (!page_words(page, ~seed_of(n, generation), 0, HEAD, write))
		return false;
	if (write && !g->whole && generation > 0)
		return true;
	return page_words(page, seed_of(n, rest), HEAD, WORDS, write);
}

static bool
text_words(struct guest *g, long n, bool write)
{
	char line[96], *page = (char *)(g->text.words + n * WORDS);
	int len = snprintf(line, sizeof(line),
			   "page %ld: a line of text as a program has many, "
			   "%lx times over\n",
			   n, (unsigned long)mix((uint64_t)n) & 0xfff);

	for (int at = 0; at + len <= PAGE; at += len) {
		if (write)
			memcpy(page + at, line, (size_t)len);
		else if (memcmp(page + at, line, (size_t)len) != 0)
			return false;
	}
	return true;
}

static bool
zero_words(struct guest *g, long n)
{
	const uint64_t *page = g->zero.words + n * WORDS;

	for (int i = 0; i < WORDS; i++)
		if (page[i] != 0)
			return false;
	return true;
}

static void
check_next(struct guest *g)
{
	long n = g->at;
	bool good;

	if (n < g->still.npages)
		good = page_words(g->still.words + n * WORDS, seed_of(n, 0), 0,
				  WORDS, false);
	else if ((n -= g->still.npages) < g->busy.npages)
		good = busy_words(g, n, false);
	else if ((n -= g->busy.npages) < g->text.npages)
		good = text_words(g, n, false);
	else
		good = zero_words(g, n - g->text.npages);
	if (!good && g->bad++ < 20)
		printf("BAD page %ld\n", g->at);
	g->at++;
	if (g->at == g->still.npages + g->busy.npages + g->text.npages +
			     g->zero.npages) {
		g->at = 0;
		g->rounds++;
	}
}

static void
change_one(struct guest *g)
{
	long n = (long)(g->random % (uint64_t)g->busy.npages);

	g->random = mix(g->random + 1);
	g->generation[n]++;
	busy_words(g, n, true);
	g->writes++;
}

static void
area_make(struct guest *g, struct area *a, const char *name, long mb)
{
	size_t len = (size_t)param(g, name, mb) << 20;

	a->npages = (long)(len / PAGE);
	a->words = mmap(NULL, len + PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (a->words == MAP_FAILED)
		printf("no memory for %s\n", name);
}

static void
memory_make(struct guest *g)
{
	area_make(g, &g->still, "still", 48);
	area_make(g, &g->busy, "busy", 32);
	area_make(g, &g->text, "text", 16);
	area_make(g, &g->zero, "zero", 16);
	g->generation = calloc((size_t)g->busy.npages + 1, 8);
	for (long n = 0; n < g->still.npages; n++)
		page_words(g->still.words + n * WORDS, seed_of(n, 0), 0, WORDS,
			   true);
	for (long n = 0; n < g->busy.npages; n++)
		busy_words(g, n, true);
	for (long n = 0; n < g->text.npages; n++)
		text_words(g, n, true);
}

/* Which of them needs which differs between kernels: see twice. */
static void
load_modules(void)
{
	static const char *const names[] = { "virtio",
					     "virtio_ring",
					     "virtio_pci_legacy_dev",
					     "virtio_pci_modern_dev",
					     "virtio_pci",
					     "virtio_blk" };
	const size_t n = sizeof(names) / sizeof(names[0]);
	char path[64];

	for (size_t i = 0; i < 2 * n; i++) {
		snprintf(path, sizeof(path), "/mod/%s.ko", names[i % n]);
		int fd = open(path, O_RDONLY);

		syscall(SYS_finit_module, fd, "", 0);
		close(fd);
	}
}

/* Each beat leaves its number on the disk, and an earlier one is looked at. */
static void
beat_disk(struct guest *g)
{
	static uint64_t block[WORDS] __attribute__((aligned(PAGE)));
	uint64_t earlier = g->beats - 5;

	memset(block, 0, sizeof(block));
	block[0] = g->beats;
	if (pwrite(g->disk, block, PAGE,
		   (off_t)(g->beats % DISK_SIDE) * PAGE) != PAGE)
		g->disk_bad++;
	if (g->beats > 10 &&
	    (pread(g->disk, block, PAGE, (off_t)(earlier % DISK_SIDE) * PAGE) !=
		     PAGE ||
	     block[0] != earlier))
		g->disk_bad++;
}

static void
beat(struct guest *g, uint64_t now)
{
	g->beats++;
	if (g->disk >= 0)
		beat_disk(g);
	printf("HB <%06llu> t=%llu writes=%llu rounds=%llu bad=%llu disk=%llu "
	       "<%06llu>\n",
	       (unsigned long long)g->beats, (unsigned long long)now,
	       (unsigned long long)g->writes, (unsigned long long)g->rounds,
	       (unsigned long long)g->bad, (unsigned long long)g->disk_bad,
	       (unsigned long long)g->beats);
}

static void
run(struct guest *g, long rate)
{
	uint64_t last = now_ms(), next = last;
	double credit = 0;

	for (;;) {
		uint64_t now = now_ms();

		credit += (double)(now - last) * (double)rate / 1000;
		last = now;
		if (credit > (double)rate)
			credit = (double)rate;
		for (int i = 0; i < 512 && credit >= 1; i++, credit--)
			if (g->busy.npages > 0)
				change_one(g);
		for (int i = 0; i < 64; i++)
			check_next(g);
		if (now >= next) {
			next = now + BEAT_MS;
			beat(g, now);
		}
		usleep(2000);
	}
}

int
main(void)
{
	static struct guest g = { .disk = -1, .random = 12345 };
	int fd;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = open("/proc/cmdline", O_RDONLY);
	if (fd < 0 || read(fd, g.cmdline, sizeof(g.cmdline) - 1) < 0)
		printf("no command line\n");
	g.whole = param(&g, "whole", 0) != 0;
	load_modules();
	memory_make(&g);
	g.disk = open("/dev/vda", O_RDWR | O_DIRECT);
	if (g.disk < 0 && param(&g, "disk", 0))
		g.disk_bad++;
	run(&g, param(&g, "rate", 2000));
}
