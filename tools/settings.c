/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/mem.h"
#include "tools/settings.h"

struct setting {
	const char *section, *key;
	int (*set)(struct settings *c, const char *value, struct err *e);
};

static int
set_text(char **at, const char *value, struct err *e)
{
	char *copy = strdup(value);

	if (!copy)
		return err_sys(e, "config");
	if (!*value) {
		free(copy);
		return err_set(e, ERR_USAGE, "the value is missing");
	}
	free(*at);
	*at = copy;
	return 0;
}

static int
set_path(char **at, const char *value, struct err *e)
{
	if (*value != '/')
		return err_set(e, ERR_USAGE, "'%.80s' does not begin with /",
			       value);
	return set_text(at, value, e);
}

static int
add_text(struct settings_list *list, const char *value, struct err *e)
{
	if (list->n == SETTINGS_LIST_MAX)
		return err_set(e, ERR_USAGE, "more than %d of them",
			       SETTINGS_LIST_MAX);
	if (set_text(&list->at[list->n], value, e) < 0)
		return -1;
	list->n++;
	return 0;
}

static int
set_listen(struct settings *c, const char *value, struct err *e)
{
	if (!*value)
		return err_set(e, ERR_USAGE, "the value is missing");
	return endpoint_parse(value, SETTINGS_PORT, &c->listen, e);
}

static int
set_listen_user(struct settings *c, const char *value, struct err *e)
{
	return set_text(&c->listen_user, value, e);
}

static int
set_tls_dir(struct settings *c, const char *value, struct err *e)
{
	return set_path(&c->tls_dir, value, e);
}

static int
set_allow(struct settings *c, const char *value, struct err *e)
{
	return add_text(&c->allow, value, e);
}

static int
set_sessions(struct settings *c, const char *value, struct err *e)
{
	return conf_number(value, 1, SETTINGS_SESSIONS, &c->sessions, e);
}

static int
set_per_peer(struct settings *c, const char *value, struct err *e)
{
	return conf_number(value, 1, SETTINGS_SESSIONS, &c->sessions_per_peer,
			   e);
}

static int
set_public(struct settings *c, const char *value, struct err *e)
{
	if (*value != '/')
		return err_set(e, ERR_USAGE, "'%.80s' does not begin with /",
			       value);
	return add_text(&c->public_images, value, e);
}

static int
set_user(struct settings *c, const char *value, struct err *e)
{
	return set_text(&c->user, value, e);
}

static int
set_threads(struct settings *c, const char *value, struct err *e)
{
	return conf_number(value, 0, 256, &c->threads, e);
}

static int
set_reconnect(struct settings *c, const char *value, struct err *e)
{
	return conf_number(value, 0, SETTINGS_RECONNECT_MAX,
			   &c->reconnect_timeout, e);
}

static int
set_qemu_group(struct settings *c, const char *value, struct err *e)
{
	return set_text(&c->qemu_group, value, e);
}

static int
set_control_group(struct settings *c, const char *value, struct err *e)
{
	return set_text(&c->control_group, value, e);
}

static int
set_libvirt_uri(struct settings *c, const char *value, struct err *e)
{
	return set_text(&c->libvirt_uri, value, e);
}

static int
set_memory_dir(struct settings *c, const char *value, struct err *e)
{
	return set_path(&c->memory_dir, value, e);
}

static int
set_keep(struct settings *c, const char *value, struct err *e)
{
	return conf_bool(value, &c->keep_memory, e);
}

static const struct setting all[] = {
	{ "control", "group", set_control_group },
	{ "images", "public", set_public },
	{ "libvirt", "uri", set_libvirt_uri },
	{ "listen", "address", set_listen },
	{ "listen", "user", set_listen_user },
	{ "memory", "dir", set_memory_dir },
	{ "memory", "keep", set_keep },
	{ "peers", "allow", set_allow },
	{ "peers", "sessions", set_sessions },
	{ "peers", "sessions-per-peer", set_per_peer },
	{ "qemu", "group", set_qemu_group },
	{ "session", "reconnect-timeout", set_reconnect },
	{ "session", "threads", set_threads },
	{ "session", "user", set_user },
	{ "tls", "dir", set_tls_dir },
};

static int
settings_set(void *arg, const char *section, const char *key, const char *value,
	     struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(all[i].section, section) == 0 &&
		    strcmp(all[i].key, key) == 0)
			return all[i].set(arg, value, e);
	return err_set(e, ERR_USAGE, "there is no %.80s in [%.80s]", key,
		       section);
}

static int
settings_defaults(struct settings *c, struct err *e)
{
	*c = (struct settings){ .listen.port = SETTINGS_PORT,
				.sessions = SETTINGS_SESSIONS,
				.sessions_per_peer = SETTINGS_SESSIONS,
				.reconnect_timeout = 60 };
	if (set_text(&c->user, "virt-mig", e) < 0 ||
	    set_text(&c->listen_user, "virt-mig-net", e) < 0 ||
	    set_text(&c->libvirt_uri, "qemu:///system", e) < 0)
		return -1;
	return set_text(&c->memory_dir, "/var/lib/virt-mig/memory", e);
}

int
settings_open(struct settings *c, const char *path, bool must_exist,
	      struct err *e)
{
	int ret = settings_defaults(c, e);

	if (ret == 0 && (must_exist || access(path, F_OK) == 0))
		ret = conf_read(path, settings_set, c, e);
	if (ret < 0)
		settings_close(c);
	return ret;
}

static void
list_free(struct settings_list *list)
{
	while (list->n > 0)
		free(list->at[--list->n]);
}

void
settings_close(struct settings *c)
{
	list_free(&c->allow);
	list_free(&c->public_images);
	free(c->tls_dir);
	free(c->user);
	free(c->listen_user);
	free(c->qemu_group);
	free(c->control_group);
	free(c->libvirt_uri);
	free(c->memory_dir);
	*c = (struct settings){ .tls_dir = NULL };
}

/* The named group, else the first of the usual ones that is there. */
static int
find_group(const char *name, const char *const *usual, gid_t *gid,
	   struct err *e)
{
	const struct group *g;

	*gid = 0;
	if (name) {
		g = getgrnam(name);
		if (!g)
			return err_set(e, ERR_USAGE, "there is no group '%s'",
				       name);
		*gid = g->gr_gid;
		return 0;
	}
	for (; *usual; usual++) {
		g = getgrnam(*usual);
		if (g) {
			*gid = g->gr_gid;
			return 0;
		}
	}
	return 0;
}

static int
find_user(const char *name, uid_t *uid, gid_t *gid, struct err *e)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		return err_set(e, ERR_USAGE, "there is no user '%s'", name);
	if (user->pw_uid == 0)
		return err_set(e, ERR_USAGE, "'%s' is root", name);
	*uid = user->pw_uid;
	*gid = user->pw_gid;
	return 0;
}

int
settings_ids(const struct settings *c, struct settings_ids *ids, struct err *e)
{
	static const char *const qemu[] = { "libvirt-qemu", "qemu", NULL };
	static const char *const control[] = { "libvirt", NULL };

	if (find_user(c->user, &ids->user, &ids->group, e) < 0 ||
	    find_user(c->listen_user, &ids->listen_user, &ids->listen_group,
		      e) < 0)
		return -1;
	if (ids->user == ids->listen_user)
		return err_set(e, ERR_USAGE,
			       "sessions run as '%s', and the listener, too",
			       c->user);
	if (find_group(c->qemu_group, qemu, &ids->qemu, e) < 0)
		return -1;
	return find_group(c->control_group, control, &ids->control, e);
}
