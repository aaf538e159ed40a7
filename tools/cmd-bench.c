/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/mem.h"
#include "common/newfile.h"
#include "tools/bench-guest.h"
#include "tools/bench-options.h"
#include "tools/bench-report.h"
#include "tools/bench-run.h"
#include "tools/progress.h"
#include "tools/verb.h"

static int
write_html(const struct bench_report *r, const json_t *json, struct newfile *f,
	   struct err *e)
{
	auto_free char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int rc;

	if (!out)
		return err_sys(e, "the page");
	rc = bench_report_html(r, json, out, e);
	if (fclose(out) != 0 && rc == 0)
		rc = err_sys(e, "the page");
	if (rc == 0)
		rc = newfile_write(f, 0, text, len, e);
	/* Made to be shown: temporary files are for their owner alone. */
	if (rc == 0 && fchmod(f->fd, 0644) != 0)
		rc = err_sys(e, "%s", f->path);
	return rc == 0 ? newfile_commit(f, e) : -1;
}

static int
write_reports(const struct bench_options *o, const struct bench_report *r,
	      struct newfile *html, struct err *e)
{
	json_t *json = bench_report_json(r, e);
	int rc = json ? 0 : -1;

	if (rc == 0 && o->html)
		rc = write_html(r, json, html, e);
	if (rc == 0 && o->json && json_dumpf(json, stdout, JSON_INDENT(2)) != 0)
		rc = err_sys(e, "standard output");
	if (rc == 0 && o->json && (putchar('\n') == EOF || fflush(stdout) != 0))
		rc = err_sys(e, "standard output");
	if (rc == 0 && !o->json)
		rc = bench_report_text(r, stdout, e);
	json_decref(json);
	return rc;
}

int
cmd_bench(int argc, char **argv, struct err *e)
{
	struct newfile html = { .fd = -1 };
	struct bench_options o;
	struct bench_report report;
	int rc;

	if (bench_options_parse(&o, argc, argv, e) != 0)
		return -1;
	if (o.help) {
		fputs(bench_usage, stdout);
		return 0;
	}
	if (o.explain_guest)
		return bench_guest_explain(&o, stdout, e);
	/* From here on Ctrl-C does not leave a temporary file behind. */
	(void)interrupted();
	/* A page that cannot be written is told now, not in ten minutes. */
	if (o.html && newfile_open(&html, o.html, e) != 0)
		return -1;
	rc = bench_run(&o, &report, e);
	if (rc == 0)
		rc = write_reports(&o, &report, &html, e);
	bench_report_fini(&report);
	newfile_close(&html);
	return rc;
}
