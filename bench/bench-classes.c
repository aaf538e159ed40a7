/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify/guest.h"
#include "codec/codec.h"
#include "common/mem.h"
#include "common/page.h"
#include "dedup/held.h"
#include "sender/planner.h"
#include "sender/source.h"

/* bench-classes MEMORY IMAGE [CODEC...]: what each class of a guest's pages
 * costs that nothing of the image explains, coded by itself, and what coding
 * each frame class by class would save.  Copies are not looked for.
 */
#define BLOCK_BYTES (4u << 20)
#define CODECS_MAX  8

struct held_bases {
	struct held held[3];
	struct base bases[4];
	size_t n;
};

struct measure {
	struct memory memory;
	struct physical physical;
	struct guest guest;
	struct held_bases h;
	struct planner *planner;
	struct codec_set *set;
	struct codec_choice codecs[CODECS_MAX];
	size_t ncodecs;
	uint8_t *block, *coded;
	uint64_t ordered[CODECS_MAX], grouped[CODECS_MAX];
	struct class
	{
		uint8_t *block; /* pages of it, from frame to frame */
		size_t len;
		uint64_t pages, bytes[CODECS_MAX];
	} classes[CLASS__MAX];
};

static int
code(struct measure *m, const uint8_t *in, size_t len, uint64_t *sums,
     struct err *e)
{
	enum codec_id used;
	size_t n;

	for (size_t i = 0; len > 0 && i < m->ncodecs; i++) {
		if (codec_encode(m->set, m->codecs[i], in, len, m->coded, &n,
				 &used, e) < 0)
			return -1;
		sums[i] += n;
	}
	return 0;
}

static int
add_page(struct measure *m, struct class *c, const uint8_t *page, struct err *e)
{
	if (c->len == BLOCK_BYTES) {
		if (code(m, c->block, c->len, c->bytes, e) < 0)
			return -1;
		c->len = 0;
	}
	memcpy(c->block + c->len, page, PAGE_BYTES);
	c->len += PAGE_BYTES;
	c->pages++;
	return 0;
}

/* The pages of a frame that are sent, in order and class by class. */
static int
add_frame(struct measure *m, const struct batch *b, const struct planned *p,
	  struct err *e)
{
	size_t len = 0;

	for (uint32_t i = 0; i < b->npages; i++)
		if (p->codes[i] == PLAN_DATA) {
			memcpy(m->block + len, b->pages[i].bytes, PAGE_BYTES);
			len += PAGE_BYTES;
		}
	if (code(m, m->block, len, m->ordered, e) < 0)
		return -1;
	len = 0;
	for (unsigned k = 0; k < CLASS__MAX; k++)
		for (uint32_t i = 0; i < b->npages; i++) {
			const struct batch_page *page = &b->pages[i];

			if (p->codes[i] != PLAN_DATA ||
			    guest_class(&m->guest, page->number) != k)
				continue;
			memcpy(m->block + len, page->bytes, PAGE_BYTES);
			len += PAGE_BYTES;
			if (add_page(m, &m->classes[k], page->bytes, e) < 0)
				return -1;
		}
	return code(m, m->block, len, m->grouped, e);
}

static int
run(struct measure *m, struct err *e)
{
	const struct planner_limits limits = { .keep = true,
					       .block_bytes = BLOCK_BYTES };
	auto_free struct planned *p = calloc(1, sizeof(*p));
	auto_free struct batch *b = calloc(1, sizeof(*b));
	struct source_cursor at = { 0 };
	struct plan_writer w;
	int ret = p && b ? 0 : err_sys(e, "a frame");

	plan_writer_init(&w, base_guest_like(m->h.bases, m->h.n));
	while (ret == 0) {
		source_fill(&m->memory, &at, UINT32_MAX, UINT32_MAX, b);
		ret = planner_frame(m->planner, &limits, b, &w, p, e);
		if (ret < 0 || b->npages + b->nbytes == 0)
			break;
		ret = add_frame(m, b, p, e);
		source_advance(&m->memory, &at, b->npages, b->nbytes);
	}
	for (unsigned k = 0; k < CLASS__MAX && ret == 0; k++)
		ret = code(m, m->classes[k].block, m->classes[k].len,
			   m->classes[k].bytes, e);
	plan_writer_fini(&w);
	return ret;
}

static void
row(const char *name, uint64_t pages, const uint64_t *bytes, size_t n)
{
	printf("| %s | %llu |", name, (unsigned long long)pages);
	for (size_t i = 0; i < n; i++)
		printf(" %llu |", (unsigned long long)bytes[i]);
	printf("\n");
}

static void
print(const struct measure *m, char **names)
{
	uint64_t pages = 0;

	printf("| class | pages |");
	for (size_t i = 0; i < m->ncodecs; i++)
		printf(" %s |", names[i]);
	printf("\n|---|---|");
	for (size_t i = 0; i < m->ncodecs; i++)
		printf("---|");
	printf("\n");
	for (unsigned k = 0; k < CLASS__MAX; k++) {
		pages += m->classes[k].pages;
		if (m->classes[k].pages > 0)
			row(class_name(k), m->classes[k].pages,
			    m->classes[k].bytes, m->ncodecs);
	}
	row("all, in page order", pages, m->ordered, m->ncodecs);
	row("all, each frame by class", pages, m->grouped, m->ncodecs);
}

static int
open_bases(struct held_bases *h, const char *image, uint64_t npages,
	   struct err *e)
{
	static const struct index_how how = { .threads = 1 };
	struct err none;

	h->bases[h->n++] =
		(struct base){ .kind = BASE_HISTORY, .npages = npages };
	if (held_open_image(&h->held[0], image, NULL, &how, e) < 0)
		return -1;
	h->bases[h->n++] = h->held[0].base;
	if (held_open_kernel(&h->held[h->n - 1], &h->held[0], 0, &none) == 0) {
		h->bases[h->n] = h->held[h->n - 1].base;
		h->n++;
	}
	if (held_open_programs(&h->held[h->n - 1], &h->held[0], &how, &none) ==
	    0) {
		h->bases[h->n] = h->held[h->n - 1].base;
		h->n++;
	}
	return 0;
}

static int
open_all(struct measure *m, char **argv, struct err *e)
{
	struct planner_config config = { .memory = &m->memory,
					 .bases = m->h.bases,
					 .guest = &m->guest };

	if (memory_open(&m->memory, argv[1], NULL, 0, e) < 0 ||
	    open_bases(&m->h, argv[2], m->memory.npages, e) < 0)
		return -1;
	m->physical = physical_of(&m->memory);
	if (guest_open(&m->guest, &m->physical, e) < 0)
		return -1;
	if (!m->guest.pages)
		return err_set(e, ERR_USAGE, "%s: no guest's tables", argv[1]);
	for (unsigned k = 0; k < CLASS__MAX; k++) {
		m->classes[k].block = malloc(BLOCK_BYTES);
		if (!m->classes[k].block)
			return err_sys(e, "blocks");
	}
	config.nbases = m->h.n;
	m->planner = planner_new(&config, e);
	m->set = codec_set_new(e);
	m->block = malloc((size_t)FRAME_PAGES_MAX * PAGE_BYTES);
	m->coded = malloc(codec_bound((size_t)FRAME_PAGES_MAX * PAGE_BYTES));
	if (!m->block || !m->coded)
		return err_sys(e, "blocks");
	return m->planner && m->set ? 0 : -1;
}

int
main(int argc, char **argv)
{
	static char *usual[] = { (char *)"zstd:1", (char *)"page:0",
				 (char *)"page:2" };
	static struct measure m; /* the process's end frees what it holds */
	char **names = argc > 3 ? argv + 3 : usual;
	struct err e;

	m.ncodecs = argc > 3 ? (size_t)argc - 3 : ARRAY_LEN(usual);
	if (argc < 3 || m.ncodecs > CODECS_MAX) {
		fprintf(stderr, "Usage: bench-classes MEMORY IMAGE "
				"[CODEC...]\n");
		return 2;
	}
	for (size_t i = 0; i < m.ncodecs; i++)
		if (codec_parse(names[i], &m.codecs[i], &e) < 0) {
			fprintf(stderr, "bench-classes: %s\n", e.text);
			return 2;
		}
	if (open_all(&m, argv, &e) < 0 || run(&m, &e) < 0) {
		fprintf(stderr, "bench-classes: %s\n", e.text);
		return 1;
	}
	print(&m, names);
	return 0;
}
