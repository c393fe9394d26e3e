/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of inputs with what the machine wants next; time and chance are the test's.
 */
#include "reflector_machine_priv.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "kube/reflector.h"

struct turn {
	int64_t after_ms; /* since the turn before */
	enum reflector_input_kind kind;
	const char *rv;
	const char *cont;
	enum err_code code;
	bool rv_too_large;
	const char *wants; /* "list RV CONT LIMIT", "watch RV", "wait", "-"; '!' first: apply */
};

static void describe(const struct reflector_action *action, char text[200])
{
	const char *mark = action->apply ? "!" : "";

	switch (action->what) {
	case REFLECTOR_DO_NOTHING:
		snprintf(text, 200, "%s-", mark);
		return;
	case REFLECTOR_DO_LIST:
		snprintf(text, 200, "%slist %s %s %d", mark,
		         action->rv != NULL ? action->rv : "none",
		         action->cont != NULL ? action->cont : "first", action->limit);
		return;
	case REFLECTOR_DO_WATCH:
		snprintf(text, 200, "%swatch %s", mark, action->rv);
		return;
	case REFLECTOR_DO_WAIT:
		snprintf(text, 200, "%swait", mark);
		return;
	}
}

static void play(const struct turn *turns, size_t n)
{
	struct reflector_machine machine;
	int64_t now_ms = 1000000;

	reflector_machine_init(&machine);
	for (size_t i = 0; i < n; i++) {
		struct reflector_input input = {
			.kind = turns[i].kind,
			.now_ms = now_ms += turns[i].after_ms,
			.chance = 0x80000000u,
			.rv = str_from(turns[i].rv),
			.cont = str_from(turns[i].cont),
			.code = turns[i].code,
			.rv_too_large = turns[i].rv_too_large,
		};
		struct reflector_action action = reflector_machine_step(&machine, &input);
		char text[200];

		describe(&action, text);
		if (strcmp(text, turns[i].wants) != 0)
			fail_msg("turn %zu: wants '%s', not '%s'", i, text, turns[i].wants);
	}
	reflector_machine_fini(&machine);
}

#define START        0, REFLECTOR_ON_START, NULL, NULL, 0, false
#define STOP         0, REFLECTOR_ON_STOP, NULL, NULL, 0, false
#define TIMER        900, REFLECTOR_ON_TIMER, NULL, NULL, 0, false
#define PAGE(rv, c)  10, REFLECTOR_ON_PAGE, rv, c, 0, false
#define EVENT(rv)    10, REFLECTOR_ON_EVENT, rv, NULL, 0, false
#define END(ms)      ms, REFLECTOR_ON_END, NULL, NULL, 0, false
#define FAIL(ms, c)  ms, REFLECTOR_ON_FAIL, NULL, NULL, c, false
#define FAIL_TOO_NEW 10, REFLECTOR_ON_FAIL, NULL, NULL, ERR_TIMEOUT, true

static void pages_follow_each_other_then_a_watch_resumes_for_ever(void **state)
{
	static const struct turn turns[] = {
		{START, "list 0 first 500"},
		{PAGE("7", "p2"), "list none p2 500"},
		{PAGE("7", "p3"), "list none p3 500"},
		{PAGE("7", NULL), "!watch 7"},
		{EVENT("9"), "-"},
		{END(10), "watch 9"},
		{END(5000), "watch 9"},
		{EVENT("12"), "-"},
		{FAIL(10, ERR_IO), "wait"},
		{TIMER, "watch 12"},
		{STOP, "-"},
		{TIMER, "-"},
		{START, "list 12 first 500"},
	};

	(void)state;
	play(turns, N_ELEMS(turns));
}

static void an_expired_version_leads_to_a_new_list(void **state)
{
	static const struct turn turns[] = {
		{START, "list 0 first 500"},
		{PAGE("7", NULL), "!watch 7"},
		{EVENT("8"), "-"},
		{FAIL(10, ERR_EXPIRED), "list 8 first 500"},
		/* the server no longer knows 8 either: the most recent, whatever it is */
		{FAIL(10, ERR_EXPIRED), "list none first 500"},
		{FAIL(10, ERR_EXPIRED), "wait"},
		{TIMER, "list none first 500"},
		{PAGE("20", NULL), "!watch 20"},
		/* at once again: not in a tight loop */
		{FAIL(10, ERR_EXPIRED), "wait"},
		{TIMER, "list 20 first 500"},
	};

	(void)state;
	play(turns, N_ELEMS(turns));
}

static void a_token_that_expires_between_pages_leads_to_one_whole_list(void **state)
{
	static const struct turn turns[] = {
		{START, "list 0 first 500"},
		{PAGE("7", "p2"), "list none p2 500"},
		{FAIL(10, ERR_EXPIRED), "list 0 first 0"},
		{PAGE("9", NULL), "!watch 9"},
		{FAIL(5000, ERR_EXPIRED), "list 9 first 500"},
	};

	(void)state;
	play(turns, N_ELEMS(turns));
}

static void a_cluster_restored_from_a_backup_is_listed_anew(void **state)
{
	static const struct turn turns[] = {
		{START, "list 0 first 500"},
		{PAGE("70", NULL), "!watch 70"},
		{FAIL(5000, ERR_EXPIRED), "list 70 first 500"},
		{FAIL_TOO_NEW, "list none first 500"},
		{PAGE("40", NULL), "!watch 40"},
	};

	(void)state;
	play(turns, N_ELEMS(turns));
}

static void odd_ends_of_a_watch_lead_to_a_list_after_three(void **state)
{
	static const struct turn turns[] = {
		{START, "list 0 first 500"},
		{PAGE("7", NULL), "!watch 7"},
		{END(10), "wait"},
		{TIMER, "watch 7"},
		{FAIL(10, ERR_INTERNAL), "wait"},
		{TIMER, "watch 7"},
		{END(10), "wait"},
		{TIMER, "list 7 first 500"},
		{PAGE("7", NULL), "!watch 7"},
		{END(10), "wait"},
		{TIMER, "watch 7"},
		{END(2000), "watch 7"},
		{END(10), "wait"},
		{TIMER, "watch 7"},
	};

	(void)state;
	play(turns, N_ELEMS(turns));
}

static void each_failure_leads_where_it_can_be_healed(void **state)
{
	static const struct {
		enum err_code code;
		const char *after_wait;
	} rows[] = {
		{ERR_IO, "watch 7"},
		{ERR_TIMEOUT, "watch 7"},
		{ERR_TOO_MANY, "watch 7"},
		{ERR_UNAVAILABLE, "watch 7"},
		{ERR_INTERNAL, "watch 7"},
		{ERR_FORBIDDEN, "list 7 first 500"},
		{ERR_UNAUTHORIZED, "list 7 first 500"},
		{ERR_NOT_FOUND, "list 7 first 500"},
		{ERR_PROTOCOL, "list 7 first 500"},
		{ERR_TOO_LARGE, "list 7 first 500"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		const struct turn turns[] = {
			{START, "list 0 first 500"},      {FAIL(10, rows[i].code), "wait"},
			{TIMER, "list 0 first 500"},      {PAGE("7", NULL), "!watch 7"},
			{FAIL(10, rows[i].code), "wait"}, {TIMER, rows[i].after_wait},
		};

		play(turns, N_ELEMS(turns));
	}
}

static int64_t wait_after_failure(struct reflector_machine *machine, int64_t now_ms,
                                  uint32_t chance, int64_t retry_after_ms)
{
	struct reflector_input fail = {.kind = REFLECTOR_ON_FAIL,
	                               .now_ms = now_ms,
	                               .chance = chance,
	                               .code = ERR_IO,
	                               .retry_after_ms = retry_after_ms};
	struct reflector_input timer = {.kind = REFLECTOR_ON_TIMER, .now_ms = now_ms};
	struct reflector_action action = reflector_machine_step(machine, &fail);

	assert_int_equal(action.what, REFLECTOR_DO_WAIT);
	reflector_machine_step(machine, &timer);
	return action.wait_ms;
}

static void back_off_doubles_to_its_limit_with_full_jitter_and_starts_anew(void **state)
{
	static const int64_t ranges[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
	struct reflector_machine machine;
	struct reflector_input start = {.kind = REFLECTOR_ON_START, .now_ms = 1};
	int64_t now_ms = 500000;

	(void)state;
	reflector_machine_init(&machine);
	reflector_machine_step(&machine, &start);
	for (size_t i = 0; i < N_ELEMS(ranges); i++)
		assert_int_equal(wait_after_failure(&machine, now_ms, 0xffffffffu, 0),
		                 ranges[i] - 1);
	assert_int_equal(wait_after_failure(&machine, now_ms, 0, 0), 50);
	assert_int_equal(wait_after_failure(&machine, now_ms, 0, 7000), 7000);
	now_ms += REFLECTOR_QUIET_MS + 1;
	assert_int_equal(wait_after_failure(&machine, now_ms, 0x80000000u, 0), 400);
	reflector_machine_fini(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_follow_each_other_then_a_watch_resumes_for_ever),
		cmocka_unit_test(an_expired_version_leads_to_a_new_list),
		cmocka_unit_test(a_token_that_expires_between_pages_leads_to_one_whole_list),
		cmocka_unit_test(a_cluster_restored_from_a_backup_is_listed_anew),
		cmocka_unit_test(odd_ends_of_a_watch_lead_to_a_list_after_three),
		cmocka_unit_test(each_failure_leads_where_it_can_be_healed),
		cmocka_unit_test(back_off_doubles_to_its_limit_with_full_jitter_and_starts_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
