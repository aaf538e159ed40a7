/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "common/mem.h"
#include "common/page.h"
#include "wire/layout.h"
#include "wire/message.h"

void
layout_init(struct layout *l)
{
	*l = (struct layout){ .runs = NULL };
}

void
layout_fini(struct layout *l)
{
	free(l->runs);
	layout_init(l);
}

static struct layout_run *
layout_new_run(struct layout *l, bool is_pages, struct err *e)
{
	struct layout_run *run;

	if (l->nruns == LAYOUT_RUNS_MAX) {
		(void)err_set(e, ERR_LIMIT, "layout of more than %d runs",
			      LAYOUT_RUNS_MAX);
		return NULL;
	}
	if (l->nruns == l->cap) {
		size_t cap = MAX(2 * l->cap, (size_t)16);

		run = realloc(l->runs, cap * sizeof(*run));
		if (!run) {
			(void)err_sys(e, "layout");
			return NULL;
		}
		l->runs = run;
		l->cap = cap;
	}
	run = &l->runs[l->nruns++];
	*run = (struct layout_run){ .is_pages = is_pages,
				    .first = is_pages ? l->npages : l->nbytes,
				    .offset = l->len };
	return run;
}

int
layout_add(struct layout *l, bool is_pages, uint64_t n, struct err *e)
{
	uint64_t unit = is_pages ? PAGE_BYTES : 1;
	struct layout_run *run = l->nruns ? &l->runs[l->nruns - 1] : NULL;

	if (n == 0)
		return err_set(e, ERR_PROTOCOL, "layout with an empty run");
	if (n > (LAYOUT_FILE_MAX - l->len) / unit)
		return err_set(e, ERR_LIMIT, "layout of more than 64 TiB");
	if (!run || run->is_pages != is_pages)
		run = layout_new_run(l, is_pages, e);
	if (!run)
		return -1;
	run->n += n;
	*(is_pages ? &l->npages : &l->nbytes) += n;
	l->len += n * unit;
	return 0;
}

int
layout_put(struct buf *b, const struct layout *l, struct err *e)
{
	size_t at;

	if (message_begin(b, MESSAGE_LAYOUT, &at, e) < 0)
		return -1;
	for (size_t i = 0; i < l->nruns; i++)
		if (buf_put_u64(b, l->runs[i].n << 1 | l->runs[i].is_pages, e) <
		    0)
			return -1;
	return message_end(b, at, e);
}

int
layout_get(struct span body, struct layout *l, struct err *e)
{
	uint64_t v;

	while (body.left > 0)
		if (span_get_u64(&body, &v, e) < 0 ||
		    layout_add(l, v & 1, v >> 1, e) < 0)
			return -1;
	return 0;
}

/* Kinds alternate, so that the run in the middle or the one after it is of
 * the kind looked for and says where to go on.
 */
static const struct layout_run *
layout_find(const struct layout *l, bool is_pages, uint64_t n)
{
	size_t low = 0, high = l->nruns;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		size_t at = mid + (l->runs[mid].is_pages != is_pages);

		if (at == high || l->runs[at].first > n)
			high = mid;
		else if (n - l->runs[at].first < l->runs[at].n)
			return &l->runs[at];
		else
			low = at + 1;
	}
	return NULL;
}

bool
layout_page(const struct layout *l, uint64_t n, uint64_t *offset)
{
	const struct layout_run *r = layout_find(l, true, n);

	if (!r)
		return false;
	*offset = r->offset + (n - r->first) * PAGE_BYTES;
	return true;
}

bool
layout_byte(const struct layout *l, uint64_t n, uint64_t *offset,
	    uint64_t *follow)
{
	const struct layout_run *r = layout_find(l, false, n);

	if (!r)
		return false;
	*offset = r->offset + (n - r->first);
	*follow = r->n - (n - r->first);
	return true;
}
