/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_status.h"
#include "objects.h"
#include "table.h"
#include "unit.h"

#include <string.h>

static void one_line_a_program_within_80_columns(void **state)
{
	(void)state;
	json_t *status = objects_one(
		"{dir: /tmp/lab, pid: 4194304, members: embedded, programs: [\n"
		" {host: control, program: fedwayd, state: Running, pid: 4194303, address: "
		"'192.0.2.10:6443'},\n"
		" {host: cluster1, program: kubelet, state: Starting, pid: 12, address: ''},\n"
		" {host: cluster3, program: helloworld, state: Ended, pid: 0, address: "
		"'10.100.0.10:5000'}]}");
	struct look look = {.ascii = true};
	struct buf text;
	struct str line;
	buf_init(&text, CLI_TEXT_MAX);
	lab_status_format(status, look, &text);
	assert_string_equal(buf_text(&text),
	                    "Lab  /tmp/lab  (pid 4194304, API servers embedded)\n"
	                    "\n"
	                    "HOST      PROGRAM     STATE          PID      ADDRESS\n"
	                    "control   fedwayd     OK Running     4194303  192.0.2.10:6443\n"
	                    "cluster1  kubelet     WARN Starting  12       -\n"
	                    "cluster3  helloworld  FAIL Ended     -        10.100.0.10:5000\n");
	struct str rest = buf_str(&text);
	while (str_split(&rest, '\n', &line))
		assert_true(line.len <= 80);
	buf_fini(&text);
	json_decref(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_a_program_within_80_columns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
