/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/conf.h"
#include "common/mem.h"
#include "tests/fuzz/fuzz.h"

/* Files of settings: names and values come as text without spaces at their
 * ends, or an error that names its line.
 */
static int
on_setting(void *arg, const char *section, const char *key, const char *value,
	   struct err *e)
{
	size_t n = strlen(value), *settings = arg;
	unsigned long number;
	bool flag;

	fuzz_check(*section && *key && strlen(section) < CONF_LINE_MAX);
	fuzz_check(n < CONF_LINE_MAX && !strchr(value, '\n'));
	fuzz_check(n == 0 || (value[0] != ' ' && value[n - 1] != ' '));
	*settings += 1;
	if (conf_number(value, 3, 70, &number, e) == 0)
		fuzz_check(number >= 3 && number <= 70);
	return strcmp(key, "flag") == 0 ? conf_bool(value, &flag, e) : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t settings = 0;
	struct err e;

	if (conf_parse((const char *)data, size, "input", on_setting, &settings,
		       &e) < 0)
		fuzz_check(e.code == ERR_USAGE &&
			   strncmp(e.text, "input:", 6) == 0);
	fuzz_check(settings <= size / 2);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct fuzz_text seeds[] = {
		{ "usual", "# a comment\n[listen]\naddress = [::]:49216\n\n"
			   "[memory]\nkeep = yes\nflag = no\n" },
		{ "spaces", "[a]\r\n \tb c = d = e  \nf=\n[g]\nh=64" },
		{ "no-section", "a = b\n" },
		{ "bad-flag", "[a]\nflag = perhaps\n" },
		{ "open-section", "[a\nb = c" },
	};

	return fuzz_seed_text(seeds, ARRAY_LEN(seeds), i, out);
}
