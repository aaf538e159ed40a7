/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/listener.h"
#include "tools/passed.h"
#include "tools/settings.h"

/* Its sockets are given to it, by systemd or by virt-migd: where peers call,
 * and where monitors ask.
 */
static int
serve(struct err *e)
{
	static struct listener l;
	int ret;

	l.peers_fd = passed_socket(SOCK_STREAM);
	l.asked_fd = passed_socket(SOCK_SEQPACKET);
	l.called = LISTENER_CALLED;
	l.patience_ms = LISTENER_CALL_MS;
	if (l.peers_fd < 0 || l.asked_fd < 0)
		return err_set(e, ERR_USAGE,
			       "systemd or virt-migd starts this program");
	if (geteuid() == 0)
		return err_set(e, ERR_USAGE, "this is not for root");
	ret = listener_init(&l, e);
	if (ret == 0)
		listener_run(&l);
	listener_fini(&l);
	return ret;
}

int
main(void)
{
	struct err e = { .code = ERR_NONE };

	signal(SIGPIPE, SIG_IGN);
	/* Started by a descriptor, it would have the name of a number. */
	prctl(PR_SET_NAME, "virt-mig-listen", 0, 0, 0);
	if (serve(&e) == 0)
		return 0;
	fprintf(stderr, "virt-mig-listener: %s\n", e.text);
	return err_exit_status(&e);
}
