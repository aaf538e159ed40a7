/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <endian.h>
#include <stdlib.h>

#include "classify/linux-impl.h"
#include "common/mem.h"

#define ZONES_MAX 16 /* of a node; there are 5 kinds */

/* The last member of struct free_area counts its blocks. */
static bool
zones_of_node(const struct linux_tables *t, uint64_t node,
	      uint64_t blocks[LINUX_ORDERS_MAX])
{
	const struct linux_layout *l = &t->layout;
	uint32_t nzones;

	if (!mmu_read(&t->mmu, node + l->node_nzones, &nzones, 4))
		return false;
	nzones = le32toh(nzones);
	if (nzones > ZONES_MAX)
		return false;
	for (uint32_t z = 0; z < nzones; z++) {
		uint64_t area =
			node + l->node_zones + z * l->zone_size + l->zone_area;

		for (uint64_t o = 0; o < l->orders; o++) {
			uint64_t n;

			area += l->area_size;
			if (!mmu_read_u64(&t->mmu, area - 8, &n) ||
			    n > UINT32_MAX)
				return false;
			blocks[o] += n;
		}
	}
	return true;
}

bool
linux_zones_count(const struct linux_tables *t,
		  uint64_t blocks[LINUX_ORDERS_MAX])
{
	const struct linux_layout *l = &t->layout;

	for (unsigned o = 0; o < LINUX_ORDERS_MAX; o++)
		blocks[o] = 0;
	if (l->nnodes == 0)
		return zones_of_node(t, l->nodes, blocks);
	for (uint64_t i = 0; i < l->nnodes; i++) {
		uint64_t node;

		if (!mmu_read_u64(&t->mmu, l->nodes + 8 * i, &node))
			return false;
		if (node != 0 && !zones_of_node(t, node, blocks))
			return false;
	}
	return true;
}
