/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/macros.h"
#include "eastwest/hello.h"
#include "tests/hello_bytes.h"

#define NAME "outbound_.5000_._.helloworld.sample.svc.cluster.local"

static enum ew_hello_result read_all(const struct hello_bytes *bytes, struct ew_hello *hello)
{
	struct ew_hello_reader reader = {0};
	return ew_hello_read(&reader, bytes->data, bytes->len, hello);
}

/* One hello from these extensions. */
static enum ew_hello_result read_extensions(const struct hello_bytes *extensions,
                                            struct ew_hello *hello)
{
	struct hello_bytes message = {.len = 0};
	struct hello_bytes bytes = {.len = 0};
	put_message(&message, extensions);
	put_records(&bytes, &message, 16384);
	return read_all(&bytes, hello);
}

static void reads_name_and_mesh_alpn(void **state)
{
	static const struct {
		const char *sni;
		const char *alpn;
		const char *want;
		bool mesh;
	} cases[] = {
		{NAME, "istio", NAME, true},
		{NAME, "istio-peer-exchange,istio", NAME, true},
		{NAME, "h2,istio-http/1.0", NAME, true},
		{NAME, "istio-http/1.1,h2,http/1.1", NAME, true},
		{NAME, "istio-h2,istio,h2", NAME, true},
		{NAME, "h2,http/1.1", NAME, false},
		{NAME, "istio2,isti,ISTIO", NAME, false},
		{NAME, NULL, NAME, false},
		{NULL, "istio", "", true},
		{"Outbound_.80_._.WEB.Shop.svc.Cluster.LOCAL.", "istio",
	         "outbound_.80_._.web.shop.svc.cluster.local", true},
		{".", "istio", ".", true},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct hello_bytes bytes = {.len = 0};
		struct ew_hello hello;
		make_hello(&bytes, cases[i].sni, cases[i].alpn, 16384);
		assert_int_equal(read_all(&bytes, &hello), EW_HELLO_DONE);
		assert_string_equal(hello.sni, cases[i].want);
		assert_int_equal(hello.sni_len, strlen(cases[i].want));
		assert_int_equal(hello.mesh_alpn, cases[i].mesh);
		assert_int_equal(hello.len, bytes.len);
	}
}

static void reads_the_same_however_it_is_split(void **state)
{
	static const size_t record_lens[] = {1, 2, 3, 5, 50, 100, 16384};
	(void)state;
	for (size_t r = 0; r < N_ELEMS(record_lens); r++) {
		struct hello_bytes bytes = {.len = 0};
		make_hello(&bytes, NAME, "istio", record_lens[r]);
		for (size_t cut = 0; cut < bytes.len; cut++) {
			struct ew_hello_reader reader = {0};
			struct ew_hello hello;
			assert_int_equal(ew_hello_read(&reader, bytes.data, cut, &hello),
			                 EW_HELLO_MORE);
			assert_int_equal(ew_hello_read(&reader, bytes.data, bytes.len, &hello),
			                 EW_HELLO_DONE);
			assert_string_equal(hello.sni, NAME);
			assert_true(hello.mesh_alpn);
		}
	}
}

static void reads_byte_by_byte(void **state)
{
	struct hello_bytes bytes = {.len = 0};
	struct ew_hello_reader reader = {0};
	struct ew_hello hello;
	(void)state;
	make_hello(&bytes, NAME, "istio", 7);
	for (size_t len = 1; len < bytes.len; len++)
		assert_int_equal(ew_hello_read(&reader, bytes.data, len, &hello), EW_HELLO_MORE);
	assert_int_equal(ew_hello_read(&reader, bytes.data, bytes.len, &hello), EW_HELLO_DONE);
	assert_string_equal(hello.sni, NAME);
}

static void leaves_what_follows_the_hello_alone(void **state)
{
	struct hello_bytes bytes = {.len = 0};
	struct ew_hello hello;
	(void)state;
	make_hello(&bytes, NAME, "istio", 16384);
	size_t len = bytes.len;
	for (int i = 0; i < 8000; i++)
		put(&bytes, "\x17", 1);
	assert_int_equal(read_all(&bytes, &hello), EW_HELLO_DONE);
	assert_int_equal(hello.len, len);
}

static void takes_hellos_of_post_quantum_size_and_up_to_the_limit(void **state)
{
	static const size_t sizes[] = {1800, 12000, 16000, 40000, 65000};
	static uint8_t padding[65535];
	(void)state;
	for (size_t i = 0; i < N_ELEMS(sizes); i++) {
		struct hello_bytes extensions = {.len = 0};
		struct hello_bytes message = {.len = 0};
		struct hello_bytes bytes = {.len = 0};
		struct ew_hello hello;
		put_extension(&extensions, 21, padding, sizes[i]);
		put_sni(&extensions, NAME, strlen(NAME));
		put_message(&message, &extensions);
		put_records(&bytes, &message, 16384);
		assert_int_equal(read_all(&bytes, &hello), EW_HELLO_DONE);
		assert_string_equal(hello.sni, NAME);
	}
}

static void refuses_larger_hellos(void **state)
{
	static const uint8_t head[] = {22, 3, 1, 0, 4, 1, 0x01, 0x00, 0x00};
	struct ew_hello_reader reader = {0};
	struct ew_hello hello;
	(void)state;
	assert_int_equal(ew_hello_read(&reader, head, sizeof(head), &hello), EW_HELLO_BAD);
	assert_int_equal(hello.alert, EW_ALERT_HANDSHAKE_FAILURE);
	/* many small records: the stream is too large though the message is not */
	static struct hello_bytes bytes;
	static struct hello_bytes message;
	static struct hello_bytes extensions;
	static uint8_t padding[19500];
	put_extension(&extensions, 21, padding, sizeof(padding));
	put_message(&message, &extensions);
	put_records(&bytes, &message, 2);
	assert_true(bytes.len > EW_HELLO_MAX);
	/* whether it comes in two reads or in one */
	const size_t lens[] = {EW_HELLO_MAX, bytes.len};
	for (size_t i = 0; i < N_ELEMS(lens); i++) {
		struct ew_hello_reader again = {0};
		assert_int_equal(ew_hello_read(&again, bytes.data, lens[i], &hello), EW_HELLO_BAD);
		assert_int_equal(hello.alert, EW_ALERT_HANDSHAKE_FAILURE);
	}
}

static void tells_other_protocols_by_their_first_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum ew_hello_result want;
		uint8_t alert;
	} cases[] = {
		{"GET / HTTP/1.1\r\n", 16, EW_HELLO_NOT_TLS, 0},
		{"S", 1, EW_HELLO_NOT_TLS, 0},
		{"\x80\x2e\x01", 3, EW_HELLO_NOT_TLS, 0},         /* SSL 2 */
		{"\x15\x03\x03\x00\x02", 5, EW_HELLO_NOT_TLS, 0}, /* an alert */
		{"\x16\x02\x00", 3, EW_HELLO_NOT_TLS, 0},
		{"\x16\x03\xff", 3, EW_HELLO_MORE, 0},
		{"\x16\x03\x04", 3, EW_HELLO_MORE, 0},
		{"\x16\x03\x00", 3, EW_HELLO_MORE, 0},
		{"\x16", 1, EW_HELLO_MORE, 0},
		{"\x16\x03\x01\x00\x00", 5, EW_HELLO_BAD, 50}, /* empty record */
		{"\x16\x03\x01\x40\x01", 5, EW_HELLO_BAD, 22}, /* record over 2^14 */
		{"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9, EW_HELLO_BAD, 50}, /* server hello */
		{"\x16\x03\x01\x00\x01\x01\x17\x03\x03", 9, EW_HELLO_BAD, 50}, /* data inside */
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ew_hello_reader reader = {0};
		struct ew_hello hello;
		assert_int_equal(ew_hello_read(&reader, (const uint8_t *)cases[i].bytes,
		                               cases[i].len, &hello),
		                 cases[i].want);
		assert_int_equal(hello.alert, cases[i].alert);
	}
}

/* A hello whose message is changed at one place. */
static void says_the_alert_that_fits_a_malformed_message(void **state)
{
	static const struct {
		size_t at; /* in the message */
		uint8_t byte;
		uint8_t alert;
	} cases[] = {
		{4, 2, 70},     /* version 2.3 */
		{5, 0, 70},     /* version 3.0: SSL 3 */
		{38, 33, 50},   /* session id of 33 */
		{71, 0xff, 50}, /* cipher suites longer than the message */
		{72, 5, 50},    /* odd cipher suites */
		{72, 0, 50},    /* none */
		{79, 0, 50},    /* no compression method */
		{80, 1, 47},    /* not "null" */
		{82, 0xff, 50}, /* extensions of another length */
	};
	(void)state;
	struct hello_bytes extensions = {.len = 0};
	put_sni(&extensions, NAME, strlen(NAME));
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct hello_bytes message = {.len = 0};
		struct hello_bytes bytes = {.len = 0};
		struct ew_hello hello;
		put_message(&message, &extensions);
		message.data[cases[i].at] = cases[i].byte;
		put_records(&bytes, &message, 16384);
		assert_int_equal(read_all(&bytes, &hello), EW_HELLO_BAD);
		assert_int_equal(hello.alert, cases[i].alert);
		assert_non_null(hello.why);
	}
}

/* RFC 5246 E.1: a server answers newer ones with the newest that it knows. */
static void leaves_newer_versions_to_the_server(void **state)
{
	struct hello_bytes extensions = {.len = 0};
	struct hello_bytes message = {.len = 0};
	struct hello_bytes bytes = {.len = 0};
	struct ew_hello hello;
	(void)state;
	put_sni(&extensions, NAME, strlen(NAME));
	put_message(&message, &extensions);
	message.data[4] = 0x7f;
	put_records(&bytes, &message, 16384);
	bytes.data[2] = 0x7f;
	assert_int_equal(read_all(&bytes, &hello), EW_HELLO_DONE);
	assert_string_equal(hello.sni, NAME);
}

static void judges_the_server_name(void **state)
{
	static char longest[260];
	static const struct {
		const char *name;
		size_t len;
		enum ew_hello_result want;
		uint8_t alert;
	} cases[] = {
		{"a\0b", 3, EW_HELLO_BAD, 47},
		{"a b", 3, EW_HELLO_BAD, 47},
		{"caf\xc3\xa9.example", 13, EW_HELLO_BAD, 47},
		{"", 0, EW_HELLO_BAD, 50},
		{longest, 253, EW_HELLO_DONE, 0},
		{longest, 254, EW_HELLO_BAD, 112},
		{longest, 255, EW_HELLO_BAD, 112},
		{longest + 1, 259, EW_HELLO_BAD, 112},
	};
	(void)state;
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct hello_bytes extensions = {.len = 0};
		struct ew_hello hello;
		put_sni(&extensions, cases[i].name, cases[i].len);
		assert_int_equal(read_extensions(&extensions, &hello), cases[i].want);
		assert_int_equal(hello.alert, cases[i].alert);
	}
	longest[253] = '.';
	struct hello_bytes dotted = {.len = 0};
	struct ew_hello hello;
	put_sni(&dotted, longest, 254);
	assert_int_equal(read_extensions(&dotted, &hello), EW_HELLO_DONE);
	assert_int_equal(hello.sni_len, 253);
}

static void refuses_what_stands_twice_or_in_the_wrong_place(void **state)
{
	struct hello_bytes extensions = {.len = 0};
	struct ew_hello hello;
	(void)state;
	put_sni(&extensions, NAME, strlen(NAME));
	put_sni(&extensions, NAME, strlen(NAME));
	assert_int_equal(read_extensions(&extensions, &hello), EW_HELLO_BAD);
	assert_int_equal(hello.alert, 47);

	extensions.len = 0;
	put_alpn(&extensions, "istio");
	put_alpn(&extensions, "istio");
	assert_int_equal(read_extensions(&extensions, &hello), EW_HELLO_BAD);
	assert_int_equal(hello.alert, 47);

	/* two host names in one list */
	extensions.len = 0;
	put_extension(&extensions, 0,
	              "\x00\x08\x00\x00\x01"
	              "a\x00\x00\x01"
	              "b",
	              10);
	assert_int_equal(read_extensions(&extensions, &hello), EW_HELLO_BAD);
	assert_int_equal(hello.alert, 47);

	/* pre_shared_key has to be the last one */
	extensions.len = 0;
	put_extension(&extensions, 41, "", 0);
	put_sni(&extensions, NAME, strlen(NAME));
	assert_int_equal(read_extensions(&extensions, &hello), EW_HELLO_BAD);
	assert_int_equal(hello.alert, 47);
}

static void refuses_lists_that_do_not_add_up(void **state)
{
	static const struct {
		unsigned type;
		const char *data;
		size_t len;
	} cases[] = {
		{0, "", 0},
		{0, "\x00\x00", 2},
		{0,
	         "\x00\x05\x00\x00\x01"
	         "a",
	         6},
		{0,
	         "\x00\x04\x00\x00\x05"
	         "a",
	         6},
		{16, "", 0},
		{16, "\x00\x00", 2},
		{16, "\x00\x02\x00\x00", 4},
		{16,
	         "\x00\x03\x03"
	         "ab",
	         5},
		{16,
	         "\x00\x02\x01"
	         "ab",
	         5},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct hello_bytes extensions = {.len = 0};
		struct ew_hello hello;
		put_extension(&extensions, cases[i].type, cases[i].data, cases[i].len);
		assert_int_equal(read_extensions(&extensions, &hello), EW_HELLO_BAD);
		assert_int_equal(hello.alert, EW_ALERT_DECODE_ERROR);
	}
}

static void passes_over_names_of_other_types_and_hellos_without_extensions(void **state)
{
	struct hello_bytes extensions = {.len = 0};
	struct ew_hello hello;
	(void)state;
	put_extension(&extensions, 0,
	              "\x00\x08\x07\x00\x01"
	              "x\x00\x00\x01"
	              "b",
	              10);
	assert_int_equal(read_extensions(&extensions, &hello), EW_HELLO_DONE);
	assert_string_equal(hello.sni, "b");
	assert_int_equal(read_extensions(NULL, &hello), EW_HELLO_DONE);
	assert_string_equal(hello.sni, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_name_and_mesh_alpn),
		cmocka_unit_test(reads_the_same_however_it_is_split),
		cmocka_unit_test(reads_byte_by_byte),
		cmocka_unit_test(leaves_what_follows_the_hello_alone),
		cmocka_unit_test(takes_hellos_of_post_quantum_size_and_up_to_the_limit),
		cmocka_unit_test(refuses_larger_hellos),
		cmocka_unit_test(tells_other_protocols_by_their_first_bytes),
		cmocka_unit_test(says_the_alert_that_fits_a_malformed_message),
		cmocka_unit_test(leaves_newer_versions_to_the_server),
		cmocka_unit_test(judges_the_server_name),
		cmocka_unit_test(refuses_what_stands_twice_or_in_the_wrong_place),
		cmocka_unit_test(refuses_lists_that_do_not_add_up),
		cmocka_unit_test(passes_over_names_of_other_types_and_hellos_without_extensions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
