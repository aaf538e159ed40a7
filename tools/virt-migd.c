/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/tls.h"
#include "tools/daemon.h"
#include "tools/listener.h"
#include "tools/passed.h"

/* Where the command asks, and where the listener hands peers over: from
 * systemd, which made them.
 */
static bool
take_passed(struct daemon *d)
{
	d->control_fd = passed_socket(SOCK_SEQPACKET);
	d->calls_fd = passed_socket(SOCK_DGRAM);
	return d->control_fd >= 0 && d->calls_fd >= 0;
}

/* Or made here where we were started by hand; then those of the listener are
 * ours to make, too.
 */
static int
make_sockets(const struct settings *s, struct daemon *d, struct err *e)
{
	struct endpoint_addr bound;
	struct settings_ids ids;
	char text[ENDPOINT_TEXT_MAX];

	if (settings_ids(s, &ids, e) < 0)
		return -1;

	const struct parcel_socket control = { .path = SETTINGS_RUN "/control",
					       .type = SOCK_SEQPACKET,
					       .gid = ids.control,
					       .mode = 0660 };
	const struct parcel_socket calls = { .path = LISTENER_CALLED,
					     .type = SOCK_DGRAM,
					     .uid = ids.listen_user,
					     .mode = 0600 };
	const struct parcel_socket asked = { .path = LISTENER_ASKED,
					     .type = SOCK_SEQPACKET,
					     .mode = 0600 };

	mkdir(SETTINGS_RUN, 0711);
	/* In this order: where another daemon runs, its sockets stay. */
	if (endpoint_listen(&s->listen, &d->peers_fd, &bound, e) < 0 ||
	    parcel_listen(&asked, &d->asked_fd, e) < 0 ||
	    parcel_listen(&calls, &d->calls_fd, e) < 0 ||
	    parcel_listen(&control, &d->control_fd, e) < 0)
		return -1;
	endpoint_addr_text(&bound, text);
	fprintf(stderr, "virt-migd: waiting at %s\n", text);
	return 0;
}

/* Tells systemd that we are ready: sd_notify(3). */
static void
notify_ready(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	auto_fd int fd = -1;

	if (!path || strlen(path) >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, strlen(path));
	if (*path == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)!sendto(fd, "READY=1", 7, MSG_NOSIGNAL,
		      (const struct sockaddr *)&sun,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				  strlen(path)));
}

static int
serve(struct settings *s, struct err *e)
{
	struct daemon d = { .peers_fd = -1, .asked_fd = -1 };
	int ret;

	if (!take_passed(&d) && make_sockets(s, &d, e) < 0)
		return -1;
	ret = daemon_init(&d, s, e);
	if (ret == 0) {
		notify_ready();
		daemon_run(&d);
	}
	daemon_fini(&d);
	return ret;
}

static void
usage(FILE *out)
{
	fputs("Usage: virt-migd [--config FILE] [--check]\n\n"
	      "Moves running VMs to and from this host, for virt-mig(1) and "
	      "virsh.\n\n"
	      "  --config FILE  settings, instead of " SETTINGS_FILE "\n"
	      "  --check        say whether they make sense, and end\n"
	      "  --version\n"
	      "  --help         this\n",
	      out);
}

static const struct option options[] = {
	{ "check", no_argument, NULL, 'c' },
	{ "config", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

/* What is no mistake in the settings, and may come later; but without it
 * migrations fail, or are larger.
 */
static void
warn(const struct settings *s)
{
	static const enum tls_role roles[] = { TLS_SERVER, TLS_CLIENT };
	const struct settings_list *images = &s->public_images;

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct err e;
		struct tls *tls = tls_open(roles[i], s->tls_dir, &e);

		if (!tls)
			fprintf(stderr, "virt-migd: warning: %s\n", e.text);
		tls_close(tls);
	}
	for (size_t i = 0; i < images->n; i++)
		if (access(images->at[i], R_OK) < 0)
			fprintf(stderr, "virt-migd: warning: %s: %s\n",
				images->at[i], strerror(errno));
}

static int
check_settings(const struct settings *s, struct err *e)
{
	struct settings_ids ids;

	if (settings_ids(s, &ids, e) < 0)
		return -1;
	warn(s);
	return 0;
}

static int
run(const char *file, bool check, struct err *e)
{
	struct settings s;
	int ret;

	if (settings_open(&s, file ? file : SETTINGS_FILE, file != NULL, e) < 0)
		return -1;
	if (check)
		ret = check_settings(&s, e);
	else if (geteuid() != 0)
		ret = err_set(e, ERR_USAGE, "only root can hand out images");
	else
		ret = serve(&s, e);
	settings_close(&s);
	return ret;
}

int
main(int argc, char **argv)
{
	struct err e = { .code = ERR_NONE };
	const char *file = NULL;
	bool check = false;
	int option;

	signal(SIGPIPE, SIG_IGN);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'c':
			check = true;
			break;
		case 'f':
			file = optarg;
			break;
		case 'v':
			printf("virt-migd %s\n", PACKAGE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			return 2;
		}
	if (argc > optind) {
		usage(stderr);
		return 2;
	}
	if (run(file, check, &e) == 0)
		return 0;
	fprintf(stderr, "virt-migd: %s\n", e.text);
	return err_exit_status(&e);
}
