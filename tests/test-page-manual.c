/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds virt-mig-codec(7) to the code: its tables are those that this test
 * makes from the headers.  What it says in sentences is held by the slow
 * decoder (slow-page.c), which was written from them.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "codec/page-impl.h"
#include "common/mem.h"
#include "tests/test.h"

static char page[32768];

static int
load(void **state)
{
	char path[512];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/docs/virt-mig-codec.7",
		 getenv("srcdir") ? getenv("srcdir") : ".");
	f = fopen(path, "r");
	if (!f)
		return -1;
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	return 0;
}

/* The table under this heading is these rows. */
static void
table_is(const char *heading, const char *const *rows, size_t n)
{
	const char *at = strstr(page, heading);

	assert_non_null(at);
	for (size_t i = 0; i < n; i++) {
		at = strchr(at, '\n') + 1;
		if (strncmp(at, rows[i], strlen(rows[i])) != 0)
			fail_msg("the page says '%.40s', not '%s'", at,
				 rows[i]);
	}
	assert_int_equal(strncmp(strchr(at, '\n') + 1, ".El", 3), 0);
}

static void
models_have_these_numbers(void **state)
{
#define FIRST(name)                                                            \
	{                                                                      \
#name, MODEL_##name                                            \
	}
	static const struct {
		const char *name;
		unsigned first;
	} models[] = {
		FIRST(CHUNK),       FIRST(START),    FIRST(RUN_A),
		FIRST(RUN_B),       FIRST(RUN_MORE), FIRST(TYPE_A),
		FIRST(TYPE_B),      FIRST(LEN_A),    FIRST(LEN_B),
		FIRST(LEN_MORE),    FIRST(DIST_LOG), FIRST(DIST_TOP),
		FIRST(DIST_LOW),    FIRST(HIGH_A),   FIRST(HIGH_B),
		FIRST(LOW_A),       FIRST(LOW_B),    FIRST(PLAIN),
		{ "", MODELS_ALL },
	};
	char text[ARRAY_LEN(models)][60];
	const char *rows[ARRAY_LEN(models)];

	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_LEN(models); i++) {
		snprintf(text[i], sizeof(text[i]), ".It %s Ta %u Ta %u\n",
			 models[i].name, models[i].first,
			 models[i + 1].first - models[i].first);
		rows[i] = text[i];
	}
	table_is(".It Sy Models Ta", rows, ARRAY_LEN(models) - 1);
}

static void
constants_have_these_values(void **state)
{
#define CONSTANT(name)                                                         \
	{                                                                      \
#name, name                                                    \
	}
	static const struct {
		const char *name;
		unsigned value;
	} constants[] = {
		CONSTANT(CHUNK_SEQS),   CONSTANT(CHUNK_LITS),
		CONSTANT(CHUNK_PIECE),  CONSTANT(LANES),
		CONSTANT(REPS),         CONSTANT(MATCH_MIN),
		CONSTANT(RANS_BITS),    CONSTANT(RANS_MIN),
		CONSTANT(BLOCK_HEAD),   CONSTANT(BLOCK_TWO_MODELS),
		CONSTANT(BLOCK_PRIORS), CONSTANT(MODELS_ALL),
	};
	char text[ARRAY_LEN(constants)][60];
	const char *rows[ARRAY_LEN(constants)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(constants); i++) {
		snprintf(text[i], sizeof(text[i]), ".It Dv %s Ta %u Ta ",
			 constants[i].name, constants[i].value);
		rows[i] = text[i];
	}
	table_is(".It Sy Name Ta Sy Value", rows, ARRAY_LEN(constants));
	snprintf(text[0], sizeof(text[0]), "Codec %u\n", CODEC_PAGE);
	assert_non_null(strstr(page, text[0]));
}

/* Other models under the same number would be read as damage, or worse. */
static void
models_begin_as_their_number_says(void **state)
{
	uint32_t sum = 2166136261u; /* FNV-1a */

	(void)state;
	for (size_t i = 0; i < sizeof(page_priors); i++)
		sum = (sum ^ (uint8_t)page_priors[i]) * 16777619u;
	assert_int_equal(BLOCK_PRIORS, 6);
	assert_int_equal(sum, 0xf8ba0524);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_have_these_numbers),
		cmocka_unit_test(constants_have_these_values),
		cmocka_unit_test(models_begin_as_their_number_says),
	};

	return cmocka_run_group_tests_name("page-manual", tests, load, NULL);
}
