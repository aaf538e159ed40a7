/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds virt-mig-codec(7) to the code: its tables are those that this test
 * makes from the headers.  What it says in sentences is held by the slow
 * decoder (slow-page.c), which was written from them.
 */
#include "config.h"

#include "codec/codec.h"
#include "codec/page-impl.h"
#include "common/mem.h"
#include "tests/manual.h"

static int
load(void **state)
{
	(void)state;
	return manual_load("virt-mig-codec.7");
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
	size_t i = table_under(".It Sy Models Ta");

	(void)state;
	for (size_t k = 0; k + 1 < ARRAY_LEN(models); k++)
		row_is(i++, ".It %s Ta %u Ta %u", models[k].name,
		       models[k].first, models[k + 1].first - models[k].first);
	assert_string_equal(lines[i], ".El");
}

static void
constants_have_these_values(void **state)
{
	static const struct manual_constant constants[] = {
		CONSTANT(CHUNK_SEQS),   CONSTANT(CHUNK_LITS),
		CONSTANT(CHUNK_PIECE),  CONSTANT(LANES),
		CONSTANT(REPS),         CONSTANT(MATCH_MIN),
		CONSTANT(RANS_BITS),    CONSTANT(RANS_MIN),
		CONSTANT(BLOCK_HEAD),   CONSTANT(BLOCK_TWO_MODELS),
		CONSTANT(BLOCK_PRIORS), CONSTANT(MODELS_ALL),
	};
	char codec[20];
	size_t i = 0;

	(void)state;
	constants_are(constants, ARRAY_LEN(constants));
	snprintf(codec, sizeof(codec), "Codec %u", CODEC_PAGE);
	while (i < nlines && strcmp(lines[i], codec) != 0)
		i++;
	assert_true(i < nlines);
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

	return cmocka_run_group_tests_name("page-manual", tests, load,
					   manual_unload);
}
