/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "codec/codec-impl.h"
#include "codec/codec.h"

static const struct codec_impl *const impls[CODEC__MAX] = {
	[CODEC_RAW] = &codec_raw,   [CODEC_LZ4] = &codec_lz4,
	[CODEC_ZLIB] = &codec_zlib, [CODEC_ZSTD] = &codec_zstd,
	[CODEC_LZMA] = &codec_lzma, [CODEC_PAGE] = &codec_page,
};

struct codec_set {
	void *ctx[CODEC__MAX];
};

struct codec_set *
codec_set_new(struct err *e)
{
	struct codec_set *set = calloc(1, sizeof(*set));

	if (!set)
		(void)err_sys(e, "codec contexts");
	return set;
}

void
codec_set_free(struct codec_set *set)
{
	if (!set)
		return;
	for (unsigned i = 0; i < CODEC__MAX; i++)
		if (set->ctx[i])
			impls[i]->ctx_free(set->ctx[i]);
	free(set);
}

struct codec_set **
codec_sets_new(unsigned n, struct err *e)
{
	struct codec_set **sets = calloc(n, sizeof(*sets));

	if (!sets) {
		(void)err_sys(e, "codec contexts");
		return NULL;
	}
	for (unsigned i = 0; i < n; i++) {
		sets[i] = codec_set_new(e);
		if (!sets[i]) {
			codec_sets_free(sets, n);
			return NULL;
		}
	}
	return sets;
}

void
codec_sets_free(struct codec_set **sets, unsigned n)
{
	for (unsigned i = 0; sets && i < n; i++)
		codec_set_free(sets[i]);
	free(sets);
}

const char *
codec_name(unsigned id)
{
	return id < CODEC__MAX ? impls[id]->name : NULL;
}

int
codec_parse(const char *text, struct codec_choice *choice, struct err *e)
{
	size_t n = strcspn(text, ":");
	unsigned id = 0;
	char *end;
	long level;

	while (id < CODEC__MAX && (strlen(impls[id]->name) != n ||
				   memcmp(impls[id]->name, text, n) != 0))
		id++;
	if (id == CODEC__MAX)
		return err_set(e, ERR_USAGE, "no codec is called '%.*s'",
			       (int)n, text);
	*choice = (struct codec_choice){ id, impls[id]->usual };
	if (!text[n])
		return 0;
	level = strtol(text + n + 1, &end, 10);
	if (*end || end == text + n + 1 || level < impls[id]->least ||
	    level > impls[id]->most)
		return err_set(e, ERR_USAGE,
			       "a level of %s is %d to %d, not '%s'",
			       impls[id]->name, impls[id]->least,
			       impls[id]->most, text + n + 1);
	choice->level = (int)level;
	return 0;
}

size_t
codec_bound(size_t len)
{
	return len;
}

static int
codec_ctx(struct codec_set *set, unsigned id, struct err *e)
{
	if (!set->ctx[id] && impls[id]->ctx_new) {
		set->ctx[id] = impls[id]->ctx_new();
		if (!set->ctx[id])
			return err_sys(e, "%s context", impls[id]->name);
	}
	return 0;
}

int
codec_encode(struct codec_set *set, struct codec_choice choice,
	     const uint8_t *in, size_t len, uint8_t *out, size_t *out_len,
	     enum codec_id *used, struct err *e)
{
	if (len > CODEC_BLOCK_MAX)
		return err_set(e, ERR_LIMIT, "block of %zu bytes", len);
	if (codec_ctx(set, choice.id, e) < 0)
		return -1;
	*used = choice.id;
	*out_len = 0;
	if (choice.id != CODEC_RAW && len > 1 &&
	    impls[choice.id]->encode(set->ctx[choice.id], choice.level, in, len,
				     out, len - 1, out_len, e) < 0)
		return -1;
	if (*out_len > 0)
		return 0;
	*used = CODEC_RAW;
	*out_len = len;
	memcpy(out, in, len);
	return 0;
}

int
codec_decode(struct codec_set *set, unsigned id, const uint8_t *in, size_t len,
	     uint8_t *out, size_t out_len, struct err *e)
{
	if (id >= CODEC__MAX)
		return err_set(e, ERR_PROTOCOL, "codec %u is unknown", id);
	if (out_len > CODEC_BLOCK_MAX)
		return err_set(e, ERR_PROTOCOL, "block of %zu bytes", out_len);
	if (codec_ctx(set, id, e) < 0)
		return -1;
	return impls[id]->decode(set->ctx[id], in, len, out, out_len, e);
}

int
codec_bad_block(const char *name, size_t len, struct err *e)
{
	return err_set(e, ERR_PROTOCOL, "%s: block of %zu bytes is damaged",
		       name, len);
}
