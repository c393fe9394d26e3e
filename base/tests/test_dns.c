/* SPDX-License-Identifier: Apache-2.0 */
#include "name_server.h"
#include "unit.h"

#include <string.h>

#include "base/dns.h"
#include "base/macros.h"

struct rig {
	struct loop *loop;
	struct name_server server;
	int n_told;
	struct dns_answer answer; /* n is 0: failed */
	struct err err;
};

static void rig_init(struct rig *rig)
{
	*rig = (struct rig){.loop = loop_create()};
	name_server_init(&rig->server, rig->loop);
}

static void rig_fini(struct rig *rig)
{
	name_server_fini(&rig->server);
	loop_destroy(rig->loop);
}

static void on_told(const struct dns_answer *answer, const struct err *err, void *arg)
{
	struct rig *rig = arg;
	rig->n_told++;
	rig->answer = answer != NULL ? *answer : (struct dns_answer){.n = 0};
	if (answer == NULL)
		rig->err = *err;
}

static void ask(struct rig *rig, const char *host)
{
	int told = rig->n_told;
	dns_ask(rig->loop, host, rig->server.address, on_told, rig);
	assert_int_equal(rig->n_told, told);
	for (int64_t end_ms = loop_now_ms(rig->loop) + 2L * DNS_DEADLINE_MS;
	     rig->n_told == told && loop_now_ms(rig->loop) < end_ms;)
		loop_run_once(rig->loop, 1000);
	assert_int_equal(rig->n_told, told + 1);
}

static void expect(const struct dns_answer *answer, const char *text)
{
	struct ip ip;
	assert_true(ip_parse(str_from(text), &ip));
	for (size_t i = 0; i < answer->n; i++) {
		if (ip_eq(&ip, &answer->ips[i]))
			return;
	}
	fail_msg("%s is not in the answer", text);
}

static void a_name_has_all_its_addresses_and_the_shortest_time(void **state)
{
	struct rig rig;
	(void)state;
	rig_init(&rig);
	rig.server.ttl_s = 30;
	rig.server.v4[0] = "192.0.2.1";
	rig.server.v4[1] = "192.0.2.2";
	rig.server.v4[2] = "192.0.2.1";
	rig.server.v6[0] = "2001:db8::1";
	ask(&rig, "gw.example.com");
	assert_int_equal(rig.answer.n, 3);
	expect(&rig.answer, "192.0.2.1");
	expect(&rig.answer, "192.0.2.2");
	expect(&rig.answer, "2001:db8::1");
	assert_int_equal(rig.answer.ttl_s, 30);
	rig_fini(&rig);
}

static void literals_and_localhost_need_no_server(void **state)
{
	static const struct {
		const char *name;
		int32_t ttl_s;
	} rows[] = {
		{"192.0.2.9", DNS_TTL_LITERAL},
		{"2001:db8::9", DNS_TTL_LITERAL},
		{"localhost", DNS_TTL_LITERAL},
		{"LocalHost.", DNS_TTL_LITERAL},
	};
	struct rig rig;
	(void)state;
	rig_init(&rig);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		ask(&rig, rows[i].name);
		assert_true(rig.answer.n > 0);
		assert_int_equal(rig.answer.ttl_s, rows[i].ttl_s);
	}
	assert_int_equal(rig.server.n_asked, 0);
	rig_fini(&rig);
}

static void each_failure_has_its_code(void **state)
{
	static const struct {
		int rcode;
		enum err_code code;
	} rows[] = {
		{NAME_SERVER_UNKNOWN, ERR_NOT_FOUND},
		{NAME_SERVER_ANSWERS, ERR_NOT_FOUND}, /* without an address */
		{NAME_SERVER_FAILS, ERR_UNAVAILABLE},
		{NAME_SERVER_SILENT, ERR_TIMEOUT},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct rig rig;
		rig_init(&rig);
		rig.server.rcode = rows[i].rcode;
		ask(&rig, "gw.example.com.");
		assert_int_equal(rig.answer.n, 0);
		assert_int_equal(rig.err.code, rows[i].code);
		assert_non_null(strstr(rig.err.msg, "'gw.example.com.'"));
		rig_fini(&rig);
	}
}

static void junk_is_no_answer(void **state)
{
	struct rig rig;
	(void)state;
	rig_init(&rig);
	rig.server.rcode = NAME_SERVER_JUNK;
	ask(&rig, "gw.example.com.");
	assert_int_equal(rig.answer.n, 0);
	rig_fini(&rig);
}

static void a_cancelled_question_tells_nothing(void **state)
{
	static const char *const names[] = {"192.0.2.9", "gw.example.com"};
	struct rig rig;
	(void)state;
	rig_init(&rig);
	rig.server.v4[0] = "192.0.2.1";
	for (size_t i = 0; i < N_ELEMS(names); i++) {
		dns_cancel(dns_ask(rig.loop, names[i], rig.server.address, on_told, &rig));
		loop_run_once(rig.loop, 20);
		loop_run_once(rig.loop, 20);
	}
	dns_cancel(NULL);
	assert_int_equal(rig.n_told, 0);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_all_its_addresses_and_the_shortest_time),
		cmocka_unit_test(literals_and_localhost_need_no_server),
		cmocka_unit_test(each_failure_has_its_code),
		cmocka_unit_test(junk_is_no_answer),
		cmocka_unit_test(a_cancelled_question_tells_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
