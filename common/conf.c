/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/mem.h"

struct conf {
	const char *name;
	unsigned line;
	char section[CONF_LINE_MAX];
	conf_fn *fn;
	void *arg;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts spaces off both ends, in place. */
static char *
trimmed(char *text)
{
	char *end = text + strlen(text);

	while (end > text && is_space(end[-1]))
		*--end = '\0';
	while (is_space(*text))
		text++;
	return text;
}

static int
conf_section(struct conf *c, char *text, struct err *e)
{
	size_t len = strlen(text);

	if (len < 3 || text[len - 1] != ']')
		return err_set(e, ERR_USAGE, "not a [section]");
	text[len - 1] = '\0';
	strcpy(c->section, text + 1);
	return 0;
}

static int
conf_setting(struct conf *c, char *text, struct err *e)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return err_set(e, ERR_USAGE, "not 'key = value'");
	if (!*c->section)
		return err_set(e, ERR_USAGE, "a key before any [section]");
	*equals = '\0';
	text = trimmed(text);
	if (!*text)
		return err_set(e, ERR_USAGE, "a value without a key");
	return c->fn(c->arg, c->section, text, trimmed(equals + 1), e);
}

static int
conf_line(struct conf *c, const char *bytes, size_t len, struct err *e)
{
	char line[CONF_LINE_MAX], *text;

	if (len >= sizeof(line))
		return err_set(e, ERR_USAGE, "the line is too long");
	if (memchr(bytes, '\0', len))
		return err_set(e, ERR_USAGE, "not text");
	memcpy(line, bytes, len);
	line[len] = '\0';
	text = trimmed(line);
	if (!*text || *text == '#')
		return 0;
	return *text == '[' ? conf_section(c, text, e)
			    : conf_setting(c, text, e);
}

int
conf_parse(const char *text, size_t len, const char *name, conf_fn *fn,
	   void *arg, struct err *e)
{
	struct conf c = { .name = name, .fn = fn, .arg = arg };

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		c.line++;
		if (conf_line(&c, text, n, e) < 0)
			return err_prefix(e, "%s:%u", name, c.line);
		n += end != NULL;
		text += n;
		len -= n;
	}
	return 0;
}

int
conf_read(const char *path, conf_fn *fn, void *arg, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_free char *text = fd < 0 ? NULL : malloc(CONF_FILE_MAX);
	size_t len = 0;
	ssize_t n = 1;

	if (!text)
		return err_sys(e, "%s", path);
	while (n > 0 && len < CONF_FILE_MAX) {
		n = read(fd, text + len, CONF_FILE_MAX - len);
		if (n < 0)
			return err_sys(e, "%s", path);
		len += (size_t)n;
	}
	if (len == CONF_FILE_MAX)
		return err_set(e, ERR_USAGE, "%s: too long", path);
	return conf_parse(text, len, path, fn, arg, e);
}

int
conf_bool(const char *value, bool *out, struct err *e)
{
	*out = strcmp(value, "yes") == 0;
	if (*out || strcmp(value, "no") == 0)
		return 0;
	return err_set(e, ERR_USAGE, "'%.80s' is not yes or no", value);
}

int
conf_number(const char *value, unsigned long min, unsigned long max,
	    unsigned long *out, struct err *e)
{
	char *end;

	errno = 0;
	*out = strtoul(value, &end, 10);
	if (errno || *value < '0' || *value > '9' || *end || *out < min ||
	    *out > max)
		return err_set(e, ERR_USAGE,
			       "'%.80s' is not a number from "
			       "%lu to %lu",
			       value, min, max);
	return 0;
}
