/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/verb.h"

static const struct verb verbs[] = {
	{ "bench", "measure what moving a VM would cost", cmd_bench },
	{ "index", "index a disk image", cmd_index },
	{ "migrate", "move a running VM to another host", cmd_migrate },
	{ "receive", "wait for a VM's memory and write it to a file",
	  cmd_receive },
	{ "relay-receive", "wait for a live migration and give it to QEMU",
	  cmd_relay_receive },
	{ "relay-send", "take a live migration from QEMU to another host",
	  cmd_relay_send },
	{ "send", "send a VM's memory to another host", cmd_send },
	{ "status", "show the migrations of this host", cmd_status },
	{ "uri", "prepare a migration by virsh", cmd_uri },
	{ NULL, NULL, NULL },
};

static void
usage(FILE *out)
{
	fprintf(out, "Usage: virt-mig VERB [OPTION]... [ARGUMENT]...\n\n");
	for (const struct verb *v = verbs; v->name; v++)
		fprintf(out, "  %-13s %s\n", v->name, v->what);
	fprintf(out,
		"\n'virt-mig VERB --help' says more; so does virt-mig(1).\n");
}

/* Images and memories are mapped: reading past the end of one that somebody
 * cut short, or a block that the disk cannot read, is this signal.
 */
static void
on_bus_error(int sig)
{
	static const char text[] =
		"\nvirt-mig: a file in use became shorter or cannot be read\n";

	(void)sig;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(err_exit_status(&(struct err){ .code = ERR_CORRUPT }));
}

/* What was printed has got there, too; unless the verb has spoken of that
 * itself: the status of migrate says where the VM is.
 */
static int
end_well(const struct verb *v, const struct err *e)
{
	if (e->code != ERR_NONE || fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "virt-mig %s: standard output: %s\n", v->name,
		strerror(errno));
	return 1;
}

int
main(int argc, char **argv)
{
	struct err e = { .code = ERR_NONE };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGBUS, on_bus_error);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("virt-mig %s\n", PACKAGE_VERSION);
		return 0;
	}
	for (const struct verb *v = verbs; v->name; v++) {
		if (strcmp(argv[1], v->name) != 0)
			continue;
		if (v->run(argc - 1, argv + 1, &e) == 0)
			return end_well(v, &e);
		fprintf(stderr, "virt-mig %s: %s\n", v->name, e.text);
		return err_exit_status(&e);
	}
	fprintf(stderr, "virt-mig: there is no verb '%s'\n", argv[1]);
	return 2;
}
