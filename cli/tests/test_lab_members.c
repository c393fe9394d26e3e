/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_members.h"
#include "objects.h"
#include "unit.h"

#include <string.h>

static void every_cluster_of_the_lab_is_named_once_and_no_other(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *message; /* "" it is fine */
	} rows[] = {
		{"mdemo-cluster1: /a\ncluster2: b\nmdemo-cluster3: c/d\n", ""},
		{"mdemo-cluster1: /a\nmdemo-cluster2: b\n", "f: add a line 'mdemo-cluster3: "},
		{"mdemo-cluster1: /a\nmdemo-cluster4: b\n", "f: 'mdemo-cluster4' is no line"},
		{"control: /a\n", "f: 'control' is no line"},
		{"mdemo-cluster1: [/a]\n", "f: 'mdemo-cluster1' is no line"},
		{"- a\n", "f: add a line 'mdemo-cluster1"},
		{"a: b: c\n", "f:1:"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err = {0};
		json_t *members = lab_members_parse(str_from(rows[i].text), "f", &err);
		assert_row(rows[i].text, (members != NULL) == (rows[i].message[0] == '\0'));
		assert_row(rows[i].text, strstr(err.msg, rows[i].message) == err.msg);
		if (members != NULL)
			assert_string_equal(json_str_at(members, "cluster2", ""), "b");
		json_decref(members);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cluster_of_the_lab_is_named_once_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
