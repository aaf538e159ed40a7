/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/control.h"
#include "tools/migrate.h"

int
migrate_libvirt_failed(struct err *e, const char *what)
{
	const char *why = virGetLastErrorMessage();

	return err_set(e, ERR_SYSTEM, "%.60s: %.170s", what,
		       why ? why : "failed");
}

/* The host in "qemu+ssh://user@HOST:22/system?...", which the caller frees;
 * "" where there is none.
 */
static char *
host_of(const char *uri)
{
	const char *at = strstr(uri, "://");
	size_t len;

	at = at ? at + 3 : "";
	len = strcspn(at, "/?#");
	for (const char *user; (user = memchr(at, '@', len));) {
		len -= (size_t)(user + 1 - at);
		at = user + 1;
	}
	if (*at == '[')
		len = strcspn(at, "]") + (at[strcspn(at, "]")] == ']');
	else
		len = MIN(len, strcspn(at, ":"));
	return strndup(at, len);
}

int
migrate_destination(struct migrate_wish *w, const char *dest, const char *peer,
		    struct err *e)
{
	if (strstr(dest, "://"))
		w->to = strdup(dest);
	else if (asprintf(&w->to, "qemu+ssh://%s/system", dest) < 0)
		w->to = NULL;
	w->peer = !w->to ? NULL : peer ? strdup(peer) : host_of(w->to);
	if (!w->peer)
		return err_sys(e, "destination");
	if (!*w->peer)
		return err_set(e, ERR_USAGE,
			       "%s names no host: which has the virt-migd? "
			       "say --peer HOST",
			       dest);
	return 0;
}

static void
ignore_error(void *arg, virErrorPtr why)
{
	(void)arg;
	(void)why;
}

static int
find_domain(const struct migrate_wish *w, struct migrate_place *p,
	    struct err *e)
{
	virSetErrorFunc(NULL, ignore_error);
	p->conn = virConnectOpen(w->connect);
	if (!p->conn)
		return migrate_libvirt_failed(e, "libvirt");
	p->dom = virDomainLookupByName(p->conn, w->vm);
	if (!p->dom)
		p->dom = virDomainLookupByUUIDString(p->conn, w->vm);
	if (!p->dom)
		return err_set(e, ERR_USAGE, "there is no VM '%s' here", w->vm);
	if (virDomainGetUUIDString(p->dom, p->uuid) < 0)
		return migrate_libvirt_failed(e, "libvirt");
	if (virDomainIsActive(p->dom) != 1)
		return err_set(e, ERR_USAGE, "%s does not run", w->vm);
	return 0;
}

static int
check_switchover(const struct migrate_place *p, struct err *e)
{
	unsigned long v = 0;

	if (virConnectGetLibVersion(p->conn, &v) < 0)
		return migrate_libvirt_failed(e, "libvirt");
	if (v >= MIGRATE_SWITCHOVER_SINCE)
		return 0;
	return err_set(e, ERR_USAGE,
		       "--available-switchover-bandwidth needs libvirt 11.1, "
		       "and this host has %lu.%lu",
		       v / 1000000, v / 1000 % 1000);
}

int
migrate_prepare(const struct migrate_wish *w, struct migrate_place *p,
		struct err *e)
{
	struct control_wish wish = { .vm = w->vm,
				     .peer = w->peer,
				     .rate = (uint64_t)w->bandwidth << 20,
				     .reconnect_s = w->reconnect_s,
				     .stay = w->stay,
				     .no_free_drop = w->no_free_drop };

	*p = (struct migrate_place){ .control = -1 };
	(void)interrupted();
	if (find_domain(w, p, e) < 0 ||
	    (w->switchover && check_switchover(p, e) < 0))
		return -1;
	wish.uuid = p->uuid;
	if (control_open(&p->control, e) < 0)
		return -1;
	return control_prepare(p->control, &wish, p->path, e);
}

void
migrate_place_close(struct migrate_place *p)
{
	if (p->control >= 0)
		close(p->control);
	if (p->dom)
		virDomainFree(p->dom);
	if (p->conn)
		virConnectClose(p->conn);
}
