/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/newfile.h"
#include "common/page.h"
#include "receiver/receive.h"
#include "tools/transfer.h"
#include "tools/verb.h"

struct receive_command {
	struct transfer transfer;
	struct receive_config config;
	const char *port_file;
	bool begun; /* a sender has announced its memory */
};

enum {
	OPT_LISTEN = 1,
	OPT_OUTPUT,
	OPT_PORT_FILE,
};

static const struct option options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "port-file", required_argument, NULL, OPT_PORT_FILE },
	TRANSFER_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static const char receive_usage[] =
	"Usage: virt-mig receive [OPTION]... --output FILE\n\n"
	"Waits for 'virt-mig send' and writes the memory it sends to FILE, "
	"which\n"
	"appears when it is whole.\n\n"
	"  --output FILE        where the memory goes\n"
	"  --listen ADDR[:PORT] address to wait at ([::]:49216, which is all "
	"of "
	"them)\n"
	"  --listen unix:PATH   a socket on this host\n"
	"  --port-file FILE     write there where we listen, once we do\n";

static int
receive_set(struct receive_command *c, int option, const char *value,
	    struct err *e)
{
	switch (option) {
	case OPT_LISTEN:
		return endpoint_parse(value, TRANSFER_PORT, &c->config.listen,
				      e);
	case OPT_OUTPUT:
		c->config.output = value;
		return 0;
	case OPT_PORT_FILE:
		c->port_file = value;
		return 0;
	default:
		return transfer_set(&c->transfer, option, value, e);
	}
}

static int
receive_parse(struct receive_command *c, int argc, char **argv, struct err *e)
{
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (receive_set(c, option, optarg, e) < 0)
			return -1;
	if (c->transfer.help)
		return 0;
	if (argc != optind)
		return err_set(e, ERR_USAGE,
			       "what is '%.80s' for? see "
			       "'virt-mig receive --help'",
			       argv[optind]);
	if (!c->config.output)
		return err_set(e, ERR_USAGE,
			       "--output is missing; see "
			       "'virt-mig receive --help'");
	return 0;
}

static int
receive_on_listening(void *arg, const struct endpoint_addr *where,
		     struct err *e)
{
	struct receive_command *c = arg;

	return transfer_listening(&c->transfer, where, c->port_file, e);
}

static void
receive_on_refused(void *arg, const struct err *why)
{
	(void)arg;
	fprintf(stderr, "virt-mig receive: refused: %s\n", why->text);
}

static void
receive_on_progress(void *arg, const struct incoming_stats *s, bool asked)
{
	struct receive_command *c = arg;
	struct progress_at at = { .done = s->pages * PAGE_BYTES + s->bytes,
				  .all = s->npages * PAGE_BYTES + s->nbytes,
				  .wire = s->wire_bytes };

	if (!c->begun && at.all > 0) {
		c->begun = true;
		transfer_begin(&c->transfer, "receiving");
	}
	transfer_show(&c->transfer, &at, asked);
}

static int
receive_transfer(struct receive_command *c, struct err *e)
{
	struct transfer *t = &c->transfer;
	struct incoming_stats s;
	struct transfer_result r;
	int ret;

	c->config.held = t->held;
	c->config.nheld = t->nheld;
	c->config.tls_dir = t->tls_dir;
	c->config.threads = t->threads;
	transfer_begin(t, "waiting");
	ret = receive_run(&c->config, &s, e);
	transfer_end(t);
	if (ret < 0)
		return -1;
	if (s.unconfirmed)
		fprintf(stderr,
			"virt-mig receive: the memory is whole, but "
			"the sender was gone before it could be told\n");
	r = (struct transfer_result){
		.memory_bytes = s.npages * PAGE_BYTES + s.nbytes,
		.wire_bytes = s.wire_bytes,
		.frames = s.frames,
		.refused = s.refused,
		.asked = s.queried,
		.found = s.found,
		.wall_s = (double)(clock_wall_ns() - s.began_ns) / 1e9,
	};
	return transfer_print(t, &r, e);
}

/* What cannot be written is not waited for. */
static int
check_output(const char *path, struct err *e)
{
	struct newfile f;

	if (newfile_open(&f, path, e) < 0)
		return -1;
	newfile_close(&f);
	return 0;
}

int
cmd_receive(int argc, char **argv, struct err *e)
{
	auto_free struct receive_command *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return err_sys(e, "receive");
	transfer_init(&c->transfer, "receive");
	c->config = (struct receive_config){ .listen.port = TRANSFER_PORT,
					     .listening = receive_on_listening,
					     .refused = receive_on_refused,
					     .progress = receive_on_progress,
					     .arg = c };
	if (receive_parse(c, argc, argv, e) < 0)
		return -1;
	if (c->transfer.help) {
		fputs(receive_usage, stdout);
		fputs(transfer_usage, stdout);
		return 0;
	}
	ret = check_output(c->config.output, e);
	if (ret == 0)
		ret = transfer_open(&c->transfer, e);
	if (ret == 0)
		ret = receive_transfer(c, e);
	transfer_close(&c->transfer);
	return ret;
}
