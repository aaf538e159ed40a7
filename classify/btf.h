/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_BTF_H
#define MIG_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* The types of a Linux kernel as it keeps them for eBPF: which member of which
 * struct stands where.  The bytes come from the guest.
 */
struct btf {
	const uint8_t *types, *strings; /* borrowed */
	size_t types_len, strings_len;
	uint32_t *at; /* of type i + 1, in .types */
	uint32_t ntypes;
};

#define BTF_BYTES_MAX (64u << 20)

/* How many bytes the BTF is that begins with these n bytes, 0 if none does. */
size_t btf_size(const uint8_t *at, size_t n) __attribute__((nonnull));

/* Borrows the bytes until btf_close().  ERR_CORRUPT when they make no sense. */
int btf_open(struct btf *b, const uint8_t *bytes, size_t len, struct err *e)
	__attribute__((nonnull, warn_unused_result));
void btf_close(struct btf *b) __attribute__((nonnull));

/* The offset in bytes of a member of a struct, also of one that stands in
 * structs and unions without a name in it.  False if there is none.
 */
bool btf_member(const struct btf *b, const char *type, const char *member,
		uint64_t *offset) __attribute__((nonnull, warn_unused_result));
/* The length of the array that a member is. */
bool btf_array(const struct btf *b, const char *type, const char *member,
	       uint64_t *length) __attribute__((nonnull, warn_unused_result));
/* The value of a constant of an enum. */
bool btf_constant(const struct btf *b, const char *type, const char *name,
		  uint64_t *value) __attribute__((nonnull, warn_unused_result));

#endif
