/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_VERB_H
#define MIG_VERB_H

#include "common/err.h"

/* One verb of the command: argv[0] is the verb itself.  Returns 0, or -1 with
 * *e filled; the exit status follows from the code (virt-mig.1).
 */
struct verb {
	const char *name;
	const char *what;
	int (*run)(int argc, char **argv, struct err *e);
};

int cmd_bench(int argc, char **argv, struct err *e);
int cmd_index(int argc, char **argv, struct err *e);
int cmd_migrate(int argc, char **argv, struct err *e);
int cmd_receive(int argc, char **argv, struct err *e);
int cmd_relay_receive(int argc, char **argv, struct err *e);
int cmd_relay_send(int argc, char **argv, struct err *e);
int cmd_send(int argc, char **argv, struct err *e);
int cmd_status(int argc, char **argv, struct err *e);
int cmd_uri(int argc, char **argv, struct err *e);

#endif
