/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"

void
err_fill(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	e->sys = 0;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
}

void
err_fill_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	size_t len;
	va_list ap;

	e->code = ERR_SYSTEM;
	e->sys = sys;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(sys));
}

void
err_fill_prefix(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	size_t len;
	va_list ap;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %.200s", old);
}

int
err_exit_status(const struct err *e)
{
	switch (e->code) {
	case ERR_NONE:
		return 0;
	case ERR_SYSTEM:
	case ERR_PROTOCOL:
		return 1;
	case ERR_USAGE:
		return 2;
	case ERR_AUTH:
		return 3;
	case ERR_CORRUPT:
		return 4;
	case ERR_LIMIT:
		return 5;
	case ERR_VERSION:
		return 6;
	case ERR_CANCELLED:
		return 130;
	case ERR_UNKNOWN:
		return 10;
	}
	return 1;
}
