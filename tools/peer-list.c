/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "common/mem.h"
#include "tools/peer.h"

static const struct peer peers[] = {
	{ "gzip-6",
	  "gzip -6 of the whole memory",
	  &peer_gzip,
	  { 6, 0 },
	  peer_run_whole,
	  false,
	  false },
	{ "zstd-3",
	  "zstd -3 of the whole memory",
	  &peer_zstd,
	  { 3, 0 },
	  peer_run_whole,
	  false,
	  false },
	{ "lz4-1",
	  "lz4 of the whole memory",
	  &peer_lz4,
	  { 1, 0 },
	  peer_run_whole,
	  false,
	  false },
	{ "qemu-multifd-zlib-1",
	  "QEMU multifd, zlib level 1",
	  &peer_zlib,
	  { 1, 0 },
	  peer_run_multifd,
	  false,
	  false },
	{ "qemu-multifd-zstd-1",
	  "QEMU multifd, zstd level 1",
	  &peer_zstd,
	  { 1, 0 },
	  peer_run_multifd,
	  false,
	  false },
	{ "blockmatch+gzip-6",
	  "blocks of the image by name, rest gzip -6",
	  &peer_gzip,
	  { 6, 0 },
	  peer_run_blockmatch,
	  false,
	  true },
	{ "zstd-19-long27",
	  "zstd -19 --long=27 of the whole memory",
	  &peer_zstd,
	  { 19, 27 },
	  peer_run_whole,
	  true,
	  false },
	{ "xz-6",
	  "xz -6 of the whole memory",
	  &peer_xz,
	  { 6, 0 },
	  peer_run_whole,
	  true,
	  false },
};

_Static_assert(ARRAY_LEN(peers) <= PEERS_MAX, "chosen[] has too few places");

const struct peer *
peer_list(size_t *n)
{
	*n = ARRAY_LEN(peers);
	return peers;
}

/* Whether the word of n letters is that name. */
static bool
is_word(const char *word, size_t n, const char *name)
{
	return strlen(name) == n && strncmp(word, name, n) == 0;
}

static int
choose_word(const char *word, size_t n, bool have_images, bool *chosen,
	    struct err *e)
{
	bool all = is_word(word, n, "all"), none = is_word(word, n, "none");
	bool by_default = is_word(word, n, "default"), found = false;

	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		const struct peer *p = &peers[i];

		if (is_word(word, n, p->name)) {
			if (p->needs_images && !have_images)
				return err_set(e, ERR_USAGE,
					       "%s needs an --image", p->name);
			found = chosen[i] = true;
		} else if (all || (by_default && !p->opt_in)) {
			chosen[i] |= have_images || !p->needs_images;
		}
	}
	if (found || all || none || by_default)
		return 0;
	return err_set(e, ERR_USAGE, "there is no peer '%.*s'", (int)n, word);
}

int
peer_choose(const char *list, bool have_images, bool chosen[PEERS_MAX],
	    struct err *e)
{
	memset(chosen, 0, PEERS_MAX * sizeof(*chosen));
	for (;;) {
		size_t n = strcspn(list, ",");

		if (choose_word(list, n, have_images, chosen, e) != 0)
			return -1;
		if (list[n] == '\0')
			return 0;
		list += n + 1;
	}
}
