/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "probe/ladder.h"
#include "probe/work.h"

enum {
	STEP_US = 1000
};

struct row {
	const char *name;
	bool must_refuse;
	bool direct;
	int passed; /* stages before the end came */
	bool answered;
	struct probe_event event;
	bool ok;
	const char *stages; /* one letter a stage, lower case: failed */
	const char *code;
};

static const struct row rows[] = {
	{"answers", .passed = 5, .event = {PROBE_END_DONE, 0, NULL}, .ok = true, .stages = "ACTIRP",
         .code = ""},
	{"unresolved", .passed = 0, .event = {PROBE_END_UNRESOLVED, 0, NULL}, .stages = "a",
         .code = "FED-102"},
	{"refused", .passed = 1, .event = {PROBE_END_REFUSED, 0, NULL}, .stages = "Ac",
         .code = "FED-110"},
	{"refused, direct", .direct = true, .passed = 1, .event = {PROBE_END_REFUSED, 0, NULL},
         .stages = "Ac", .code = "FED-161"},
	{"connect timeout", .passed = 1, .event = {PROBE_END_TIMEOUT, 0, NULL}, .stages = "Ac",
         .code = "FED-111"},
	{"no route", .passed = 1, .event = {PROBE_END_UNREACHABLE, 0, NULL}, .stages = "Ac",
         .code = "FED-111"},
	{"silent after connect", .passed = 2, .event = {PROBE_END_TIMEOUT, 0, NULL},
         .stages = "ACt", .code = "FED-112"},
	{"cut in handshake", .passed = 2, .event = {PROBE_END_CUT, 0, NULL}, .stages = "ACt",
         .code = "FED-112"},
	{"no mesh ALPN", .passed = 2, .event = {PROBE_END_ALERT, 120, NULL}, .stages = "ACt",
         .code = "FED-112"},
	{"unknown name", .passed = 2, .event = {PROBE_END_ALERT, 112, NULL}, .stages = "ACTr",
         .code = "FED-130"},
	{"nothing behind it", .passed = 2, .event = {PROBE_END_ALERT, 80, NULL}, .stages = "ACTr",
         .code = "FED-131"},
	{"wrong root", .passed = 2, .event = {PROBE_END_UNTRUSTED, 0, NULL}, .stages = "ACTi",
         .code = "FED-120"},
	{"not valid yet", .passed = 2, .event = {PROBE_END_EXPIRED, 0, NULL}, .stages = "ACTi",
         .code = "FED-121"},
	{"another cluster", .passed = 3, .event = {PROBE_END_WRONG_PEER, 0, NULL}, .stages = "ACTi",
         .code = "FED-122"},
	{"another cluster, direct", .direct = true, .passed = 3,
         .event = {PROBE_END_WRONG_PEER, 0, NULL}, .stages = "ACTi", .code = "FED-160"},
	{"refuses our root after the handshake", .passed = 5, .event = {PROBE_END_ALERT, 48, NULL},
         .stages = "ACTi", .code = "FED-120"},
	{"any alert before the reply is identity", .passed = 5,
         .event = {PROBE_END_ALERT, 80, NULL}, .stages = "ACTi", .code = "FED-122"},
	{"alert within the reply", .passed = 5, .answered = true,
         .event = {PROBE_END_ALERT, 80, NULL}, .stages = "ACTIRp", .code = "FED-140"},
	{"no reply", .passed = 5, .event = {PROBE_END_TIMEOUT, 0, NULL}, .stages = "ACTIRp",
         .code = "FED-140"},
	{"few bytes pass, many do not", .passed = 5, .answered = true,
         .event = {PROBE_END_TIMEOUT, 0, NULL}, .stages = "ACTIRp", .code = "FED-162"},
	{"other bytes", .passed = 5, .event = {PROBE_END_WRONG_BYTES, 0, NULL}, .stages = "ACTIRp",
         .code = "FED-140"},
	{"must refuse: refused", .must_refuse = true, .passed = 2,
         .event = {PROBE_END_ALERT, 112, NULL}, .ok = true, .stages = "ACTR", .code = ""},
	{"must refuse: another alert", .must_refuse = true, .passed = 2,
         .event = {PROBE_END_ALERT, 80, NULL}, .stages = "ACr", .code = "FED-112"},
	{"must refuse: answered", .must_refuse = true, .passed = 2,
         .event = {PROBE_END_DONE, 0, NULL}, .stages = "ACr", .code = "FED-112"},
	{"must refuse: a certificate was shown", .must_refuse = true, .passed = 2,
         .event = {PROBE_END_UNTRUSTED, 0, NULL}, .stages = "ACr", .code = "FED-112"},
	{"must refuse: connect timeout", .must_refuse = true, .passed = 1,
         .event = {PROBE_END_TIMEOUT, 0, NULL}, .stages = "Ac", .code = "FED-111"},
};

static void format_steps(const struct probe_result *result, char text[N_PROBE_STAGES + 1])
{
	size_t n = 0;
	for (; n < result->n_steps; n++) {
		const struct probe_step *step = &result->steps[n];
		text[n] = (step->ok ? "ACTIRP" : "actirp")[step->stage];
	}
	text[n] = '\0';
}

static struct probe_result run_row(const struct row *row)
{
	struct probe_check check = {.must_refuse = row->must_refuse, .direct = row->direct};
	struct probe_ladder ladder;
	int64_t now_us = 77;
	probe_ladder_init(&ladder, &check, now_us);
	for (int i = 0; i < row->passed; i++)
		probe_ladder_pass(&ladder, now_us += STEP_US);
	if (row->answered)
		probe_ladder_set_answered(&ladder);
	probe_ladder_end(&ladder, &row->event, now_us + STEP_US);
	return ladder.result;
}

static void every_end_names_its_stage_and_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct probe_result result = run_row(&rows[i]);
		char stages[N_PROBE_STAGES + 1];
		format_steps(&result, stages);
		if (strcmp(stages, rows[i].stages) != 0 || strcmp(result.code, rows[i].code) != 0 ||
		    result.ok != rows[i].ok)
			fail_msg("%s: %s %s", rows[i].name, stages, result.code);
		assert_true(result.ok || result.evidence[0] != '\0');
		assert_true(result.ok || !result.steps[result.n_steps - 1].ok);
		assert_int_equal(result.steps[0].took_us, STEP_US);
	}
}

static void an_alarm_stays_in_an_ok_result(void **state)
{
	(void)state;
	struct probe_check check = {.port = 1};
	struct probe_event done = {PROBE_END_DONE, 0, NULL};
	struct probe_ladder ladder;
	probe_ladder_init(&ladder, &check, 0);
	for (int i = 0; i < 5; i++)
		probe_ladder_pass(&ladder, 0);
	probe_ladder_add_alarm(&ladder, PROBE_STAGE_IDENTITY, "FED-121", "expired 2 h ago");
	probe_ladder_end(&ladder, &done, 0);
	assert_true(ladder.result.ok);
	assert_string_equal(ladder.result.code, "FED-121");
	assert_int_equal(ladder.result.evidence_of, PROBE_STAGE_IDENTITY);
}

static void results_survive_the_wire(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct probe_result sent = run_row(&rows[i]);
		struct probe_result got;
		char id[PROBE_ID_MAX];
		struct err err;
		struct buf bytes CLEANUP(buf_fini);
		buf_init(&bytes, PROBE_MESSAGE_MAX);
		probe_result_encode("id-1", &sent, &bytes);
		assert_true(probe_result_decode(buf_str(&bytes), id, &got, &err));
		assert_string_equal(id, "id-1");
		assert_int_equal(got.ok, sent.ok);
		assert_int_equal(got.n_steps, sent.n_steps);
		for (size_t n = 0; n < sent.n_steps; n++) {
			assert_int_equal(got.steps[n].stage, sent.steps[n].stage);
			assert_int_equal(got.steps[n].ok, sent.steps[n].ok);
			assert_int_equal(got.steps[n].took_us, sent.steps[n].took_us);
		}
		assert_string_equal(got.code, sent.code);
		assert_string_equal(got.evidence, sent.evidence);
	}
}

static void bad_results_are_refused(void **state)
{
	(void)state;
	static const struct {
		struct str bytes;
		const char *message;
	} bad[] = {
		{STR_LIT("\xff"), "malformed"},
		{STR_LIT(""), "without id"},
		{STR_LIT("\x0a\x01x\x12\x06\x0a\x04nope"), "not known"},
		{STR_LIT("\x0a\x01x\x12\x05\x0a\x03tls\x12\x05\x0a\x03tls"), "out of order"},
		{STR_LIT("\x0a\x01x\x22\x03<b>"), "no cause code"},
	};
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		struct probe_result got;
		char id[PROBE_ID_MAX];
		struct err err;
		assert_false(probe_result_decode(bad[i].bytes, id, &got, &err));
		if (i > 0)
			assert_non_null(strstr(err.msg, bad[i].message));
	}
}

static void tasks_survive_the_wire(void **state)
{
	(void)state;
	struct probe_check sent = {
		"gw.example.com", 15443, "_probe.c2.fedway.internal", "c2", 4096, 700, false, true};
	struct probe_task got;
	struct err err;
	struct buf bytes CLEANUP(buf_fini);
	buf_init(&bytes, PROBE_MESSAGE_MAX);
	probe_task_encode("7.1", &sent, &bytes);
	assert_true(probe_task_decode(buf_str(&bytes), &got, &err));
	assert_string_equal(got.id, "7.1");
	assert_string_equal(got.check.address, sent.address);
	assert_string_equal(got.check.sni, sent.sni);
	assert_string_equal(got.check.cluster, sent.cluster);
	assert_int_equal(got.check.port, sent.port);
	assert_int_equal(got.check.payload, sent.payload);
	assert_int_equal(got.check.deadline_ms, sent.deadline_ms);
	assert_true(got.check.direct);
	assert_false(got.check.must_refuse);
	probe_task_fini(&got);
}

static void tasks_over_a_limit_are_refused_with_their_id(void **state)
{
	(void)state;
	static const struct {
		struct probe_check check;
		const char *message;
	} bad[] = {
		{{"", 1, "s", "c", 0, 0, false, false}, "without address"},
		{{"a", 1, "", "c", 0, 0, false, false}, "without sni"},
		{{"a", 1, "s", "", 0, 0, false, false}, "without cluster"},
		{{"a", 0, "s", "c", 0, 0, false, false}, "port"},
		{{"a", 1, "s", "c", PROBE_PAYLOAD_MAX + 1, 0, false, false}, "payload"},
		{{"a", 1, "s", "c", 0, PROBE_DEADLINE_MAX_MS + 1, false, false}, "deadline"},
	};
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		struct probe_task got;
		struct err err;
		struct buf bytes CLEANUP(buf_fini);
		buf_init(&bytes, PROBE_MESSAGE_MAX);
		probe_task_encode("9", &bad[i].check, &bytes);
		assert_false(probe_task_decode(buf_str(&bytes), &got, &err));
		assert_non_null(strstr(err.msg, bad[i].message));
		assert_string_equal(got.id, "9");
		probe_task_fini(&got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_end_names_its_stage_and_code),
		cmocka_unit_test(an_alarm_stays_in_an_ok_result),
		cmocka_unit_test(results_survive_the_wire),
		cmocka_unit_test(bad_results_are_refused),
		cmocka_unit_test(tasks_survive_the_wire),
		cmocka_unit_test(tasks_over_a_limit_are_refused_with_their_id),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
