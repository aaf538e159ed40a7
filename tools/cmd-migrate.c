/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/map.h"
#include "common/mem.h"
#include "tools/migrate.h"
#include "tools/settings.h"
#include "tools/verb.h"

#define NUMBER_MAX 1000000

/* The words are virsh's; so is what they mean. */
struct flag {
	const char *name;
	unsigned flags;
};

static const struct flag flags[] = {
	{ "live", 0 }, /* always */
	{ "p2p", 0 },  /* always */
	{ "verbose", 0 },
	{ "persistent", VIR_MIGRATE_PERSIST_DEST },
	{ "undefinesource", VIR_MIGRATE_UNDEFINE_SOURCE },
	{ "suspend", VIR_MIGRATE_PAUSED },
	{ "copy-storage-all", VIR_MIGRATE_NON_SHARED_DISK },
	{ "copy-storage-inc", VIR_MIGRATE_NON_SHARED_INC },
	{ "change-protection", VIR_MIGRATE_CHANGE_PROTECTION },
	{ "unsafe", VIR_MIGRATE_UNSAFE },
	{ "abort-on-error", VIR_MIGRATE_ABORT_ON_ERROR },
	{ "auto-converge", VIR_MIGRATE_AUTO_CONVERGE },
	{ "parallel", VIR_MIGRATE_PARALLEL },
	{ "postcopy", VIR_MIGRATE_POSTCOPY },
	{ "postcopy-after-precopy", VIR_MIGRATE_POSTCOPY },
};

enum {
	OPT_FLAG = 1, /* *longindex says which */
	OPT_BANDWIDTH,
	OPT_CONNECT,
	OPT_CONNECTIONS,
	OPT_CONVERGE_INCREMENT,
	OPT_CONVERGE_INITIAL,
	OPT_DISKS_URI,
	OPT_DNAME,
	OPT_FORMAT,
	OPT_HELP,
	OPT_MIGRATE_DISKS,
	OPT_NO_FREE_DROP,
	OPT_PEER,
	OPT_PERSISTENT_XML,
	OPT_PROGRESS,
	OPT_PROGRESS_FD,
	OPT_SWITCHOVER,
	OPT_RECONNECT,
	OPT_TIMEOUT,
	OPT_TIMEOUT_POSTCOPY,
	OPT_TIMEOUT_SUSPEND,
	OPT_XML,
};

#define FLAG(name)                                                             \
	{                                                                      \
		name, no_argument, NULL, OPT_FLAG                              \
	}
#define VALUE(name, opt)                                                       \
	{                                                                      \
		name, required_argument, NULL, opt                             \
	}

static const struct option options[] = {
	FLAG("live"),
	FLAG("p2p"),
	FLAG("verbose"),
	FLAG("persistent"),
	FLAG("undefinesource"),
	FLAG("suspend"),
	FLAG("copy-storage-all"),
	FLAG("copy-storage-inc"),
	FLAG("change-protection"),
	FLAG("unsafe"),
	FLAG("abort-on-error"),
	FLAG("auto-converge"),
	FLAG("parallel"),
	FLAG("postcopy"),
	FLAG("postcopy-after-precopy"),
	VALUE("auto-converge-increment", OPT_CONVERGE_INCREMENT),
	VALUE("auto-converge-initial", OPT_CONVERGE_INITIAL),
	VALUE("available-switchover-bandwidth", OPT_SWITCHOVER),
	VALUE("bandwidth", OPT_BANDWIDTH),
	VALUE("connect", OPT_CONNECT),
	VALUE("disks-uri", OPT_DISKS_URI),
	VALUE("dname", OPT_DNAME),
	VALUE("format", OPT_FORMAT),
	{ "help", no_argument, NULL, OPT_HELP },
	VALUE("migrate-disks", OPT_MIGRATE_DISKS),
	{ "no-free-drop", no_argument, NULL, OPT_NO_FREE_DROP },
	VALUE("parallel-connections", OPT_CONNECTIONS),
	VALUE("peer", OPT_PEER),
	VALUE("persistent-xml", OPT_PERSISTENT_XML),
	VALUE("progress", OPT_PROGRESS),
	VALUE("progress-fd", OPT_PROGRESS_FD),
	VALUE("reconnect-timeout", OPT_RECONNECT),
	VALUE("timeout", OPT_TIMEOUT),
	{ "timeout-postcopy", no_argument, NULL, OPT_TIMEOUT_POSTCOPY },
	{ "timeout-suspend", no_argument, NULL, OPT_TIMEOUT_SUSPEND },
	VALUE("xml", OPT_XML),
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage: virt-mig migrate [OPTION]... VM DESTINATION\n\n"
	"Moves a running VM to another host, where virt-migd runs as it does "
	"here.\n"
	"DESTINATION is that host's name, or libvirt's URI of it.\n\n"
	"  --peer HOST[:PORT]   where its virt-migd is, if not at that host, "
	"port 49216\n"
	"  --bandwidth MIB      at most so many MiB/s on the network\n"
	"  --no-free-drop       send pages that the guest has free, too\n"
	"  --reconnect-timeout S  seconds in which a lost connection may be "
	"made again\n"
	"                       (as virt-mig.conf says: 60; 0: it may not)\n"
	"  --format text|json   how to show the result\n"
	"  --progress KIND      auto, none, bar, or json\n"
	"  --progress-fd N      where progress goes (2, standard error)\n"
	"  --connect URI        libvirt of this host (qemu:///system)\n"
	"  --help               this\n\n"
	"As of virsh migrate:\n"
	"  --persistent --undefinesource --suspend --change-protection "
	"--unsafe\n"
	"  --abort-on-error --copy-storage-all --copy-storage-inc "
	"--migrate-disks LIST\n"
	"  --disks-uri URI --dname NAME --xml FILE --persistent-xml FILE\n"
	"  --auto-converge --auto-converge-initial N "
	"--auto-converge-increment N\n"
	"  --parallel --parallel-connections N --postcopy "
	"--postcopy-after-precopy\n"
	"  --timeout SECONDS --timeout-suspend --timeout-postcopy\n"
	"  --available-switchover-bandwidth MIB\n"
	"  --live --p2p --verbose  always so; taken for habit's sake\n";

struct migrate_command {
	struct migrate_wish wish;
	const char *peer, *progress;
	char *xml, *persistent_xml, *disks_uri;
	bool timeout_suspend; /* as is done anyway */
	bool help;
};

static int
set_flag(struct migrate_wish *w, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (strcmp(flags[i].name, name) == 0)
			w->flags |= flags[i].flags;
	if (strcmp(name, "postcopy-after-precopy") == 0)
		w->postcopy_after_precopy = true;
	return 0;
}

static int
set_number(unsigned *n, const char *value, struct err *e)
{
	unsigned long parsed;

	if (conf_number(value, 1, NUMBER_MAX, &parsed, e) < 0)
		return -1;
	*n = (unsigned)parsed;
	return 0;
}

static int
set_format(struct migrate_wish *w, const char *value, struct err *e)
{
	w->json = strcmp(value, "json") == 0;
	if (w->json || strcmp(value, "text") == 0)
		return 0;
	return err_set(e, ERR_USAGE, "the format is text or json, not '%s'",
		       value);
}

static int
set_file(char **text, const char **where, const char *path, struct err *e)
{
	struct map m;

	if (map_open(&m, path, e) < 0)
		return -1;
	free(*text);
	*text = strndup(m.data ? (const char *)m.data : "", m.len);
	*where = *text;
	map_close(&m);
	return *text ? 0 : err_sys(e, "%s", path);
}

static int
set_number_option(struct migrate_wish *w, int option, const char *value,
		  struct err *e)
{
	unsigned long seconds;
	unsigned fd;

	switch (option) {
	case OPT_BANDWIDTH:
		return set_number(&w->bandwidth, value, e);
	case OPT_CONNECTIONS:
		return set_number(&w->connections, value, e);
	case OPT_CONVERGE_INCREMENT:
		return set_number(&w->auto_converge_increment, value, e);
	case OPT_CONVERGE_INITIAL:
		return set_number(&w->auto_converge_initial, value, e);
	case OPT_SWITCHOVER:
		return set_number(&w->switchover, value, e);
	case OPT_TIMEOUT:
		return set_number(&w->timeout_s, value, e);
	case OPT_RECONNECT:
		if (conf_number(value, 0, SETTINGS_RECONNECT_MAX, &seconds, e) <
		    0)
			return -1;
		w->reconnect_s = (long)seconds;
		return 0;
	default:
		if (set_number(&fd, value, e) < 0)
			return -1;
		w->progress_fd = (int)fd;
		return 0;
	}
}

static int
set_option(struct migrate_command *c, int option, const char *value,
	   struct err *e)
{
	struct migrate_wish *w = &c->wish;

	switch (option) {
	case OPT_BANDWIDTH:
	case OPT_CONNECTIONS:
	case OPT_CONVERGE_INCREMENT:
	case OPT_CONVERGE_INITIAL:
	case OPT_PROGRESS_FD:
	case OPT_RECONNECT:
	case OPT_SWITCHOVER:
	case OPT_TIMEOUT:
		return set_number_option(w, option, value, e);
	case OPT_CONNECT:
		w->connect = value;
		return 0;
	case OPT_DISKS_URI:
		w->disks_uri = value;
		return 0;
	case OPT_DNAME:
		w->dname = value;
		return 0;
	case OPT_FORMAT:
		return set_format(w, value, e);
	case OPT_HELP:
		c->help = true;
		return 0;
	case OPT_NO_FREE_DROP:
		w->no_free_drop = true;
		return 0;
	case OPT_MIGRATE_DISKS:
		w->migrate_disks = value;
		return 0;
	case OPT_PEER:
		c->peer = value;
		return 0;
	case OPT_PERSISTENT_XML:
		return set_file(&c->persistent_xml, &w->persistent_xml, value,
				e);
	case OPT_PROGRESS:
		c->progress = value;
		return 0;
	case OPT_TIMEOUT_POSTCOPY:
		w->timeout_postcopy = true;
		return 0;
	case OPT_TIMEOUT_SUSPEND:
		c->timeout_suspend = true;
		return 0;
	case OPT_XML:
		return set_file(&c->xml, &w->xml, value, e);
	default:
		return err_set(e, ERR_USAGE, "see 'virt-mig migrate --help'");
	}
}

/* Where disks are copied, they go from QEMU to QEMU, beside virt-mig. */
static int
set_disks_uri(struct migrate_command *c, struct err *e)
{
	struct migrate_wish *w = &c->wish;
	const unsigned copies =
		VIR_MIGRATE_NON_SHARED_DISK | VIR_MIGRATE_NON_SHARED_INC;
	const char *colon = strchr(w->peer, ':');
	bool port = colon && !strchr(colon + 1, ':');

	if (!(w->flags & copies) || w->disks_uri)
		return 0;
	if (asprintf(&c->disks_uri, "tcp://%.*s",
		     (int)(port ? colon - w->peer : (long)strlen(w->peer)),
		     w->peer) < 0)
		return err_sys(e, "disks");
	w->disks_uri = c->disks_uri;
	return 0;
}

/* What virsh refuses, too: alone it would do nothing. */
static int
check_together(const struct migrate_command *c, struct err *e)
{
	const struct migrate_wish *w = &c->wish;
	const struct {
		bool given, needed;
		const char *name, *needs;
	} rules[] = {
		{ w->connections, w->flags & VIR_MIGRATE_PARALLEL,
		  "parallel-connections", "parallel" },
		{ w->persistent_xml, w->flags & VIR_MIGRATE_PERSIST_DEST,
		  "persistent-xml", "persistent" },
		{ w->timeout_postcopy, w->flags & VIR_MIGRATE_POSTCOPY,
		  "timeout-postcopy", "postcopy" },
		{ w->timeout_postcopy, w->timeout_s, "timeout-postcopy",
		  "timeout" },
		{ c->timeout_suspend, w->timeout_s, "timeout-suspend",
		  "timeout" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].given && !rules[i].needed)
			return err_set(e, ERR_USAGE, "--%s needs --%s",
				       rules[i].name, rules[i].needs);
	if (c->timeout_suspend && w->timeout_postcopy)
		return err_set(e, ERR_USAGE,
			       "either --timeout-suspend or "
			       "--timeout-postcopy");
	return 0;
}

static int
parse(struct migrate_command *c, int argc, char **argv, struct err *e)
{
	struct migrate_wish *w = &c->wish;
	int option, at = 0, ret = 0;

	optind = 1;
	while (ret == 0 &&
	       (option = getopt_long(argc, argv, "", options, &at)) != -1) {
		ret = option == OPT_FLAG ? set_flag(w, options[at].name)
					 : set_option(c, option, optarg, e);
		if (ret < 0 && option != '?')
			(void)err_prefix(e, "--%s", options[at].name);
	}
	if (ret < 0 || c->help)
		return ret;
	if (argc - optind != 2)
		return err_set(e, ERR_USAGE,
			       "which VM, and where to? see 'virt-mig migrate "
			       "--help'");
	if (check_together(c, e) < 0)
		return -1;
	w->vm = argv[optind];
	if (progress_parse(c->progress, w->progress_fd, &w->progress, e) < 0 ||
	    migrate_destination(w, argv[optind + 1], c->peer, e) < 0)
		return -1;
	return set_disks_uri(c, e);
}

static void
command_free(struct migrate_command *c)
{
	free(c->wish.to);
	free(c->wish.peer);
	free(c->xml);
	free(c->persistent_xml);
	free(c->disks_uri);
}

int
cmd_migrate(int argc, char **argv, struct err *e)
{
	struct migrate_command c = {
		.wish = { .connect = "qemu:///system",
			  .flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER,
			  .reconnect_s = -1,
			  .progress_fd = STDERR_FILENO },
		.progress = "auto",
	};
	struct migrate_result r = { .session = NULL };
	int ret = parse(&c, argc, argv, e);

	if (ret == 0 && c.help) {
		fputs(usage, stdout);
	} else if (ret == 0) {
		ret = migrate_run(&c.wish, &r, e);
		/* The status says where the VM is, not who was told of it. */
		if (ret == 0 && migrate_show(&c.wish, &r, e) < 0)
			fprintf(stderr, "virt-mig migrate: %s\n", e->text);
	}
	json_decref(r.session);
	command_free(&c);
	return ret;
}
