/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/page.h"
#include "sender/send.h"
#include "tools/transfer.h"
#include "tools/verb.h"

struct send_command {
	struct transfer transfer; /* first: for callbacks */
	const char *memory_path;
	struct memory memory;
	struct endpoint to;
	const struct effort *effort; /* NULL: auto */
	struct effort codec;         /* what it is for a pinned codec */
	uint64_t rate;               /* bytes a second; 0: any */
};

enum {
	OPT_BANDWIDTH = 1,
	OPT_CODEC,
	OPT_EFFORT,
};

static const struct option options[] = {
	{ "bandwidth", required_argument, NULL, OPT_BANDWIDTH },
	{ "codec", required_argument, NULL, OPT_CODEC },
	{ "effort", required_argument, NULL, OPT_EFFORT },
	TRANSFER_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static void
send_usage(void)
{
	size_t n;
	const struct effort *all = effort_all(&n);

	fputs("Usage: virt-mig send [OPTION]... MEMORY HOST[:PORT]\n"
	      "       virt-mig send [OPTION]... MEMORY unix:PATH\n\n"
	      "Sends a VM's memory to a host where 'virt-mig receive' "
	      "waits.\n\n"
	      "  --effort auto|fixed:NAME  how hard to try; auto goes by link "
	      "and CPU:\n",
	      stdout);
	for (size_t i = 0; i < n; i++)
		printf("      %-8s %s\n", all[i].name, all[i].what);
	fputs("  --codec NAME[:LEVEL]  always that one: raw, lz4, zlib, zstd, "
	      "lzma, "
	      "page\n"
	      "  --bandwidth RATE     at most so many bits a second: 100M, "
	      "2.5G\n",
	      stdout);
	fputs(transfer_usage, stdout);
}

static int
send_parse(struct send_command *c, int argc, char **argv, struct err *e)
{
	int option, ret = 0;

	optind = 1;
	while (ret == 0 &&
	       (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == OPT_BANDWIDTH)
			ret = transfer_parse_rate(optarg, &c->rate, e);
		else if (option == OPT_EFFORT)
			ret = transfer_parse_effort(optarg, &c->effort, e);
		else if (option == OPT_CODEC)
			ret = transfer_parse_codec(optarg, &c->codec,
						   &c->effort, e);
		else
			ret = transfer_set(&c->transfer, option, optarg, e);
	}
	if (ret < 0 || c->transfer.help)
		return ret;
	if (argc - optind != 2)
		return err_set(e, ERR_USAGE,
			       "which memory, and to where? see 'virt-mig "
			       "send --help'");
	c->memory_path = argv[optind];
	if (endpoint_parse(argv[optind + 1], TRANSFER_PORT, &c->to, e) < 0)
		return -1;
	if (!*c->to.host)
		return err_set(e, ERR_USAGE, "to which host?");
	return 0;
}

static void
send_on_progress(void *arg, const struct outgoing_stats *s, bool asked)
{
	struct send_command *c = arg;
	char more[80];
	struct progress_at at = { .done = s->pages * PAGE_BYTES + s->bytes,
				  .all = c->memory.map.len,
				  .wire = s->wire_bytes,
				  .more = more };

	snprintf(more, sizeof(more), "%s, %.0f Mb/s", s->effort,
		 s->link_rate * 8 / 1e6);
	transfer_show(&c->transfer, &at, asked);
}

static int
send_transfer(struct send_command *c, struct err *e)
{
	struct transfer *t = &c->transfer;
	struct outgoing_stats s;
	const struct send_config config = { .to = c->to,
					    .memory = &c->memory,
					    .held = t->held,
					    .nheld = t->nheld,
					    .tls_dir = t->tls_dir,
					    .effort = c->effort,
					    .threads = t->threads,
					    .rate = c->rate,
					    .progress = send_on_progress,
					    .arg = c };
	struct transfer_result r;
	uint64_t began = clock_wall_ns();
	int ret;

	transfer_begin(t, "sending");
	ret = send_run(&config, &s, e);
	transfer_end(t);
	if (ret < 0)
		return -1;
	r = (struct transfer_result){
		.memory_bytes = c->memory.map.len,
		.wire_bytes = s.wire_bytes,
		.frames = s.frames,
		.refused = s.refused,
		.asked = s.asked,
		.found = s.found,
		.wall_s = (double)(clock_wall_ns() - began) / 1e9,
		.plans = s.plans,
		.efforts = s.efforts,
		.nbases = s.nbases,
		.nwhole = s.nwhole,
	};
	return transfer_print(t, &r, e);
}

static int
send_all(struct send_command *c, struct err *e)
{
	struct transfer *t = &c->transfer;
	int ret;

	if (memory_open_file(&c->memory, c->memory_path, t->regions,
			     t->nregions, e) < 0)
		return -1;
	if (c->memory.map.len == 0)
		ret = err_set(e, ERR_USAGE, "%s: there is nothing in it",
			      c->memory_path);
	else
		ret = transfer_open(t, e);
	if (ret == 0)
		ret = send_transfer(c, e);
	transfer_close(t);
	memory_close(&c->memory);
	return ret;
}

int
cmd_send(int argc, char **argv, struct err *e)
{
	auto_free struct send_command *c = calloc(1, sizeof(*c));

	if (!c)
		return err_sys(e, "send");
	transfer_init(&c->transfer, "send");
	if (send_parse(c, argc, argv, e) < 0)
		return -1;
	if (c->transfer.help) {
		send_usage();
		return 0;
	}
	return send_all(c, e);
}
