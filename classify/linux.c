/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "classify/guest-impl.h"
#include "classify/guest.h"
#include "classify/linux-impl.h"
#include "common/mem.h"

/* Where the kernel's image is mapped, less phys_base. */
#define LINUX_IMAGE_MAP UINT64_C(0xffffffff80000000)

/* Texts that are looked at: copies of one are many in a guest that keeps dumps
 * of others.
 */
#define LINUX_TEXTS_MAX 256

/* Bytes of uts_namespace in which the release stands. */
#define LINUX_UTS_BYTES 512

/* The page tables that a text speaks of. */
static bool
linux_mmu(const struct physical *p, const struct vmcoreinfo *v, struct mmu *m)
{
	uint64_t top, base, five = 0, encrypted = 0;

	if ((!vmcoreinfo_get(v, "SYMBOL(init_top_pgt)", &top) &&
	     !vmcoreinfo_get(v, "SYMBOL(swapper_pg_dir)", &top)) ||
	    !vmcoreinfo_get(v, "NUMBER(phys_base)", &base))
		return false;
	(void)!vmcoreinfo_get(v, "NUMBER(pgtable_l5_enabled)", &five);
	(void)!vmcoreinfo_get(v, "NUMBER(sme_mask)", &encrypted);
	*m = (struct mmu){ p, top - LINUX_IMAGE_MAP + base, five ? 5 : 4,
			   encrypted };
	return true;
}

/* Whether the kernel that wrote this text runs here: its page tables map its
 * code where it says, and it calls itself by the same name.
 */
static bool
linux_runs(const struct physical *p, struct linux_tables *t, uint64_t *text)
{
	uint64_t va, base, uts;
	char release[64], bytes[LINUX_UTS_BYTES];

	if (!linux_mmu(p, &t->info, &t->mmu) ||
	    !vmcoreinfo_get(&t->info, "NUMBER(phys_base)", &base) ||
	    !vmcoreinfo_get(&t->info, "SYMBOL(_stext)", &va) ||
	    !vmcoreinfo_get(&t->info, "SYMBOL(init_uts_ns)", &uts))
		return false;
	vmcoreinfo_text(&t->info, "OSRELEASE", release, sizeof(release));
	return release[0] && mmu_translate(&t->mmu, va, text) &&
	       *text == va - LINUX_IMAGE_MAP + base &&
	       mmu_read(&t->mmu, uts, bytes, sizeof(bytes)) &&
	       memmem(bytes, sizeof(bytes), release, strlen(release) + 1);
}

/* Of what earlier kernels left behind the pages may have long been others';
 * but where two kernels both seem to run, neither is believed.
 */
static bool
linux_find_text(const struct physical *p, struct linux_tables *t,
		uint64_t *text)
{
	struct linux_tables next;
	unsigned found = 0, texts = 0;
	size_t run = 0;
	uint64_t page = 0;

	while (texts++ < LINUX_TEXTS_MAX &&
	       vmcoreinfo_find(p, &run, &page, &next.info)) {
		uint64_t at;

		if (found > 0 && strcmp(next.info.text, t->info.text) == 0)
			continue;
		if (!linux_runs(p, &next, &at))
			continue;
		t->info = next.info;
		t->mmu = next.mmu;
		*text = at;
		found++;
	}
	return found == 1;
}

static bool
linux_find(struct guest *g, struct err *e)
{
	struct linux_tables *t = calloc(1, sizeof(*t));
	uint64_t text;

	if (!t) {
		(void)err_sys(e, "the guest's tables");
		return false;
	}
	if (!linux_find_text(g->memory, t, &text) || !linux_layout_read(t) ||
	    linux_types_read(t, text, e) < 0) {
		free(t);
		return false;
	}
	vmcoreinfo_text(&t->info, "OSRELEASE", g->release, sizeof(g->release));
	g->tables = t;
	return true;
}

static int
linux_classify(struct guest *g, struct err *e)
{
	return linux_pages_classify(g, g->tables, e);
}

static void
linux_close(struct guest *g)
{
	free(g->tables);
	g->tables = NULL;
}

/* Linux on x86-64, 5.10 or later: what the kernel keeps of itself for readers
 * of crash dumps (vmcoreinfo.h) and for eBPF (btf.h) says where everything
 * is, and its array of struct page what each page is.
 */
const struct guest_kind guest_linux = {
	.os = GUEST_LINUX,
	.find = linux_find,
	.classify = linux_classify,
	.close = linux_close,
};
