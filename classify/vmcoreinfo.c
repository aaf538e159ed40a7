/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "classify/vmcoreinfo.h"
#include "common/mem.h"
#include "common/page.h"

static const char first_line[] = "OSRELEASE=";

/* The text stands at the beginning of a page, or behind the header of a note
 * at the beginning of a page.
 */
static const unsigned places[] = { 0, 24 };

bool
vmcoreinfo_take(struct vmcoreinfo *v, const void *at, size_t n)
{
	const char *end = memchr(at, 0, n);

	if (!end || n < sizeof(first_line) ||
	    memcmp(at, first_line, sizeof(first_line) - 1) != 0)
		return false;
	v->len = (size_t)(end - (const char *)at);
	if (v->len >= sizeof(v->text))
		return false;
	memcpy(v->text, at, v->len + 1);
	return strstr(v->text, "\nPAGESIZE=4096\n") &&
	       strstr(v->text, "\nSYMBOL(_stext)=");
}

/* As much of the text as there is memory; the rest of it is zero. */
static bool
vmcoreinfo_read(const struct physical *p, uint64_t gpa, struct vmcoreinfo *v)
{
	char bytes[VMCOREINFO_MAX] = { 0 };
	size_t n = PAGE_BYTES - (gpa & (PAGE_BYTES - 1));

	if (!physical_read(p, gpa, bytes, n))
		return false;
	if (!memchr(bytes, 0, n) && !physical_read(p, gpa + n, bytes + n, 4000))
		return false;
	return vmcoreinfo_take(v, bytes, sizeof(bytes));
}

bool
vmcoreinfo_find(const struct physical *p, size_t *run, uint64_t *page,
		struct vmcoreinfo *v)
{
	uint8_t scratch[PAGE_BYTES];

	for (; *run < p->nruns; ++*run, *page = 0) {
		const struct memory_run *r = &p->runs[*run];

		while (*page < r->npages) {
			uint64_t gpa = r->gpa + (*page)++ * PAGE_BYTES;
			const uint8_t *at = p->page(p->arg, gpa, scratch);

			for (size_t i = 0; at && i < ARRAY_LEN(places); i++)
				if (memcmp(at + places[i], first_line,
					   sizeof(first_line) - 1) == 0 &&
				    vmcoreinfo_read(p, gpa + places[i], v))
					return true;
		}
	}
	return false;
}

/* What stands behind "KEY=", up to the end of the line. */
static const char *
vmcoreinfo_line(const struct vmcoreinfo *v, const char *key, size_t *len)
{
	size_t n = strlen(key);

	for (const char *at = v->text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, key, n) != 0 || at[n] != '=')
			continue;
		*len = strcspn(at + n + 1, "\n");
		return at + n + 1;
	}
	return NULL;
}

bool
vmcoreinfo_get(const struct vmcoreinfo *v, const char *key, uint64_t *value)
{
	bool hex = key[0] == 'S' && key[1] == 'Y';
	char text[32], *end;
	size_t len;
	const char *at = vmcoreinfo_line(v, key, &len);

	if (!at || len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, at, len);
	text[len] = 0;
	hex |= strcmp(key, "KERNELOFFSET") == 0;
	*value = strtoull(text, &end, hex ? 16 : 10);
	return *end == 0;
}

void
vmcoreinfo_text(const struct vmcoreinfo *v, const char *key, char *out,
		size_t cap)
{
	size_t len;
	const char *at = vmcoreinfo_line(v, key, &len);

	*out = 0;
	if (!at || len >= cap)
		return;
	memcpy(out, at, len);
	out[len] = 0;
}
