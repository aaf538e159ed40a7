/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/migrate.h"
#include "tools/verb.h"

static const char usage[] =
	"Usage: virt-mig uri [OPTION]... VM DESTINATION\n\n"
	"Prepares one migration, to begin within 15 minutes, and prints the "
	"migrateuri\n"
	"for virsh migrate.\n\n"
	"  --peer HOST[:PORT]  where the destination's virt-migd is, if not "
	"at that host,\n"
	"                      port 49216\n"
	"  --connect URI       libvirt of this host (qemu:///system)\n"
	"  --help              this\n";

static const struct option options[] = {
	{ "connect", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ "peer", required_argument, NULL, 'p' },
	{ NULL, 0, NULL, 0 },
};

static int
print_uri(struct migrate_wish *w, const char *dest, const char *peer,
	  struct err *e)
{
	struct migrate_place place = { .control = -1 };
	int ret = migrate_destination(w, dest, peer, e);

	if (ret == 0) {
		ret = migrate_prepare(w, &place, e);
		if (ret == 0 && (printf("unix://%s\n", place.path) < 0 ||
				 fflush(stdout) != 0))
			ret = err_sys(e, "standard output");
		migrate_place_close(&place);
	}
	free(w->to);
	free(w->peer);
	return ret;
}

int
cmd_uri(int argc, char **argv, struct err *e)
{
	struct migrate_wish w = { .connect = "qemu:///system",
				  .reconnect_s = -1,
				  .stay = true };
	const char *peer = NULL;
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'c':
			w.connect = optarg;
			break;
		case 'p':
			peer = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return err_set(e, ERR_USAGE,
				       "see 'virt-mig uri --help'");
		}
	if (argc - optind != 2)
		return err_set(e, ERR_USAGE,
			       "which VM, and where to? see 'virt-mig uri "
			       "--help'");
	w.vm = argv[optind];
	return print_uri(&w, argv[optind + 1], peer, e);
}
