/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/parcel.h"
#include "tests/fuzz/fuzz.h"
#include "tools/report.h"

/* What a session says that its peer has taken over, all the way to where the
 * user sees it: bounded, of the kinds we know, and nothing else.
 */
static void
check_said(const json_t *said)
{
	json_t *checked = report_checked(said), *all, *plans;
	FILE *out = fopen("/dev/null", "w");
	struct err why;

	fuzz_check(checked && out);
	fuzz_check(json_object_size(checked) <= 32);
	plans = json_object_get(checked, "plans");
	fuzz_check(!plans || json_object_size(plans) <= 16);
	fuzz_check(!json_object_get(checked, "id"));
	report_get_end(checked, &why);
	fuzz_check(memchr(why.text, '\0', sizeof(why.text)) ||
		   why.code == ERR_NONE);
	all = json_pack("[o]", checked);
	report_metrics(all, out);
	json_decref(all);
	fclose(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parcel p;
	struct err e;
	int pair[2], ret;

	if (size == 0 || size > PARCEL_BYTES)
		return 0;
	fuzz_ok(parcel_pair(pair, &e), &e);
	fuzz_check(send(pair[0], data, size, 0) == (ssize_t)size);
	ret = parcel_receive(pair[1], &p, &e);
	fuzz_check(ret == 1 || (ret == -1 && e.code == ERR_PROTOCOL));
	if (ret == 1) {
		(void)parcel_text(&p, "say");
		(void)parcel_number(&p, "code");
		check_said(p.body);
		parcel_free(&p);
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	static const struct fuzz_text seeds[] = {
		{ "status",
		  "{\"say\":\"status\",\"state\":\"STREAM\",\"wire_bytes\":1,"
		  "\"lost\":false,\"plans\":{\"zero\":3,\"data\":1}}" },
		{ "end", "{\"say\":\"end\",\"code\":7,\"text\":\"enough\"}" },
		{ "strange", "{\"say\":1,\"code\":-1,\"plans\":[],\"id\":\"x\","
			     "\"text\":\"\\u0001\\n\\\"\"}" },
		{ "array", "[]" },
	};

	return fuzz_seed_text(seeds, ARRAY_LEN(seeds), i, out);
}
