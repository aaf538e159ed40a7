/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_MANUAL_H
#define MIG_MANUAL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

/* A page of the manual, line by line, whose tables are held to the code. */
#define LINES_MAX 1000

static char *lines[LINES_MAX];
static bool known[LINES_MAX];
static size_t nlines;

/* NAME.SECTION */
static inline int
manual_load(const char *name)
{
	char path[512], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/docs/%s",
		 getenv("srcdir") ? getenv("srcdir") : ".", name);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (nlines < LINES_MAX && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		lines[nlines++] = strdup(line);
	}
	fclose(f);
	return 0;
}

static inline int
manual_unload(void **state)
{
	(void)state;
	while (nlines > 0)
		free(lines[--nlines]);
	return 0;
}

/* The first row of the table below this heading. */
static inline size_t
table_under(const char *heading)
{
	size_t i = 0;

	while (i < nlines && strncmp(lines[i], heading, strlen(heading)) != 0)
		i++;
	if (i == nlines)
		fail_msg("the page has no '%s'", heading);
	return i + 1;
}

/* Row i begins like this. */
static inline void __attribute__((format(printf, 2, 3)))
row_is(size_t i, const char *fmt, ...)
{
	char want[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	if (i >= nlines || strncmp(lines[i], want, strlen(want)) != 0)
		fail_msg("the page says '%s', not '%s'",
			 i < nlines ? lines[i] : "", want);
	known[i] = true;
}

/* A constant of the code, by its name. */
struct manual_constant {
	const char *name;
	uint64_t value;
};

#define CONSTANT(name)                                                         \
	{                                                                      \
#name, name                                                    \
	}

/* The rows below ".It Sy Name Ta Sy Value" are these constants. */
static inline void
constants_are(const struct manual_constant *constants, size_t n)
{
	size_t i = table_under(".It Sy Name Ta Sy Value");

	for (size_t k = 0; k < n; k++)
		row_is(i++, ".It Dv %s Ta %llu Ta ", constants[k].name,
		       (unsigned long long)constants[k].value);
	assert_string_equal(lines[i], ".El");
}

#endif
