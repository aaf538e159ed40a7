/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/test.h"

#include "common/digest.h"
#include "common/page.h"

static void
pages_have_the_digests_libcrypto_gives(void **state)
{
	static uint8_t memory[37 * PAGE_BYTES];
	const uint8_t *pages[37];
	struct fingerprint fp[37];
	struct digest d;
	struct err e;
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)test_random(&seed);
	for (size_t i = 0; i < 37; i++)
		pages[i] = memory + i * PAGE_BYTES;
	for (size_t n = 0; n <= 37; n++) {
		assert_ok(fingerprint_pages(pages, n, fp, &e), &e);
		for (size_t i = 0; i < n; i++) {
			assert_ok(digest_bytes(pages[i], PAGE_BYTES, &d, &e),
				  &e);
			assert_memory_equal(fp[i].b, d.b, FINGERPRINT_BYTES);
		}
	}
}

static void
a_stream_has_the_digest_of_its_bytes(void **state)
{
	struct digest_stream s;
	struct digest a, b;
	struct err e;

	(void)state;
	assert_ok(digest_stream_init(&s, &e), &e);
	assert_ok(digest_stream_update(&s, "mig", 3, &e), &e);
	assert_ok(digest_stream_update(&s, "rate", 4, &e), &e);
	assert_ok(digest_stream_final(&s, &a, &e), &e);
	digest_stream_fini(&s);
	assert_ok(digest_bytes("migrate", 7, &b, &e), &e);
	assert_memory_equal(a.b, b.b, DIGEST_BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_have_the_digests_libcrypto_gives),
		cmocka_unit_test(a_stream_has_the_digest_of_its_bytes),
	};

	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
