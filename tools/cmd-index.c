/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cmd-index.h"
#include "tools/verb.h"

static void
usage(FILE *f)
{
	fputs("Usage: virt-mig index build IMAGE [-o FILE] [--backing] "
	      "[--force]\n"
	      "       virt-mig index check FILE|IMAGE [--data]\n"
	      "       virt-mig index show FILE|IMAGE\n"
	      "       virt-mig index add IMAGE|DIRECTORY\n"
	      "       virt-mig index update\n\n"
	      "  -o, --output FILE       write the index there, not to the "
	      "default place\n"
	      "  -f, --force             build it even if the one that is "
	      "there is current\n"
	      "  -b, --backing           index the backing files first, each "
	      "in its default place;\n"
	      "                          what is known of them is not read "
	      "again\n"
	      "  -d, --data              read the image again and compare\n"
	      "      --image-format F    raw, qcow2, vmdk, vhdx or vdi; "
	      "otherwise found by\n"
	      "                          content, which a guest can fake in "
	      "a raw disk\n"
	      "      --threads N         hash with N threads (1 to 8)\n"
	      "      --format text|json  how to show results\n",
	      f);
}

static int
parse_threads(const char *text, unsigned *threads, struct err *e)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end || n < 1 || n > 8)
		return err_set(e, ERR_USAGE, "--threads takes 1 to 8, not '%s'",
			       text);
	*threads = (unsigned)n;
	return 0;
}

static int
parse_format(const char *text, bool *json, struct err *e)
{
	*json = strcmp(text, "json") == 0;
	if (!*json && strcmp(text, "text") != 0)
		return err_set(e, ERR_USAGE,
			       "--format takes text or json, not '%s'", text);
	return 0;
}

enum {
	OPT_IMAGE_FORMAT = 256,
	OPT_THREADS,
	OPT_FORMAT
};

static const struct option long_options[] = {
	{ "backing", no_argument, NULL, 'b' },
	{ "data", no_argument, NULL, 'd' },
	{ "force", no_argument, NULL, 'f' },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "help", no_argument, NULL, 'h' },
	{ "image-format", required_argument, NULL, OPT_IMAGE_FORMAT },
	{ "output", required_argument, NULL, 'o' },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ NULL, 0, NULL, 0 },
};

static int
parse_option(int c, struct index_options *o, struct err *e)
{
	switch (c) {
	case 'b':
		o->backing = true;
		return 0;
	case 'd':
		o->data = true;
		return 0;
	case 'f':
		o->force = true;
		return 0;
	case 'o':
		o->out = optarg;
		return 0;
	case OPT_IMAGE_FORMAT:
		o->image_format = optarg;
		return 0;
	case OPT_THREADS:
		return parse_threads(optarg, &o->threads, e);
	case OPT_FORMAT:
		return parse_format(optarg, &o->json, e);
	default:
		return err_set(e, ERR_USAGE, "see 'virt-mig index --help'");
	}
}

/* 1: the user only wanted to see how it is used. */
static int
parse(int argc, char **argv, struct index_options *o, struct err *e)
{
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "bdfho:", long_options, NULL)) !=
	       -1) {
		if (c == 'h') {
			usage(stdout);
			return 1;
		}
		if (parse_option(c, o, e) < 0)
			return -1;
	}
	if (argc - optind == 1 && strcmp(argv[optind], "update") == 0) {
		o->action = argv[optind];
		return 0;
	}
	if (argc - optind != 2)
		return err_set(e, ERR_USAGE,
			       "build, check, show or add, and one file, or "
			       "update: see 'virt-mig index --help'");
	o->action = argv[optind];
	o->path = argv[optind + 1];
	return 0;
}

int
cmd_index(int argc, char **argv, struct err *e)
{
	struct index_options o = { .path = NULL };
	int ret = parse(argc, argv, &o, e);

	if (ret != 0)
		return ret < 0 ? -1 : 0;
	if (strcmp(o.action, "build") == 0)
		return index_action_build(&o, e);
	if (strcmp(o.action, "check") == 0)
		return index_action_check(&o, e);
	if (strcmp(o.action, "show") == 0)
		return index_action_show(&o, e);
	if (strcmp(o.action, "add") == 0)
		return index_action_add(&o, e);
	if (strcmp(o.action, "update") == 0)
		return o.path ? err_set(e, ERR_USAGE,
					"update takes no file: '%s'", o.path)
			      : index_action_update(&o, e);
	return err_set(e, ERR_USAGE,
		       "'%s' is not build, check, show, add or update",
		       o.action);
}
