/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/macros.h"
#include "eastwest/mark.h"

#define SIGNATURE "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"

static void writes_the_bytes_of_the_contract(void **state)
{
	static const char for_c2[] = SIGNATURE "\x20\x00\x00\x06\xe5\x00\x03\x01\x63\x32";
	static const char for_any[] = SIGNATURE "\x20\x00\x00\x04\xe5\x00\x01\x01";
	uint8_t out[EW_MARK_MAX];
	(void)state;
	assert_int_equal(ew_mark_encode(STR_LIT("c2"), out), sizeof(for_c2) - 1);
	assert_memory_equal(out, for_c2, sizeof(for_c2) - 1);
	assert_int_equal(ew_mark_encode(STR_LIT(""), out), sizeof(for_any) - 1);
	assert_memory_equal(out, for_any, sizeof(for_any) - 1);
}

static void reads_what_it_writes_at_any_split(void **state)
{
	static const char *const clusters[] = {
		"", "c2", "west-2",
		"a23456789-123456789-123456789-123456789-123456789-123456789-123"};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(clusters); i++) {
		uint8_t out[EW_MARK_MAX + 1];
		struct ew_mark mark;
		size_t len = ew_mark_encode(str_from(clusters[i]), out);
		for (size_t cut = 1; cut < len; cut++)
			assert_int_equal(ew_mark_read(out, cut, &mark), EW_MARK_MORE);
		out[len] = 22;
		assert_int_equal(ew_mark_read(out, len + 1, &mark), EW_MARK_FOUND);
		assert_string_equal(mark.cluster, clusters[i]);
		assert_int_equal(mark.len, len);
	}
}

static void judges_other_headers(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum ew_mark_result want;
	} cases[] = {
		{"\x16\x03\x01", 3, EW_MARK_NONE},
		{"\x0d\x0a\x0d\x0a\x01", 5, EW_MARK_NONE},
		{"PROXY TCP4 ", 11, EW_MARK_NONE},
		{SIGNATURE "\x20\x00\x00\x00", 16, EW_MARK_PROXY},              /* a health check */
		{SIGNATURE "\x20\x00\x00\x04\x04\x00\x01x", 20, EW_MARK_PROXY}, /* NOOP */
		{SIGNATURE "\x20\x00\x00\x08\x04\x00\x01x\xe5\x00\x01\x01", 24, EW_MARK_FOUND},
		{SIGNATURE "\x30\x00\x00\x00", 16, EW_MARK_BAD},         /* version 3 */
		{SIGNATURE "\x22\x00\x00\x00", 16, EW_MARK_BAD},         /* command 2 */
		{SIGNATURE "\x20\x00\xff\xff", 16, EW_MARK_BAD},         /* too long */
		{SIGNATURE "\x20\x00\x00\x02\xe5\x00", 18, EW_MARK_BAD}, /* half a TLV */
		{SIGNATURE "\x20\x00\x00\x04\xe5\x00\x02\x01", 20, EW_MARK_BAD},
		{SIGNATURE "\x20\x00\x00\x04\xe5\x00\x01\x02", 20, EW_MARK_BAD}, /* version 2 */
		{SIGNATURE "\x20\x00\x00\x03\xe5\x00\x00", 19, EW_MARK_BAD},
		{SIGNATURE "\x20\x00\x00\x06\xe5\x00\x03\x01..", 22, EW_MARK_BAD},
		{SIGNATURE "\x21\x11\x00\x04\x7f\x00\x00\x01", 20, EW_MARK_BAD},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ew_mark mark;
		assert_int_equal(ew_mark_read((const uint8_t *)cases[i].bytes, cases[i].len, &mark),
		                 cases[i].want);
	}
}

static void reads_the_client_that_a_load_balancer_names(void **state)
{
	static const char v4[] = SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01"
					   "\xc3\x50\x3c\x53";
	static const char v6[] =
		SIGNATURE "\x21\x21\x00\x24\x20\x01\x0d\xb8\x00\x00\x00\x00"
			  "\x00\x00\x00\x00\x00\x00\x00\x01\x20\x01\x0d\xb8\x00\x00\x00"
			  "\x00\x00\x00\x00\x00\x00\x00\x00\x02\xc3\x50\x3c\x53";
	char text[ADDR_TEXT_MAX];
	struct ew_mark mark;
	(void)state;
	assert_int_equal(ew_mark_read((const uint8_t *)v4, sizeof(v4) - 1, &mark), EW_MARK_PROXY);
	assert_true(mark.has_source);
	assert_string_equal(addr_format(&mark.source, text), "192.0.2.7:50000");
	assert_int_equal(ew_mark_read((const uint8_t *)v6, sizeof(v6) - 1, &mark), EW_MARK_PROXY);
	assert_string_equal(addr_format(&mark.source, text), "[2001:db8::1]:50000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_bytes_of_the_contract),
		cmocka_unit_test(reads_what_it_writes_at_any_split),
		cmocka_unit_test(judges_other_headers),
		cmocka_unit_test(reads_the_client_that_a_load_balancer_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
