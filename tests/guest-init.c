/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only program of the guest of linux-guest.sh: it makes every class of
 * page, says how many of each the kernel counts, and then does nothing more,
 * so that memory stays as it was when it said so.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest-programs.h"

#define PAGE 4096

static const char owned[] = "virt-mig: this page is owned";
static const char freed[] = "virt-mig: this page was freed";

static void
die(const char *what)
{
	perror(what);
	printf("guest: failed\n");
	for (;;)
		pause();
}

/* Words that look like anything. */
static void
mark(uint8_t *page, const char *text)
{
	static uint64_t x = 88172645463325252ULL;

	for (unsigned i = 0; i < PAGE; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(page + i, &x, 8);
	}
	memcpy(page, text, strlen(text));
}

static void
load_modules(void)
{
	struct dirent **names;
	int n = scandir("/modules", &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[300];
		int fd;

		snprintf(path, sizeof(path), "/modules/%s", names[i]->d_name);
		fd = open(path, O_RDONLY);
		if (names[i]->d_name[0] != '.' &&
		    (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0))
			perror(path);
		close(fd);
	}
}

static uint8_t *
make_private(size_t pages, const char *text, int huge)
{
	uint8_t *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	if (huge)
		madvise(at, pages * PAGE, MADV_HUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		mark(at + i * PAGE, text);
	return at;
}

/* In a tmpfs, in a pipe, and in a process of its own. */
static void
make_others(void)
{
	static uint8_t page[PAGE];
	int pipes[2], fd = open("/tmp/shared", O_RDWR | O_CREAT, 0600);

	for (unsigned i = 0; i < 1024; i++) {
		mark(page, owned);
		if (write(fd, page, PAGE) != PAGE)
			die("/tmp/shared");
	}
	if (pipe(pipes) != 0)
		die("pipe");
	for (unsigned i = 0; i < 16; i++) {
		mark(page, owned);
		if (write(pipes[1], page, PAGE) != PAGE)
			die("pipe");
	}
	if (fork() == 0) {
		make_private(1024, owned, 0);
		for (;;)
			pause();
	}
}

/* Files of the disk: some read, one written and synced, one only written. */
static void
use_files(void)
{
	static uint8_t page[PAGE];
	struct dirent **names;
	int n = scandir("/disk/files", &names, NULL, alphasort), fd;

	for (int i = 0; i < n; i++) {
		char path[300];

		snprintf(path, sizeof(path), "/disk/files/%s",
			 names[i]->d_name);
		fd = open(path, O_RDONLY);
		for (unsigned k = 0; k < 600; k++)
			if (pread(fd, page, PAGE,
				  (off_t)(k * 7919 % 1024) * PAGE) < 0)
				break;
		close(fd);
	}
	for (int synced = 1; synced >= 0; synced--) {
		fd = open(synced ? "/disk/synced" : "/disk/unsynced",
			  O_RDWR | O_CREAT, 0600);
		for (unsigned k = 0; k < 200; k++) {
			mark(page, "virt-mig: written");
			if (write(fd, page, PAGE) != PAGE)
				die("write");
		}
		if (synced && fsync(fd) != 0)
			die("fsync");
		close(fd);
	}
}

static void
say(const char *path)
{
	char text[8192];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	fputs(text, stdout);
	close(fd);
}

#define AGE_ROUNDS     6
#define AGE_CHILDREN   24
#define AGE_FILES      24
#define AGE_FILE_PAGES 2048

/* Files that are written, written again and read, more than fit into memory;
 * every third is deleted first.
 */
static void
churn_files(unsigned round)
{
	static uint8_t page[PAGE];

	mkdir("/disk/aged", 0755);
	for (unsigned k = 0; k < AGE_FILES; k++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/disk/aged/%u",
			 (round * 7 + k) % AGE_FILES);
		if ((round + k) % 3 == 2)
			unlink(path);
		fd = open(path, O_RDWR | O_CREAT, 0600);
		for (unsigned i = 0; i < AGE_FILE_PAGES; i += 1 + k % 2) {
			mark(page, "virt-mig: aged");
			if (pwrite(fd, page, PAGE, (off_t)i * PAGE) != PAGE)
				die(path);
		}
		if (k % 4 == 0 && fsync(fd) != 0)
			die(path);
		for (unsigned i = 0; i < AGE_FILE_PAGES; i += 2)
			if (pread(fd, page, PAGE, (off_t)i * PAGE) < 0)
				die(path);
		close(fd);
	}
}

/* Processes that come and go, some with huge pages, of which they give back
 * every other part.
 */
static void
churn_processes(void)
{
	pid_t pids[AGE_CHILDREN];

	for (unsigned i = 0; i < AGE_CHILDREN; i++) {
		uint8_t *at;

		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		at = make_private(1024, "virt-mig: of a child", i % 3 == 0);
		for (unsigned k = 0; k < 1024; k += 2)
			munmap(at + (size_t)k * PAGE, PAGE);
		_exit(0);
	}
	for (unsigned i = 0; i < AGE_CHILDREN; i++)
		waitpid(pids[i], NULL, 0);
}

static void
order(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, what, strlen(what)) < 0)
		perror(path);
	close(fd);
}

/* What days do to a guest, in half a minute: what is owned moves as memory is
 * compacted, files are thrown out as others come.
 */
static void
age(void)
{
	mkdir("/sys", 0755);
	mount("sys", "/sys", "sysfs", 0, NULL);
	/* Off by itself where there is so little memory. */
	order("/sys/kernel/mm/transparent_hugepage/enabled", "always");
	for (unsigned round = 0; round < AGE_ROUNDS; round++) {
		churn_processes();
		churn_files(round);
		if (round % 2)
			order("/proc/sys/vm/compact_memory", "1");
		if (round == AGE_ROUNDS / 2)
			order("/proc/sys/vm/drop_caches", "1");
	}
	say("/proc/vmstat");
}

static int
told_to(const char *word)
{
	char text[4096] = { 0 };
	int fd = open("/proc/cmdline", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 && strstr(text, word) != NULL;
}

int
main(void)
{
	static const char *const folders[] = { "/proc", "/dev", "/tmp",
					       "/disk" };

	for (unsigned i = 0; i < 4; i++)
		mkdir(folders[i], 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("tmp", "/tmp", "tmpfs", 0, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	load_modules();
	for (unsigned i = 0; i < 50 && access("/dev/vda", F_OK) != 0; i++)
		usleep(100000);
	if (mount("/dev/vda", "/disk", "ext4", MS_NOATIME, NULL) != 0)
		die("/dev/vda");
	make_private(6144, owned, 0);
	make_private(2048, owned, 1);
	make_others();
	if (told_to(" virt-mig-age"))
		age();
	use_files();
	map_programs("/disk/programs");
	munmap(make_private(8192, freed, 0), 8192 * PAGE);
	say("/proc/version");
	sleep(2);
	say("/proc/meminfo");
	printf("guest: ready\n");
	for (;;)
		pause();
}
