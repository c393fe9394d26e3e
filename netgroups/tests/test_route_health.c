/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "netgroups/route_health.h"

#define SNI "outbound_.5000_._.hello.sample.svc.cluster.local"

/* What was changed, as text: "-NETWORK(GATEWAY)" withdrawn, "+NETWORK" back. */
struct changes {
	char text[256];
};

static void on_change(const struct route_verdict *verdict, void *arg)
{
	struct changes *changes = arg;
	size_t len = strlen(changes->text);
	assert_string_equal(verdict->sni, SNI);
	if (verdict->withdrawn)
		snprintf(changes->text + len, sizeof(changes->text) - len, "-%s(%s)",
		         verdict->network, verdict->gateway);
	else
		snprintf(changes->text + len, sizeof(changes->text) - len, "+%s", verdict->network);
}

/*
 * One line a case: words in order, each "TIME:REPORTERSIGN", + usable, - not; "TIME:" judges alone.
 * After each step what changed is appended with its time.
 */
static const struct {
	const char *name;
	const char *words;
	const char *want;
} rows[] = {
	{"nothing is judged before there is a word", "0: 5000:", ""},
	{"one that fails for three seconds withdraws", "0:a- 1000:a- 2000:a- 2999:a- 3000:a-",
         "3000-n2(a) "},
	{"also when only time has passed", "0:a- 1000:a- 2000:a- 3000:", "3000-n2(a) "},
	{"words of success begin nothing", "0:a+ 1000:a+ 4000:a+", ""},
	{"a word is stale before its three seconds are over", "0:a- 2999: 3000: 4000:a- 6999:", ""},
	{"one fresh word of success holds it", "0:a- 0:b+ 2000:a- 2000:b+ 4000:a- 4000:b+ 4999:a-",
         ""},
	{"when the one that succeeds falls silent the other decides",
         "0:a- 0:b+ 1000:a- 2000:a- 2999:a- 3000:a-", "3000-n2(a) "},
	{"the last to fail counts", "0:a- 1000:b- 2000:a- 3000:a- 3500:b- 3999:a- 4000:a-",
         "4000-n2(b) "},
	{"who has no part in it does not hold it", "0:a- 2000:a- 3000:a- 4000:a-", "3000-n2(a) "},
	{"the first word of success ends it", "0:a- 2000:a- 3000:a- 4100:b+",
         "3000-n2(a) 4100+n2 "},
	{"not within a second of the withdrawal",
         "0:a- 2000:a- 3000:a- 3100:a+ 3999:a+ 4000:", "3000-n2(a) 4000+n2 "},
	{"with no fresh word left nothing is judged",
         "0:a- 2000:a- 3000:a- 5999: 6000:", "3000-n2(a) 6000+n2 "},
	{"another one that fails does not begin anew", "0:a- 2000:a- 3000:a- 3500:b- 4500:b-",
         "3000-n2(a) "},
	{"it fails again only after three seconds more",
         "0:a- 2000:a- 3000:a- 4000:a+ 4001:a- 6000:a- 7000:a- 7001:a-",
         "3000-n2(a) 4000+n2 7001-n2(a) "},
	{"a restart knows of nothing", "3000:a- 5000:a- 5999:a-", ""},
};

static void play(struct route_health *health, struct changes *changes, const char *words)
{
	char text[256];
	snprintf(text, sizeof(text), "%s", words);
	char seen[256] = "";
	for (char *rest = text, *step; (step = strsep(&rest, " ")) != NULL;) {
		char *colon = strchr(step, ':');
		int64_t now_ms = atoll(step);
		int64_t next_ms;
		char reporter[2] = {colon[1], '\0'};
		struct route_word word = {"n2", SNI, reporter, reporter,
		                          colon[1] && colon[2] == '+'};
		changes->text[0] = '\0';
		if (colon[1] != '\0')
			route_health_hear(health, &word, now_ms);
		route_health_judge(health, now_ms, &next_ms);
		assert_true(next_ms == -1 || next_ms > now_ms);
		if (changes->text[0] != '\0') {
			size_t len = strlen(seen);
			snprintf(seen + len, sizeof(seen) - len, "%d%s ", (int)now_ms,
			         changes->text);
		}
	}
	snprintf(changes->text, sizeof(changes->text), "%s", seen);
}

static void judges_what_the_fresh_words_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct changes changes = {""};
		struct route_health health;
		int64_t next_ms;
		route_health_init(&health, on_change, &changes);
		play(&health, &changes, rows[i].words);
		if (strcmp(changes.text, rows[i].want) != 0)
			fail_msg("%s: '%s', not '%s'", rows[i].name, changes.text, rows[i].want);
		/* in the end it is forgotten */
		route_health_judge(&health, 60000, &next_ms);
		route_health_judge(&health, 61000, &next_ms);
		assert_int_equal(next_ms, -1);
		assert_int_equal(map_len(&health.routes), 0);
		assert_int_equal(health.n_withdrawn, 0);
		route_health_fini(&health);
	}
}

static void networks_and_routes_are_judged_apart(void **state)
{
	struct changes changes = {""};
	struct route_health health;
	(void)state;
	route_health_init(&health, on_change, &changes);
	for (int64_t t = 0; t <= 3000; t += 1000) {
		struct route_word n2 = {"n2", SNI, "a", "a", false};
		struct route_word n3 = {"n3", SNI, "b", "b", t < 1000};
		route_health_hear(&health, &n2, t);
		route_health_hear(&health, &n3, t);
	}
	assert_string_equal(changes.text, "-n2(a)");
	assert_int_equal(health.n_withdrawn, 1);
	route_health_fini(&health);
}

static void says_when_to_judge_again(void **state)
{
	struct changes changes = {""};
	struct route_health health;
	struct route_word word = {"n2", SNI, "a", "a", false};
	int64_t next_ms;
	(void)state;
	route_health_init(&health, on_change, &changes);
	route_health_hear(&health, &word, 0);
	route_health_hear(&health, &word, 2000);
	route_health_judge(&health, 2000, &next_ms);
	assert_int_equal(next_ms, 3000);
	route_health_judge(&health, 3000, &next_ms);
	assert_int_equal(next_ms, 5000);
	route_health_fini(&health);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_what_the_fresh_words_say),
		cmocka_unit_test(networks_and_routes_are_judged_apart),
		cmocka_unit_test(says_when_to_judge_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
