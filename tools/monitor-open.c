/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/domain.h"
#include "tools/listener.h"
#include "tools/monitor.h"

static void
set_socket_path(struct monitor *m)
{
	char id[CALL_TEXT_MAX];

	call_id_text(m->call.id, id);
	snprintf(m->socket_path, sizeof(m->socket_path),
		 SETTINGS_RUN "/%s.sock", id);
}

/* QEMU, and libvirt for it, connect here.  libvirt gives the socket to QEMU's
 * user where QEMU is to connect by itself.
 */
static int
listen_for_qemu(struct monitor *m, struct err *e)
{
	struct endpoint ep = { .is_unix = true };
	struct endpoint_addr bound;

	snprintf(ep.host, sizeof(ep.host), "%s", m->socket_path);
	if (endpoint_listen(&ep, &m->listening, &bound, e) < 0)
		return -1;
	if (chown(m->socket_path, 0, m->ids->qemu) < 0 ||
	    chmod(m->socket_path, 0660) < 0)
		return err_sys(e, "%s", m->socket_path);
	return 0;
}

/* What is read can be offered, and what is offered can be asked about: only
 * what belongs to the VM, and what the operator said belongs to everybody.
 */
static void
lend_image(struct monitor *m, const char *path, const char *format,
	   bool settled)
{
	struct err why;

	if (m->nloans == MONITOR_IMAGES)
		return;
	for (size_t i = 0; i < m->nloans; i++)
		if (strcmp(m->names[i], path) == 0)
			return;
	if (held_lend(&m->loans[m->nloans], path, format, &why) == 0) {
		m->names[m->nloans] = strdup(path);
		if (m->names[m->nloans])
			m->nloans++;
		else
			held_loan_close(&m->loans[m->nloans]);
	} else if (settled) {
		index_build_later(path, format);
	}
}

static void
lend_public(struct monitor *m, const char *path)
{
	char file[SETTINGS_PATH_MAX];
	DIR *dir = opendir(path);
	struct dirent *d;
	struct stat st;

	if (!dir) {
		lend_image(m, path, NULL, true);
		return;
	}
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.' ||
		    (size_t)snprintf(file, sizeof(file), "%s/%s", path,
				     d->d_name) >= sizeof(file))
			continue;
		if (stat(file, &st) == 0 && S_ISREG(st.st_mode))
			lend_image(m, file, NULL, true);
	}
	closedir(dir);
}

static int
lend_images(struct monitor *m, struct err *e)
{
	struct domain d;

	if (domain_look_up(m->settings->libvirt_uri, m->call.uuid,
			   m->role == MONITOR_RECEIVE, &d, e) < 0)
		return -1;
	memcpy(m->vm, d.name, sizeof(m->vm));
	/* A base that many VMs share says most; it stands last in a chain. */
	for (size_t i = d.nlayers; i-- > 0;)
		lend_image(m, d.layers[i].path, d.layers[i].format,
			   !d.layers[i].active);
	for (size_t i = 0; i < m->settings->public_images.n; i++)
		lend_public(m, m->settings->public_images.at[i]);
	domain_free(&d);
	return 0;
}

/* A file without a name; it gets one if its contents are to be kept. */
static int
open_memory(struct monitor *m, struct err *e)
{
	const char *dir = m->settings->memory_dir;
	char uuid[CALL_TEXT_MAX];

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "%s", dir);
	m->shadow = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (m->shadow < 0)
		return err_sys(e, "a file in %s", dir);
	call_uuid_text(m->call.uuid, uuid);
	if ((size_t)snprintf(m->kept_path, sizeof(m->kept_path), "%s/%s", dir,
			     uuid) >= sizeof(m->kept_path))
		return err_set(e, ERR_USAGE, "%s: the name is too long", dir);
	m->kept = open(m->kept_path, O_RDONLY | O_CLOEXEC);
	return 0;
}

/* Where libvirt keeps the numbers of its QEMUs' processes. */
#define QEMU_PID         "/run/libvirt/qemu/%s.pid"
#define COMMAND_LINE_MAX (1u << 20)

/* Whether that UUID is among the arguments of the process. */
static bool
is_qemu_of(int pid, const char *uuid)
{
	auto_free char *line = malloc(COMMAND_LINE_MAX);
	char path[64];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = line ? fopen(path, "re") : NULL;
	if (!f)
		return false;
	n = fread(line, 1, COMMAND_LINE_MAX, f);
	fclose(f);
	return memmem(line, n, uuid, strlen(uuid) + 1) != NULL;
}

struct qemu_maps
monitor_guest(const struct monitor *m)
{
	struct qemu_maps maps = QEMU_MAPS_NONE;
	char path[sizeof(m->vm) + sizeof(QEMU_PID)], uuid[CALL_TEXT_MAX];
	struct err ignored;
	int pid = 0;
	FILE *f;

	if (m->role != MONITOR_SEND || m->no_free_drop || strchr(m->vm, '/'))
		return maps;
	snprintf(path, sizeof(path), QEMU_PID, m->vm);
	f = fopen(path, "re");
	if (!f)
		return maps;
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	call_uuid_text(m->call.uuid, uuid);
	if (pid > 0 && is_qemu_of(pid, uuid))
		(void)!qemu_maps_open(&maps, pid, &ignored);
	return maps;
}

int
monitor_open(struct monitor *m, struct err *e)
{
	set_socket_path(m);
	if (m->role == MONITOR_SEND && listen_for_qemu(m, e) < 0)
		return -1;
	if (lend_images(m, e) < 0)
		return -1;
	return open_memory(m, e);
}

/* A socket on this host is root's to connect to; the network is not ours. */
static int
connect_peer(const struct monitor *m, int *fd, struct err *e)
{
	struct endpoint_addr addr = { .len = sizeof(addr.sa) };

	if ((m->to.is_unix
		     ? endpoint_connect(&m->to, fd, e)
		     : listener_connect(LISTENER_ASKED, &m->to, fd, e)) < 0)
		return err_prefix(e, "virt-migd at %.100s, port %u", m->to.host,
				  m->to.port);
	/* What is not encrypted stays here, wherever the listener thinks that
	 * the peer is.
	 */
	if (!m->plain ||
	    (getpeername(*fd, (struct sockaddr *)&addr.sa, &addr.len) == 0 &&
	     endpoint_addr_is_local(&addr)))
		return 0;
	close(*fd);
	return err_set(e, ERR_AUTH, "%.100s is not this host", m->to.host);
}

int
monitor_connect(const struct monitor *m, bool probe, int *fd, struct err *e)
{
	const struct call nothing = { .id = { 0 } };
	uint8_t bytes[CALL_BYTES];

	call_put(probe ? &nothing : &m->call, bytes);
	if (connect_peer(m, fd, e) < 0)
		return -1;
	if (send(*fd, bytes, sizeof(bytes), MSG_NOSIGNAL) == CALL_BYTES)
		return 0;
	close(*fd);
	return err_sys(e, "calling virt-migd");
}

int
monitor_connect_qemu(const struct monitor *m, int *fd, struct err *e)
{
	struct endpoint ep = { .is_unix = true };

	snprintf(ep.host, sizeof(ep.host), "%s", m->socket_path);
	if (endpoint_connect(&ep, fd, e) < 0)
		return err_prefix(e, "QEMU at %s", m->socket_path);
	return 0;
}

void
monitor_keep(struct monitor *m)
{
	char from[40], part[SETTINGS_PATH_MAX + 8];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", m->shadow);
	snprintf(part, sizeof(part), "%s.part", m->kept_path);
	unlink(part);
	if (linkat(AT_FDCWD, from, AT_FDCWD, part, AT_SYMLINK_FOLLOW) == 0 &&
	    rename(part, m->kept_path) < 0)
		unlink(part);
}

void
monitor_close(struct monitor *m)
{
	/* A QEMU that was killed leaves its socket behind. */
	if (*m->socket_path)
		unlink(m->socket_path);
	if (m->listening >= 0)
		close(m->listening);
	if (m->shadow >= 0)
		close(m->shadow);
	if (m->kept >= 0)
		close(m->kept);
	while (m->nloans > 0) {
		held_loan_close(&m->loans[--m->nloans]);
		free(m->names[m->nloans]);
	}
	m->listening = m->shadow = m->kept = -1;
}
