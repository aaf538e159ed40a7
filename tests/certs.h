/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CERTS_H
#define MIG_CERTS_H

#include <stdio.h>
#include <stdlib.h>

/* A folder of certificates for tests of TLS (certs.sh says which), made before
 * the first test of a program and removed after the last.
 */
static char certs[] = "/tmp/test-certs.XXXXXX";

static int
make_certs(void **state)
{
	char command[512];

	(void)state;
	if (!mkdtemp(certs))
		return -1;
	snprintf(command, sizeof(command), "sh '%s/tests/certs.sh' %s",
		 getenv("srcdir") ? getenv("srcdir") : ".", certs);
	return system(command);
}

static int
remove_certs(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", certs);
	return system(command);
}

#endif
