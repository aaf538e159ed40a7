/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/load.h"
#include "stream/cpu-state.h"

/* Section "cpu": its type (4, FULL), a number, the length of the name and the
 * name, an instance and the version, 12 since 2009; then general registers and
 * whatever else has always stood before the control registers.
 */
static const uint8_t cpu_name[] = { 3, 'c', 'p', 'u' };
#define CPU_BEFORE   5 /* the name: type and number */
#define CPU_HEAD     (CPU_BEFORE + 4 + 4 + 4)
#define CPU_VERSION  12
#define CPU_CR0      (CPU_HEAD + 456)
#define CPU_CR3      (CPU_HEAD + 472)
#define CPU_SEEN     (CPU_HEAD + 480)
#define SECTION_FULL 4

static bool
cpu_is_head(const uint8_t *at)
{
	static const uint8_t version[] = { 0, 0, 0, CPU_VERSION };

	return at[0] == SECTION_FULL &&
	       memcmp(at + CPU_HEAD - 4, version, sizeof(version)) == 0;
}

bool
cpu_state_next(struct span *in, struct cpu_state *out)
{
	while (in->left >= CPU_SEEN) {
		const uint8_t *name =
			memmem(in->at + CPU_BEFORE, in->left - CPU_BEFORE,
			       cpu_name, sizeof(cpu_name));
		const uint8_t *at = name ? name - CPU_BEFORE : NULL;
		size_t left = at ? in->left - (size_t)(at - in->at) : 0;
		bool is = left >= CPU_SEEN && cpu_is_head(at);

		if (!at)
			break;
		if (is)
			*out = (struct cpu_state){ load_be64(at + CPU_CR0),
						   load_be64(at + CPU_CR3) };
		*in = span_of(at + 1, left - 1);
		if (is)
			return true;
	}
	return false;
}
