/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "tools/bench-machine.h"
#include "tools/bench-options.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* The model of the first CPU. */
static void
find_cpu(char *out, size_t cap)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(out, cap, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		const char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, cap, "%s", colon + 1 + strspn(colon + 1, " "));
		break;
	}
	if (f)
		fclose(f);
}

void
bench_machine(struct bench_report *r)
{
	time_t now = time(NULL);
	struct utsname u;
	struct tm tm;

	r->version = PACKAGE_VERSION;
	r->cores = bench_cores();
	snprintf(r->compiler, sizeof(r->compiler), "%s", COMPILER);
	find_cpu(r->cpu, sizeof(r->cpu));
	snprintf(r->kernel, sizeof(r->kernel), "unknown");
	if (uname(&u) == 0)
		snprintf(r->kernel, sizeof(r->kernel), "%.40s %.40s", u.sysname,
			 u.release);
	if (gmtime_r(&now, &tm))
		strftime(r->started, sizeof(r->started), "%Y-%m-%dT%H:%M:%SZ",
			 &tm);
}
