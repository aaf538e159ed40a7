/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "tools/format.h"

/* Three significant digits. */
static char *
format_three(char *out, double v, const char *unit)
{
	int digits = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;

	snprintf(out, FORMAT_LEN, "%.*f%s", digits, v, unit);
	return out;
}

char *
format_bytes(char *out, uint64_t n)
{
	static const char *const units[] = { " B",   " KiB", " MiB", " GiB",
					     " TiB", " PiB", " EiB" };
	double v = (double)n;
	size_t i;

	for (i = 0; v >= 999.5 && i + 1 < ARRAY_LEN(units); i++)
		v /= 1024;
	if (i > 0)
		return format_three(out, v, units[i]);
	snprintf(out, FORMAT_LEN, "%" PRIu64 "%s", n, units[0]);
	return out;
}

char *
format_count(char *out, uint64_t n)
{
	char digits[FORMAT_LEN];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *to = out;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return out;
}

char *
format_age(char *out, uint64_t s)
{
	if (s < 60)
		snprintf(out, FORMAT_LEN, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(out, FORMAT_LEN, "%" PRIu64 "m%02" PRIu64 "s", s / 60,
			 s % 60);
	else
		snprintf(out, FORMAT_LEN, "%" PRIu64 "h%02" PRIu64 "m",
			 (s + 30) / 3600, (s + 30) / 60 % 60);
	return out;
}

char *
format_time(char *out, double s)
{
	if (s < 0.9995)
		return format_three(out, s * 1000, " ms");
	if (s < 99.95)
		return format_three(out, s, " s");
	return format_age(out, (uint64_t)(s + 0.5));
}

char *
format_ratio(char *out, double r)
{
	return format_three(out, r, "x");
}

/* The bytes of the UTF-8 character at s, 0 if it is none or not printable.
 * U+0080..U+009F are control characters, too; so are the marks that turn the
 * direction of what follows.
 */
static size_t
printable_len(const unsigned char *s)
{
	uint32_t c = *s, least;
	size_t len;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	least = len == 2 ? 0xa0 : len == 3 ? 0x800 : 0x10000;
	c &= 0x7fu >> len;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if ((c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return 0;
	return len;
}

char *
format_printable(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char *out = malloc(strlen(text) * 4 + 1), *to = out;

	if (!out)
		return NULL;
	while (*s) {
		size_t n = printable_len(s);

		if (n == 0) {
			to += sprintf(to, "\\x%02x", *s++);
			continue;
		}
		memcpy(to, s, n);
		to += n;
		s += n;
	}
	*to = '\0';
	return out;
}
