/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt-mig-session as tests/crash-matrix runs it: the real one, linked so that
 * it can be made to wait at a point of a migration (--wrap), for something to
 * happen to it there.  POINT_FILE says at which: '0' and the name of the
 * point, ended by a newline; '1' in place of '0' says that it has come there,
 * and '2' lets it go on.  Names are those of states (session.h), just entered,
 * and these:
 *
 *	PASS1   sender: some of the guest's memory has arrived
 *	PASS2   sender: all of it has, and pages come again
 *	PAUSED  sender: the guest is stopped
 *	SEALED  receiver: everything but the tail is verified, SEALED not said
 *	SHUT    receiver: after COMMIT, QEMU here says that it has the guest
 *	END     receiver: the QEMU at the source has heard so
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sender/live-impl.h"
#include "wire/live.h"
#include "wire/seal.h"
#include "wire/session.h"

#define POINT_FILE "/run/virt-mig-point"
#define POINT_SOME 4096 /* pages */

static struct point {
	char state;
	char name[15];
} *volatile point;

static bool committed;

/* Before main(), and so before the sandbox. */
static void __attribute__((constructor)) point_open(void)
{
	int fd = open(POINT_FILE, O_RDWR | O_CLOEXEC);
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(*point), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  0);
	if (at != MAP_FAILED)
		point = at;
	close(fd);
}

static void
point_at(const char *name)
{
	volatile struct point *p = point;
	size_t n = strlen(name);

	if (!p || p->state != '0' || memcmp(point->name, name, n) != 0 ||
	    p->name[n] != '\n')
		return;
	p->state = '1';
	while (p->state == '1')
		(void)poll(NULL, 0, 5);
}

#define WRAP(type, name, ...)                                                  \
	type __real_##name(__VA_ARGS__);                                       \
	type __wrap_##name(__VA_ARGS__);                                       \
	type __wrap_##name(__VA_ARGS__)

WRAP(void, session_init, struct session *s, enum session_role role, bool live)
{
	__real_session_init(s, role, live);
	point_at(session_state_name(SESSION_NEW));
}

WRAP(int, session_enter, struct session *s, enum session_state next,
     struct err *e)
{
	int ret = __real_session_enter(s, next, e);

	committed |= next == SESSION_COMMIT;
	if (ret == 0)
		point_at(session_state_name(next));
	return ret;
}

WRAP(int, live_frames_ack, struct live_sender *s, struct span body,
     struct err *e)
{
	int ret = __real_live_frames_ack(s, body, e);

	if (s->stats.pages > POINT_SOME)
		point_at("PASS1");
	if (s->laid_out && s->stats.pages > s->numbers.npages)
		point_at("PASS2");
	return ret;
}

WRAP(void, live_paused, struct live_sender *s, const struct stream_parser *p)
{
	__real_live_paused(s, p);
	point_at("PAUSED");
}

WRAP(int, seal_check, struct span body, struct seal *ours, struct err *e)
{
	point_at("SEALED");
	return __real_seal_check(body, ours, e);
}

WRAP(int, live_put_return, struct buf *b, uint8_t channel, const uint8_t *bytes,
     size_t n, struct err *e)
{
	if (committed)
		point_at("SHUT");
	return __real_live_put_return(b, channel, bytes, n, e);
}

WRAP(int, live_get_end, struct span body, bool *keeps, struct digest *root,
     struct err *e)
{
	point_at("END");
	return __real_live_get_end(body, keeps, root, e);
}
