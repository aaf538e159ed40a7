/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "tools/bench-options.h"

#define THREADS_MAX 64

const char bench_usage[] =
	"Usage: virt-mig bench [OPTION]... MEMORY...\n"
	"\n"
	"How many bytes moving the VM whose memory this is would take, and how "
	"long,\n"
	"with virt-mig and with other tools.  All of them are run, decode what "
	"they\n"
	"encoded, and every byte is compared.\n"
	"\n"
	"  --image DISK       a disk image that the receiver holds; "
	"repeatable\n"
	"  --image-format F   raw, qcow2, vmdk, vhdx or vdi; otherwise found "
	"by "
	"content,\n"
	"                     which a guest can fake in a raw disk\n"
	"  --previous MEMORY  memory that the receiver kept from an earlier "
	"visit\n"
	"  --region GPA:OFF:LEN  where a raw MEMORY keeps what; repeatable\n"
	"  --link LIST        links to give times for (10M,100M,1G,10G)\n"
	"  --peers LIST       other tools: names, default, all or none\n"
	"  --tiers LIST       efforts of virt-mig: names or all "
	"(strong,middle,fast)\n"
	"  --codec NAME[:LEVEL]  middle with that codec instead; repeatable\n"
	"  --threads N        threads for virt-mig (all CPUs)\n"
	"  --no-free-drop     send the guest's free pages, too\n"
	"  --explain-guest    say what the guest's own tables say of its "
	"memory,\n"
	"                     and measure nothing\n"
	"  --runs N           run everything N times, show the medians (1)\n"
	"  --format FORMAT    text or json\n"
	"  --html FILE        write a page with charts, too\n"
	"  --residual FILE    write what is left for the codec, too\n"
	"  --help             this\n";

unsigned
bench_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return (unsigned)MAX(CPU_COUNT(&set), 1);
}

static int
parse_count(const char *what, const char *text, unsigned long max,
	    unsigned long *n, struct err *e)
{
	char *end;

	errno = 0;
	*n = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || *n < 1 || *n > max)
		return err_set(e, ERR_USAGE, "%s is 1 to %lu, not '%s'", what,
			       max, text);
	return 0;
}

/* One word of a list divided by commas, moved past; NULL at its end. */
static const char *
next_word(const char **list, char *word, size_t cap)
{
	size_t n;

	if (!*list)
		return NULL;
	n = strcspn(*list, ",");
	snprintf(word, cap, "%.*s", (int)MIN(n, cap), *list);
	*list = (*list)[n] ? *list + n + 1 : NULL;
	return word;
}

static int
parse_link(const char *word, struct bench_link *l, struct err *e)
{
	double unit = 0;
	char *end;

	l->bits_per_s = strtod(word, &end);
	if (strcmp(end, "K") == 0)
		unit = 1e3;
	else if (strcmp(end, "M") == 0)
		unit = 1e6;
	else if (strcmp(end, "G") == 0)
		unit = 1e9;
	if (strspn(word, "0123456789.") != (size_t)(end - word) ||
	    strlen(word) >= sizeof(l->name) || unit <= 0 || l->bits_per_s <= 0)
		return err_set(e, ERR_USAGE,
			       "'%s' is not a link; 100M is 100 Mb/s", word);
	l->bits_per_s *= unit;
	snprintf(l->name, sizeof(l->name), "%s", word);
	return 0;
}

static int
parse_links(struct bench_options *o, const char *list, struct err *e)
{
	char word[64];

	for (o->nlinks = 0; next_word(&list, word, sizeof(word)); o->nlinks++) {
		if (o->nlinks == BENCH_LINKS_MAX)
			return err_set(e, ERR_USAGE, "at most %d links",
				       BENCH_LINKS_MAX);
		if (parse_link(word, &o->links[o->nlinks], e) != 0)
			return -1;
	}
	return 0;
}

static int
parse_tiers(struct bench_options *o, const char *list, struct err *e)
{
	char word[64];
	size_t n;
	const struct effort *all = effort_all(&n);

	o->ntiers = 0;
	if (strcmp(list, "none") == 0)
		return 0;
	if (strcmp(list, "all") == 0) {
		/* The smallest first. */
		while (n > 0 && o->ntiers < BENCH_TIERS_MAX)
			o->tiers[o->ntiers++] = &all[--n];
		return 0;
	}
	while (next_word(&list, word, sizeof(word))) {
		if (o->ntiers == BENCH_TIERS_MAX)
			return err_set(e, ERR_USAGE, "at most %d tiers",
				       BENCH_TIERS_MAX);
		o->tiers[o->ntiers] = effort_by_name(word, e);
		if (!o->tiers[o->ntiers++])
			return -1;
	}
	return 0;
}

static int
add_codec(struct bench_options *o, const char *text, struct err *e)
{
	if (o->ncodecs == BENCH_TIERS_MAX)
		return err_set(e, ERR_USAGE, "at most %d codecs",
			       BENCH_TIERS_MAX);
	return effort_of_codec(&o->codecs[o->ncodecs++], text, e);
}

/* The codecs come after the tiers; alone, if no tiers are asked for. */
static int
choose_tiers(struct bench_options *o, const char *list, struct err *e)
{
	if (!list)
		list = o->ncodecs ? "none" : "strong,middle,fast";
	if (parse_tiers(o, list, e) != 0)
		return -1;
	if (o->ntiers + o->ncodecs > BENCH_TIERS_MAX)
		return err_set(e, ERR_USAGE, "at most %d tiers",
			       BENCH_TIERS_MAX);
	for (size_t i = 0; i < o->ncodecs; i++)
		o->tiers[o->ntiers++] = &o->codecs[i];
	return 0;
}

static int
add_image(struct bench_options *o, const char *path, struct err *e)
{
	if (o->nimages == BENCH_IMAGES_MAX)
		return err_set(e, ERR_USAGE, "at most %d images",
			       BENCH_IMAGES_MAX);
	o->images[o->nimages++] = path;
	return 0;
}

static int
add_region(struct bench_options *o, const char *text, struct err *e)
{
	if (o->nregions == BENCH_REGIONS_MAX)
		return err_set(e, ERR_USAGE, "at most %d regions",
			       BENCH_REGIONS_MAX);
	return memory_region_parse(text, &o->regions[o->nregions++], e);
}

static int
set_format(struct bench_options *o, const char *format, struct err *e)
{
	o->json = strcmp(format, "json") == 0;
	if (o->json || strcmp(format, "text") == 0)
		return 0;
	return err_set(e, ERR_USAGE, "the format is text or json, not '%s'",
		       format);
}

enum option_id {
	OPT_CODEC = 256,
	OPT_EXPLAIN_GUEST,
	OPT_FORMAT,
	OPT_HELP,
	OPT_HTML,
	OPT_IMAGE,
	OPT_IMAGE_FORMAT,
	OPT_LINK,
	OPT_NO_FREE_DROP,
	OPT_PEERS,
	OPT_PREVIOUS,
	OPT_REGION,
	OPT_RESIDUAL,
	OPT_RUNS,
	OPT_THREADS,
	OPT_TIERS,
};

static const struct option options[] = {
	{ "codec", required_argument, NULL, OPT_CODEC },
	{ "explain-guest", no_argument, NULL, OPT_EXPLAIN_GUEST },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "html", required_argument, NULL, OPT_HTML },
	{ "image", required_argument, NULL, OPT_IMAGE },
	{ "image-format", required_argument, NULL, OPT_IMAGE_FORMAT },
	{ "link", required_argument, NULL, OPT_LINK },
	{ "no-free-drop", no_argument, NULL, OPT_NO_FREE_DROP },
	{ "peers", required_argument, NULL, OPT_PEERS },
	{ "previous", required_argument, NULL, OPT_PREVIOUS },
	{ "region", required_argument, NULL, OPT_REGION },
	{ "residual", required_argument, NULL, OPT_RESIDUAL },
	{ "runs", required_argument, NULL, OPT_RUNS },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "tiers", required_argument, NULL, OPT_TIERS },
	{ NULL, 0, NULL, 0 },
};

static int
set_option(struct bench_options *o, int option, const char **peers,
	   const char **tiers, struct err *e)
{
	unsigned long n = 0;
	int rc;

	switch (option) {
	case OPT_CODEC:
		return add_codec(o, optarg, e);
	case OPT_EXPLAIN_GUEST:
		o->explain_guest = true;
		return 0;
	case OPT_NO_FREE_DROP:
		o->no_free_drop = true;
		return 0;
	case OPT_FORMAT:
		return set_format(o, optarg, e);
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_HTML:
		o->html = optarg;
		return 0;
	case OPT_IMAGE:
		return add_image(o, optarg, e);
	case OPT_IMAGE_FORMAT:
		o->image_format = optarg;
		return 0;
	case OPT_LINK:
		return parse_links(o, optarg, e);
	case OPT_PEERS:
		*peers = optarg;
		return 0;
	case OPT_PREVIOUS:
		o->previous = optarg;
		return 0;
	case OPT_REGION:
		return add_region(o, optarg, e);
	case OPT_RESIDUAL:
		o->residual = optarg;
		return 0;
	case OPT_RUNS:
		rc = parse_count("--runs", optarg, BENCH_SAMPLES_MAX, &n, e);
		o->runs = n;
		return rc;
	case OPT_THREADS:
		rc = parse_count("--threads", optarg, THREADS_MAX, &n, e);
		o->threads = (unsigned)n;
		return rc;
	case OPT_TIERS:
		*tiers = optarg;
		return 0;
	default:
		/* getopt has said what is wrong, but not how to go on. */
		return err_set(e, ERR_USAGE, "try --help");
	}
}

int
bench_options_parse(struct bench_options *o, int argc, char **argv,
		    struct err *e)
{
	const char *peers = "default", *tiers = NULL;
	int option;

	*o = (struct bench_options){ .runs = 1 };
	o->threads = MIN(bench_cores(), THREADS_MAX);
	if (parse_links(o, "10M,100M,1G,10G", e) != 0)
		return -1;
	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (set_option(o, option, &peers, &tiers, e) != 0)
			return -1;
	o->memories = argv + optind;
	o->nmemories = (size_t)(argc - optind);
	if (o->help)
		return 0;
	if (o->nmemories == 0)
		return err_set(e, ERR_USAGE, "which memory? try --help");
	if (choose_tiers(o, tiers, e) != 0)
		return -1;
	return peer_choose(peers, o->nimages > 0, o->peers, e);
}
