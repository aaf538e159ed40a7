/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/page.h"
#include "dedup/image.h"
#include "dedup/index-build.h"
#include "dedup/index.h"
#include "tests/test.h"
#include "tools/peer.h"

/* A memory of NPAGES pages in a file: a third zero, a third words that repeat
 * with a period, a third random; not a whole number of packets or batches.
 * The image holds the random pages, but for the last NNOVEL.
 */
#define NPAGES  1001u
#define NZERO   334u
#define NRANDOM 333u
#define NTEXT   334u
#define NNOVEL  10u

struct fixture {
	char dir[64];
	struct memory memory;
	struct image *image;
	struct index *index;
	struct bench_input in;
};

static void
fill_page(uint8_t *page, size_t n, uint64_t *seed)
{
	if (n % 3 == 0) {
		memset(page, 0, PAGE_BYTES);
		return;
	}
	for (size_t i = 0; i < PAGE_BYTES; i += 8) {
		uint64_t w = n % 3 == 1 ? test_random(seed) : i % 200 + n;

		memcpy(page + i, &w, 8);
	}
}

static void
write_file(const char *path, const uint8_t *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Opens what the peers are given besides the memory. */
static void
open_image(struct fixture *f, const uint8_t *memory)
{
	size_t n = NRANDOM - NNOVEL;
	uint8_t *blocks = malloc(n * PAGE_BYTES);
	struct index_how how = { .threads = 1 };
	struct index_build_stats stats;
	char path[128], index[128];
	struct err e;

	assert_non_null(blocks);
	for (size_t i = 0; i < n; i++)
		memcpy(blocks + i * PAGE_BYTES,
		       memory + (3 * i + 1) * PAGE_BYTES, PAGE_BYTES);
	snprintf(path, sizeof(path), "%s/image", f->dir);
	snprintf(index, sizeof(index), "%s/index", f->dir);
	write_file(path, blocks, n * PAGE_BYTES);
	f->image = image_open(path, &e);
	assert_non_null(f->image);
	assert_ok(index_build(f->image, index, &how, &stats, &e), &e);
	f->index = index_open(index, &e);
	assert_non_null(f->index);
	unlink(path);
	unlink(index);
	free(blocks);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint8_t *bytes = malloc(NPAGES * PAGE_BYTES);
	uint64_t seed = 7;
	char path[128];
	struct err e;

	assert_non_null(f);
	assert_non_null(bytes);
	strcpy(f->dir, "/tmp/test-bench-peers.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	for (size_t i = 0; i < NPAGES; i++)
		fill_page(bytes + i * PAGE_BYTES, i, &seed);
	snprintf(path, sizeof(path), "%s/memory", f->dir);
	write_file(path, bytes, NPAGES * PAGE_BYTES);
	assert_ok(memory_open(&f->memory, path, NULL, 0, &e), &e);
	assert_int_equal(f->memory.npages, NPAGES);
	unlink(path);
	open_image(f, bytes);
	f->in = (struct bench_input){ .memory = &f->memory,
				      .images = &f->image,
				      .indexes = &f->index,
				      .nimages = 1,
				      .threads = 1 };
	free(bytes);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	index_close(f->index);
	image_close(f->image);
	memory_close(&f->memory);
	rmdir(f->dir);
	free(f);
	return 0;
}

static const struct peer *
peer_named(const char *name)
{
	size_t n;
	const struct peer *p = peer_list(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(p[i].name, name) == 0)
			return &p[i];
	fail_msg("no peer %s", name);
	return NULL;
}

static void
every_peer_gives_back_every_byte(void **state)
{
	struct fixture *f = *state;
	const size_t random = NRANDOM * (size_t)PAGE_BYTES;
	const struct peer *p;
	struct err e;
	size_t n;

	p = peer_list(&n);
	for (size_t i = 0; i < n; i++) {
		struct bench_result r = { .verified = false };

		if (p[i].needs_images)
			continue;
		assert_ok(p[i].run(&p[i], &f->in, &r, &e), &e);
		assert_true(r.verified);
		assert_string_equal(r.name, p[i].name);
		/* Random pages do not shrink, the others nearly vanish. */
		assert_true(r.wire_bytes >= random);
		assert_true(r.wire_bytes < random + random / 4);
		assert_true(r.encode_cpu_s > 0 && r.decode_cpu_s > 0);
		assert_true(r.wall_s > 0);
		assert_int_equal(r.nsamples, 1);
	}
}

static void
pages_of_the_image_are_named_and_not_sent(void **state)
{
	struct fixture *f = *state;
	const struct peer *p = peer_named("blockmatch+gzip-6");
	struct bench_result r = { .verified = false };
	struct err e;

	assert_ok(p->run(p, &f->in, &r, &e), &e);
	assert_true(r.verified);
	assert_true(r.wire_bytes > NNOVEL * PAGE_BYTES);
	assert_true(r.wire_bytes < NRANDOM * PAGE_BYTES / 4);
}

static void
a_block_that_another_image_holds_is_not_named(void **state)
{
	struct fixture *f = *state;
	const struct peer *p = peer_named("blockmatch+gzip-6");
	struct bench_result r = { .verified = false };
	struct image *right = f->image;
	char path[128];
	struct err e;

	/* The index says where blocks were; the bytes there are others. */
	snprintf(path, sizeof(path), "%s/other", f->dir);
	write_file(path, f->memory.map.data,
		   (NRANDOM - NNOVEL) * (size_t)PAGE_BYTES);
	f->image = image_open(path, &e);
	assert_non_null(f->image);
	unlink(path);
	assert_ok(p->run(p, &f->in, &r, &e), &e);
	assert_true(r.wire_bytes > NRANDOM * (size_t)PAGE_BYTES);
	image_close(f->image);
	f->image = right;
}

static void
gzip_is_as_small_as_the_command_makes_it(void **state)
{
	struct fixture *f = *state;
	const struct peer *p = peer_named("gzip-6");
	struct bench_result r = { .verified = false };
	char path[128], command[256];
	unsigned long long size = 0;
	struct err e;
	FILE *out;

	snprintf(path, sizeof(path), "%s/again", f->dir);
	write_file(path, f->memory.map.data, f->memory.map.len);
	snprintf(command, sizeof(command), "gzip -6 <%s | wc -c", path);
	out = popen(command, "r");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%llu", &size), 1);
	pclose(out);
	unlink(path);
	assert_ok(p->run(p, &f->in, &r, &e), &e);
	/* The command stores what does not shrink in smaller blocks. */
	assert_true(r.wire_bytes > size - size / 50);
	assert_true(r.wire_bytes < size + size / 50);
}

static void
multifd_pays_for_packets_and_zero_pages(void **state)
{
	struct fixture *f = *state;
	const struct peer *p = peer_named("qemu-multifd-zlib-1");
	struct bench_result r = { .verified = false };
	size_t random = NRANDOM * (size_t)PAGE_BYTES;
	size_t packets = (NRANDOM + NTEXT + 127) / 128;
	struct err e;

	assert_ok(p->run(p, &f->in, &r, &e), &e);
	assert_true(r.wire_bytes > random + NZERO * 9 + packets * 1344);
}

/* zlib, but the decoder turns a bit in its last byte. */
static int
decode_wrong(void *decoder, struct span *in, uint8_t *out, size_t cap,
	     size_t *n, struct err *e)
{
	if (peer_zlib.decode(decoder, in, out, cap, n, e) != 0)
		return -1;
	if (*n)
		out[*n - 1] ^= 1;
	return 0;
}

/* zlib, but the decoder loses a byte. */
static int
decode_short(void *decoder, struct span *in, uint8_t *out, size_t cap,
	     size_t *n, struct err *e)
{
	if (peer_zlib.decode(decoder, in, out, cap, n, e) != 0)
		return -1;
	if (*n && *n < cap)
		--*n;
	return 0;
}

static void
assert_refused(struct fixture *f, const char *name,
	       int (*decode)(void *, struct span *, uint8_t *, size_t, size_t *,
			     struct err *))
{
	struct peer p = *peer_named(name);
	struct peer_coder coder = peer_zlib;
	struct bench_result r = { .verified = false };
	struct err e = { .code = ERR_NONE };

	coder.decode = decode;
	p.coder = &coder;
	assert_err(p.run(&p, &f->in, &r, &e), &e, ERR_CORRUPT);
	assert_non_null(strstr(e.text, name));
	assert_false(r.verified);
}

static void
a_peer_that_changes_a_bit_is_refused(void **state)
{
	assert_refused(*state, "gzip-6", decode_wrong);
	assert_refused(*state, "blockmatch+gzip-6", decode_wrong);
	assert_refused(*state, "qemu-multifd-zlib-1", decode_wrong);
}

static void
a_peer_that_loses_bytes_is_refused(void **state)
{
	assert_refused(*state, "gzip-6", decode_short);
	assert_refused(*state, "blockmatch+gzip-6", decode_short);
	assert_refused(*state, "qemu-multifd-zlib-1", decode_short);
}

static void
a_peer_stops_when_told(void **state)
{
	struct fixture *f = *state;
	volatile sig_atomic_t stop = 1;
	const struct peer *p;
	struct err e;
	size_t n;

	p = peer_list(&n);
	f->in.progress.cancelled = &stop;
	for (size_t i = 0; i < n; i++) {
		struct bench_result r = { .verified = false };

		assert_err(p[i].run(&p[i], &f->in, &r, &e), &e, ERR_CANCELLED);
		assert_false(r.verified);
	}
	f->in.progress.cancelled = NULL;
}

static void
peers_are_chosen_by_name(void **state)
{
	bool chosen[PEERS_MAX];
	const struct peer *p;
	struct err e;
	size_t n;

	(void)state;
	p = peer_list(&n);
	assert_ok(peer_choose("default", true, chosen, &e), &e);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(chosen[i], !p[i].opt_in);
	assert_ok(peer_choose("all", false, chosen, &e), &e);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(chosen[i], !p[i].needs_images);
	assert_ok(peer_choose("none", true, chosen, &e), &e);
	for (size_t i = 0; i < n; i++)
		assert_false(chosen[i]);
	assert_ok(peer_choose("xz-6,gzip-6", true, chosen, &e), &e);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(chosen[i],
				 strcmp(p[i].name, "xz-6") == 0 ||
					 strcmp(p[i].name, "gzip-6") == 0);
	assert_err(peer_choose("gzip", true, chosen, &e), &e, ERR_USAGE);
	assert_err(peer_choose("gzip-6,", true, chosen, &e), &e, ERR_USAGE);
	assert_err(peer_choose("blockmatch+gzip-6", false, chosen, &e), &e,
		   ERR_USAGE);
}

static void
figures_are_the_median_of_the_runs(void **state)
{
	struct bench_result r = { .nsamples = 0 };

	(void)state;
	bench_result_add(&r, &(struct bench_sample){ 3, 1, 9 });
	assert_true(r.encode_cpu_s == 3 && r.wall_s == 9);
	bench_result_add(&r, &(struct bench_sample){ 1, 2, 5 });
	assert_true(r.encode_cpu_s == 2 && r.wall_s == 7);
	bench_result_add(&r, &(struct bench_sample){ 2, 9, 6 });
	assert_true(r.encode_cpu_s == 2 && r.decode_cpu_s == 2);
	assert_true(r.wall_s == 6);
	assert_int_equal(r.nsamples, 3);
}

static void
moving_takes_as_long_as_its_slowest_part(void **state)
{
	struct bench_link slow = { "1M", 1e6 }, fast = { "10G", 1e10 };
	struct bench_result r = { .wire_bytes = 1000000,
				  .encode_cpu_s = 4,
				  .decode_cpu_s = 1 };

	(void)state;
	assert_true(bench_move_s(&r, &slow, 2) == 8);
	assert_true(bench_move_s(&r, &fast, 2) == 2);
	r.decode_cpu_s = 6;
	assert_true(bench_move_s(&r, &fast, 2) == 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_peer_gives_back_every_byte),
		cmocka_unit_test(pages_of_the_image_are_named_and_not_sent),
		cmocka_unit_test(a_block_that_another_image_holds_is_not_named),
		cmocka_unit_test(gzip_is_as_small_as_the_command_makes_it),
		cmocka_unit_test(multifd_pays_for_packets_and_zero_pages),
		cmocka_unit_test(a_peer_that_changes_a_bit_is_refused),
		cmocka_unit_test(a_peer_that_loses_bytes_is_refused),
		cmocka_unit_test(a_peer_stops_when_told),
		cmocka_unit_test(peers_are_chosen_by_name),
		cmocka_unit_test(figures_are_the_median_of_the_runs),
		cmocka_unit_test(moving_takes_as_long_as_its_slowest_part),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
