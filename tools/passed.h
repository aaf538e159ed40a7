/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_PASSED_H
#define MIG_PASSED_H

#include <sys/socket.h>

/* What whoever started this program has opened for it, the way systemd does:
 * sd_listen_fds(3).
 */
#define PASSED_FIRST 3

/* The last of these sockets that is of that type (SOCK_STREAM, ...); -1 where
 * there is none.
 */
int passed_socket(int type);

#endif
