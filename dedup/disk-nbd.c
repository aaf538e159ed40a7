/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <libnbd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/child.h"
#include "common/mem.h"
#include "dedup/disk-chain.h"
#include "dedup/disk-impl.h"
#include "dedup/disk.h"

/* Other formats are read by a qemu-nbd of our own over one connection.
 *
 * The connection is made before the server runs: the listening socket has a
 * name only while we connect to it, in a folder that nobody else enters, and
 * the server takes it as a descriptor.  So nothing has to be waited for, no
 * name is left behind, and a server whose only client is gone, however we
 * died, ends by itself.
 */
#define REQUEST_BYTES (1u << 20)
#define IN_FLIGHT     8
#define LINE_BYTES    (64u << 10) /* the usual cluster */
#define LINES         64
#define STATUS_BYTES  (1u << 30)

/* What the server says about bytes from 'start' on, in one of its contexts. */
struct extent {
	uint64_t end;
	uint32_t value;
};

struct extents {
	const char *context;
	uint64_t start;
	struct extent *at;
	size_t n;
};

#define CONTEXT_DEPTH "qemu:allocation-depth"

/* A piece of the disk that was read; small reads come from here. */
struct line {
	uint64_t offset;
	uint8_t *bytes; /* NULL: nothing yet */
};

struct nbd_disk {
	struct nbd_handle *nbd;
	struct child child;
	struct line lines[LINES];
	struct extents data;  /* flags: does it hold data? */
	struct extents depth; /* 1: the image itself; 2..: backing files */
};

/* Why libnbd failed; what the server said before it ended says more. */
static int
nbd_failed(struct nbd_disk *n, struct err *e)
{
	const char *problem = nbd_get_error();

	err_fill(e, ERR_SYSTEM, "qemu-nbd: %s", problem ? problem : "failed");
	if (n->child.pid > 0 &&
	    (!n->nbd || nbd_aio_is_dead(n->nbd) || nbd_aio_is_closed(n->nbd)) &&
	    child_wait(&n->child, e) < 0)
		return -1;
	return -1;
}

/* A socket's name must be short: a long TMPDIR does not serve. */
static int
make_folder(char *folder, size_t cap)
{
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(folder, cap, "%s/virt-mig-XXXXXX", tmp ? tmp : "/tmp");

	if (n < 0 || (size_t)n >= cap)
		snprintf(folder, cap, "/tmp/virt-mig-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

/* Makes a listening socket and a connection to it, and leaves no name. */
static int
socket_pair(int *listening, int *connected, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char folder[sizeof(at.sun_path) - sizeof("/nbd") + 1];
	auto_fd int a = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_fd int b = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret;

	if (a < 0 || b < 0 || make_folder(folder, sizeof(folder)) < 0)
		return err_sys(e, "a socket for qemu-nbd");
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/nbd", folder);
	ret = bind(a, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	      listen(a, 1) < 0 ||
	      connect(b, (struct sockaddr *)&at, sizeof(at)) < 0;
	if (ret)
		ret = err_sys(e, "%s", at.sun_path);
	unlink(at.sun_path);
	rmdir(folder);
	if (ret < 0)
		return -1;
	*listening = a;
	*connected = b;
	a = b = -1;
	return 0;
}

static int
start_server(struct child *server, const char *opts, int *connected,
	     struct err *e)
{
	const char *argv[] = {
		"qemu-nbd",     "--read-only", "--allocation-depth",
		"--image-opts", opts,          NULL
	};
	auto_fd int listening = -1;

	if (socket_pair(&listening, connected, e) < 0)
		return -1;
	if (child_start(server, argv, listening, e) < 0) {
		close(*connected);
		return -1;
	}
	return 0;
}

static int
connect_server(struct nbd_disk *n, int connected, uint64_t *size, struct err *e)
{
	int64_t bytes;

	n->nbd = nbd_create();
	if (!n->nbd) {
		close(connected);
		return nbd_failed(n, e);
	}
	if (nbd_add_meta_context(n->nbd, n->data.context) < 0 ||
	    nbd_add_meta_context(n->nbd, n->depth.context) < 0) {
		close(connected);
		return nbd_failed(n, e);
	}
	if (nbd_connect_socket(n->nbd, connected) < 0)
		return nbd_failed(n, e);
	bytes = nbd_get_size(n->nbd);
	if (bytes < 0)
		return nbd_failed(n, e);
	*size = (uint64_t)bytes;
	return 0;
}

static void
nbd_disk_free(struct nbd_disk *n)
{
	nbd_close(n->nbd);
	child_close(&n->child);
	for (unsigned i = 0; i < LINES; i++)
		free(n->lines[i].bytes);
	free(n->data.at);
	free(n->depth.at);
	free(n);
}

static void
nbd_disk_close(struct disk *d)
{
	nbd_disk_free(d->state);
}

/* Waits until a request is done; -1 if it failed. */
static int
finish(struct nbd_disk *n, int64_t cookie)
{
	int done;

	while ((done = nbd_aio_command_completed(n->nbd, (uint64_t)cookie)) ==
	       0)
		if (nbd_poll(n->nbd, -1) < 0)
			return -1;
	return done < 0 ? -1 : 0;
}

/* A read in pieces, several of which are under way at any time. */
static int
read_pieces(struct nbd_disk *n, uint64_t offset, uint8_t *out, size_t len,
	    struct err *e)
{
	int64_t cookies[IN_FLIGHT];
	size_t npieces = (len + REQUEST_BYTES - 1) / REQUEST_BYTES;
	size_t sent = 0, done = 0;
	int ret = 0;

	while (done < sent || (ret == 0 && sent < npieces)) {
		size_t at = sent * REQUEST_BYTES;

		if (ret == 0 && sent < npieces && sent - done < IN_FLIGHT) {
			cookies[sent % IN_FLIGHT] = nbd_aio_pread(
				n->nbd, out + at,
				MIN(len - at, (size_t)REQUEST_BYTES),
				offset + at, NBD_NULL_COMPLETION, 0);
			if (cookies[sent % IN_FLIGHT] < 0)
				ret = nbd_failed(n, e);
			else
				sent++;
			continue;
		}
		if (finish(n, cookies[done++ % IN_FLIGHT]) < 0 && ret == 0)
			ret = nbd_failed(n, e);
	}
	return ret;
}

static int
fill_line(struct disk *d, struct line *l, uint64_t offset, struct err *e)
{
	struct nbd_disk *n = d->state;
	size_t len = (size_t)MIN(d->size - offset, (uint64_t)LINE_BYTES);
	uint8_t *bytes = l->bytes ? l->bytes : malloc(LINE_BYTES);

	l->bytes = NULL;
	if (!bytes)
		return err_sys(e, "reading");
	if (read_pieces(n, offset, bytes, len, e) < 0) {
		free(bytes);
		return -1;
	}
	*l = (struct line){ offset, bytes };
	return 0;
}

static int
nbd_disk_read(struct disk *d, uint64_t offset, uint8_t *out, size_t len,
	      struct err *e)
{
	struct nbd_disk *n = d->state;

	if (len >= LINE_BYTES)
		return read_pieces(n, offset, out, len, e);
	while (len > 0) {
		uint64_t start = offset - offset % LINE_BYTES;
		struct line *l = &n->lines[start / LINE_BYTES % LINES];
		size_t skip = (size_t)(offset - start);
		size_t here = MIN(len, LINE_BYTES - skip);

		if ((!l->bytes || l->offset != start) &&
		    fill_line(d, l, start, e) < 0)
			return -1;
		memcpy(out, l->bytes + skip, here);
		out += here;
		offset += here;
		len -= here;
	}
	return 0;
}

/* Called by libnbd for each context with (length, value) pairs. */
static int
on_extents(void *arg, const char *context, uint64_t offset, uint32_t *entries,
	   size_t nentries, int *error)
{
	struct nbd_disk *n = arg;
	struct extents *x =
		strcmp(context, n->data.context) == 0 ? &n->data : &n->depth;
	struct extent *at = calloc(nentries / 2 + 1, sizeof(*at));

	if (!at) {
		*error = ENOMEM;
		return -1;
	}
	free(x->at);
	x->at = at;
	x->n = nentries / 2;
	x->start = offset;
	for (size_t i = 0; i < x->n; i++) {
		offset += entries[2 * i];
		at[i] = (struct extent){ offset, entries[2 * i + 1] };
	}
	return 0;
}

/* The extent that a byte is in, NULL if nothing was said about it. */
static const struct extent *
extent_at(const struct extents *x, uint64_t byte)
{
	size_t low = 0, high = x->n;

	if (x->n == 0 || byte < x->start || byte >= x->at[x->n - 1].end)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (x->at[middle].end <= byte)
			low = middle + 1;
		else
			high = middle;
	}
	return &x->at[low];
}

static int
get_extents(struct disk *d, uint64_t from, struct err *e)
{
	struct nbd_disk *n = d->state;
	nbd_extent_callback callback = { .callback = on_extents,
					 .user_data = n };
	uint64_t len = MIN(d->size - from, (uint64_t)STATUS_BYTES);

	n->data.n = n->depth.n = 0;
	if (nbd_block_status(n->nbd, len, from, callback, 0) < 0)
		return nbd_failed(n, e);
	if (!extent_at(&n->data, from) || !extent_at(&n->depth, from))
		return err_set(e, ERR_PROTOCOL,
			       "qemu-nbd says nothing about byte %llu",
			       (unsigned long long)from);
	return 0;
}

static int
nbd_disk_next_data(struct disk *d, uint64_t from, struct disk_run *run,
		   struct err *e)
{
	struct nbd_disk *n = d->state;

	while (from < d->size) {
		const struct extent *data = extent_at(&n->data, from);
		const struct extent *depth = extent_at(&n->depth, from);

		if (!data || !depth) {
			if (get_extents(d, from, e) < 0)
				return -1;
			continue;
		}
		if (!(data->value & LIBNBD_STATE_ZERO)) {
			*run = (struct disk_run){ from,
						  MIN(data->end, depth->end),
						  depth->value > 1 };
			return 1;
		}
		from = data->end;
	}
	return 0;
}

static const struct disk_ops nbd_ops = {
	.close = nbd_disk_close,
	.read = nbd_disk_read,
	.next_data = nbd_disk_next_data,
};

int
disk_nbd_lend(struct disk *d, const char *path, const char *format, int *fd,
	      struct child *server, struct err *e)
{
	auto_free char *opts = disk_chain_opts(d, path, format, e);

	if (!opts)
		return -1;
	if (start_server(server, opts, fd, e) < 0)
		return err_prefix(e, "%s", path);
	return 0;
}

/* Of the server, as far as it is ours. */
static int
nbd_disk_open(struct disk *d, const char *name, int connected,
	      const struct child *server, struct err *e)
{
	struct nbd_disk *n = calloc(1, sizeof(*n));

	if (!n) {
		close(connected);
		return err_sys(e, "%s", name);
	}
	n->child = *server;
	n->data.context = LIBNBD_CONTEXT_BASE_ALLOCATION;
	n->depth.context = CONTEXT_DEPTH;
	if (connect_server(n, connected, &d->size, e) < 0) {
		nbd_disk_free(n);
		return err_prefix(e, "%s", name);
	}
	d->ops = &nbd_ops;
	d->state = n;
	return 0;
}

int
disk_nbd_take(struct disk *d, int fd, const char *name, struct err *e)
{
	const struct child none = { .out = -1, .err = -1 };

	return nbd_disk_open(d, name, fd, &none, e);
}

int
disk_nbd_open(struct disk *d, const char *path, const char *format,
	      struct err *e)
{
	struct child server;
	int connected;

	if (disk_nbd_lend(d, path, format, &connected, &server, e) < 0)
		return -1;
	if (nbd_disk_open(d, path, connected, &server, e) == 0)
		return 0;
	return -1;
}
