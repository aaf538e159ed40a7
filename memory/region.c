/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "memory/memory.h"

/* One number up to the character 'end'; -1 if it is not there or too large.
 */
static int
parse_size(const char **text, char end, uint64_t *size)
{
	unsigned shift = 0;
	char *rest;

	if (!isdigit((unsigned char)**text))
		return -1; /* strtoull() would take spaces and signs */
	errno = 0;
	*size = strtoull(*text, &rest, (*text)[1] == 'x' ? 16 : 10);
	if (errno != 0)
		return -1;
	if (*rest == 'K' || *rest == 'M' || *rest == 'G')
		shift = *rest == 'K' ? 10 : *rest == 'M' ? 20 : 30;
	if (shift > 0)
		rest++;
	if (*rest != end || *size > UINT64_MAX >> shift)
		return -1;
	*size <<= shift;
	*text = rest + (end != '\0');
	return 0;
}

int
memory_region_parse(const char *text, struct memory_region *r, struct err *e)
{
	const char *at = text;

	if (parse_size(&at, ':', &r->gpa) < 0 ||
	    parse_size(&at, ':', &r->offset) < 0 ||
	    parse_size(&at, '\0', &r->len) < 0)
		return err_set(e, ERR_USAGE,
			       "'%s' is not a region GPA:OFFSET:LENGTH", text);
	return 0;
}
