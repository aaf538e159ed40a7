/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_SANDBOX_H
#define MIG_SANDBOX_H

#include <sys/types.h>

#include "common/err.h"

/* Where a session goes before it hears a word from its peer, in two steps,
 * neither of which can be undone.
 *
 * 1. It leaves everything that root may do behind: the file system (its root
 *    is an empty folder that nobody can write to), all groups, root's user id,
 *    every capability, and the right to gain any by exec.
 * 2. It can call the kernel for nothing but what moving bytes between files
 *    it has, threads, memory and time take (sandbox.c has the list).  It can
 *    open no file and make no connection; others open them and hand them over.
 *    What is not on the list fails with EPERM, and the program goes on.
 *
 * Before the first thread: what threads did before is not undone.
 */
int sandbox_enter(uid_t uid, gid_t gid, const char *empty, struct err *e)
	__attribute__((nonnull, warn_unused_result));

#endif
