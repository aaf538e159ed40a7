/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_FUZZ_ENGINE_H
#define MIG_FUZZ_ENGINE_H

#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "common/page.h"
#include "receiver/decode.h"
#include "sender/encode.h"

/* What fuzz-decode and fuzz-roundtrip share: a memory made of the bytes they
 * are given, and both ends of the engine, run on the calling thread.
 */
#define FUZZ_PAGES 64

/* The segments, and the one run, of a memory that is all pages. */
struct fuzz_memory {
	struct memory memory;
	struct memory_segment segment;
	struct memory_run run;
};

static inline void
fuzz_memory(struct fuzz_memory *f, const uint8_t *bytes, uint64_t npages)
{
	f->segment = (struct memory_segment){ .len = npages * PAGE_BYTES,
					      .is_pages = true };
	f->run = (struct memory_run){ .npages = npages };
	f->memory = (struct memory){
		.map = { bytes, npages * PAGE_BYTES, -1 },
		.format = "raw",
		.segments = &f->segment,
		.nsegments = npages > 0,
		.npages = npages,
		.by_gpa = &f->run,
		.nruns = npages > 0,
	};
}

static inline void
fuzz_run(struct pool_job *job)
{
	if (job->early)
		job->early(job, 0);
	if (job->turn)
		job->turn(job, 0);
	if (job->late)
		job->late(job, 0);
}

/* The receiver's output: FUZZ_PAGES pages and as many opaque bytes. */
struct fuzz_output {
	uint8_t pages[FUZZ_PAGES * PAGE_BYTES];
	uint8_t bytes[FUZZ_PAGES];
};

static inline uint8_t *
fuzz_page(void *arg, uint64_t n)
{
	struct fuzz_output *o = arg;

	return n < FUZZ_PAGES ? o->pages + n * PAGE_BYTES : NULL;
}

static inline const uint8_t *
fuzz_history(void *arg, uint64_t n)
{
	return fuzz_page(arg, n);
}

static inline int
fuzz_bytes(void *arg, uint64_t first, const uint8_t *bytes, uint64_t n,
	   struct err *e)
{
	struct fuzz_output *o = arg;

	if (first > FUZZ_PAGES || n > FUZZ_PAGES - first)
		return err_set(e, ERR_PROTOCOL, "no such bytes");
	memcpy(o->bytes + first, bytes, n);
	return 0;
}

static inline struct rebuild_target
fuzz_target(struct fuzz_output *o)
{
	return (struct rebuild_target){ .page = fuzz_page,
					.history = fuzz_history,
					.bytes = fuzz_bytes,
					.arg = o };
}

/* Pages to begin from: every plan code has one. */
static inline void
fuzz_pages(uint8_t *pages, uint64_t npages)
{
	for (uint64_t n = 0; n < npages; n++)
		for (unsigned w = 0; w < PAGE_WORDS; w++) {
			uint64_t v =
				n % 4 == 0   ? 0
				: n % 4 == 1 ? n / 8
				: n % 4 == 2
					? 0x7f0000000000 + (n << 12) + (w << 4)
					: (w / 16) * 0x9e3779b97f4a7c15;

			memcpy(pages + n * PAGE_BYTES + 8 * (size_t)w, &v, 8);
		}
}

#endif
