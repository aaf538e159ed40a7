/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_CMD_INDEX_H
#define MIG_CMD_INDEX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "dedup/index.h"

/* What the actions of 'virt-mig index' share. */
struct index_options {
	const char *action, *path;
	const char *out;          /* -o */
	const char *image_format; /* NULL: find it by content */
	bool force, data, json, backing;
	unsigned threads;
};

int index_action_build(const struct index_options *o, struct err *e);
int index_action_check(const struct index_options *o, struct err *e);
int index_action_show(const struct index_options *o, struct err *e);
/* Writes down an image, or a folder of images, that is always to have a
 * current index; and gives one to all that were written down.
 */
int index_action_add(const struct index_options *o, struct err *e);
int index_action_update(const struct index_options *o, struct err *e);

/* Makes sure that an image has a current index at its default place. */
int index_build_missing(const struct index_options *o, const char *path,
			const char *format, struct err *e);

/* The index as an object; NULL without memory. */
json_t *index_as_json(const char *path, const struct index *idx);
/* Takes j over; NULL is an error. */
int index_print_json(json_t *j, struct err *e);
int index_show_text(const char *path, const struct index *idx);
/* What index_how.report wants; arg is a struct progress. */
void index_on_progress(void *arg, uint64_t done, uint64_t all);

#endif
