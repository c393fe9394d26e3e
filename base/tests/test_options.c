/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/options.h"

struct target {
	struct options_head head;
	const char *config;
	const char *listen;
	bool verbose;
	uint64_t workers;
	uint64_t delay_ms;
	struct options_list advertise;
	struct options_list labels;
};

#define FIELD(name) offsetof(struct target, name)

static const struct options_row rows[] = {
	{.name = "config",
         .letter = 'c',
         .kind = OPTIONS_TEXT,
         .arg = "FILE",
         .help = "Read FILE.",
         .offset = FIELD(config)},
	{.name = "api-listen",
         .kind = OPTIONS_LISTEN,
         .arg = "ADDR:PORT",
         .dflt = "127.0.0.1:0",
         .help = "Serve the API here.",
         .offset = FIELD(listen)},
	{.name = "verbose",
         .letter = 'v',
         .no_env = true,
         .kind = OPTIONS_BOOL,
         .help = "Say more.",
         .offset = FIELD(verbose)},
	{.name = "workers",
         .kind = OPTIONS_NUMBER,
         .arg = "N",
         .dflt = "1",
         .help = "Event loops.",
         .offset = FIELD(workers)},
	{.name = "drain-delay",
         .kind = OPTIONS_DURATION,
         .arg = "TIME",
         .dflt = "5s",
         .help = "Wait this long before the listeners close, so that everybody who still comes by "
                 "an old address is answered.",
         .offset = FIELD(delay_ms)},
	{.name = "api-advertise",
         .kind = OPTIONS_HOSTPORTS,
         .arg = "HOST:PORT",
         .help = "What others dial.",
         .offset = FIELD(advertise)},
	{.name = "label",
         .letter = 'l',
         .kind = OPTIONS_TEXTS,
         .arg = "KEY=VALUE",
         .dflt = "a=1, b=2",
         .help = "Labels.",
         .offset = FIELD(labels)},
};

static const struct options_spec spec = {
	.program = "fedwayd",
	.about = "Hosts the control plane.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

enum {
	ARGS_MAX = 30
};

/* words: the command line behind the program's name, split at blanks. */
static bool parse_with(const struct options_spec *with, const char *words, struct target *target,
                       struct err *err)
{
	static char text[512];
	static char program[] = "x";
	static char *argv[ARGS_MAX + 2];
	int argc = 1;

	strncpy(text, words, sizeof(text) - 1);
	argv[0] = program;
	for (char *save = NULL, *word = strtok_r(text, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	return options_parse(with, argc, argv, target, err);
}

static bool parse(const char *words, struct target *target, struct err *err)
{
	return parse_with(&spec, words, target, err);
}

static void begins_with_the_defaults(void **state)
{
	struct target t;
	struct err err;

	(void)state;
	assert_true(parse("", &t, &err));
	assert_int_equal(t.head.wish, OPTIONS_RUN);
	assert_null(t.config);
	assert_string_equal(t.listen, "127.0.0.1:0");
	assert_false(t.verbose);
	assert_int_equal(t.workers, 1);
	assert_int_equal(t.delay_ms, 5000);
	assert_int_equal(t.advertise.n, 0);
	assert_int_equal(t.labels.n, 2);
	assert_string_equal(t.labels.items[1], "b=2");
	options_fini(&spec, &t);
	options_fini(&spec, &t);
}

static void takes_every_kind_from_the_command_line(void **state)
{
	struct target t;
	struct err err;

	(void)state;
	assert_true(parse("-c f --api-listen fd:7 -v --workers=4 --drain-delay 1m "
	                  "--api-advertise a.b:1 --api-advertise [::1]:2 -l x",
	                  &t, &err));
	assert_string_equal(t.config, "f");
	assert_string_equal(t.listen, "fd:7");
	assert_true(t.verbose);
	assert_int_equal(t.workers, 4);
	assert_int_equal(t.delay_ms, 60000);
	assert_int_equal(t.advertise.n, 2);
	assert_string_equal(t.advertise.items[1], "[::1]:2");
	assert_int_equal(t.labels.n, 1);
	options_fini(&spec, &t);
}

static void puts_the_environment_between_default_and_command_line(void **state)
{
	struct target t;
	struct err err;

	(void)state;
	setenv("FEDWAY_WORKERS", "8", 1);
	setenv("FEDWAY_API_ADVERTISE", "a:1,b:2", 1);
	setenv("FEDWAY_VERBOSE", "true", 1);
	setenv("FEDWAY_CONFIG", "", 1);
	assert_true(parse("--api-advertise c:3", &t, &err));
	assert_int_equal(t.workers, 8);
	assert_int_equal(t.advertise.n, 1);
	assert_string_equal(t.advertise.items[0], "c:3");
	assert_false(t.verbose);
	assert_null(t.config);
	options_fini(&spec, &t);
	assert_true(parse("--workers 2", &t, &err));
	assert_int_equal(t.workers, 2);
	assert_int_equal(t.advertise.n, 2);
	options_fini(&spec, &t);
	setenv("FEDWAY_WORKERS", "many", 1);
	assert_false(parse("", &t, &err));
	assert_string_equal(err.msg, "FEDWAY_WORKERS: 'many' will not do: "
	                             "write a whole number such as 3");
	unsetenv("FEDWAY_WORKERS");
	unsetenv("FEDWAY_API_ADVERTISE");
	unsetenv("FEDWAY_VERBOSE");
	unsetenv("FEDWAY_CONFIG");
}

static void refuses_and_names_the_fix(void **state)
{
	static const struct {
		const char *words;
		const char *says;
	} cases[] = {
		{"--nope", "unknown option '--nope': see fedwayd --help"},
		{"--api-lisen=1", "unknown option '--api-lisen=1': did you mean --api-listen?"},
		{"-x", "unknown option '-x': see fedwayd --help"},
		{"--config", "--config needs an argument: FILE"},
		{"-c", "--config needs an argument: FILE"},
		{"--verbose=yes", "--verbose takes no argument"},
		{"--drain-delay 5", "--drain-delay: '5' will not do: write a duration such as"},
		{"--api-listen :80", "--api-listen: ':80' will not do: write ADDR:PORT"},
		{"--api-listen fd:x", "--api-listen: 'fd:x' will not do"},
		{"--api-advertise a", "--api-advertise: 'a' will not do: write HOST:PORT"},
		{"--api-advertise a:0", "--api-advertise: 'a:0' will not do"},
		{"--api-advertise ::1:5", "--api-advertise: '::1:5' will not do"},
		{"--api-advertise b:1 http://a:1", "unexpected argument 'http://a:1'"},
		{"--workers -1", "--workers: '-1' will not do"},
		{"extra", "unexpected argument 'extra': see fedwayd --help"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct target t;
		struct err err = {0};
		assert_row(cases[i].words, !parse(cases[i].words, &t, &err));
		if (strncmp(err.msg, cases[i].says, strlen(cases[i].says)) != 0)
			fail_msg("'%s': %s", cases[i].words, err.msg);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void hands_operands_on(void **state)
{
	struct options_spec with = spec;
	struct target t;
	struct err err;

	(void)state;
	with.operands = "COMMAND";
	assert_true(parse_with(&with, "a -v b", &t, &err));
	assert_true(t.verbose);
	assert_int_equal(t.head.n_args, 2);
	assert_string_equal(t.head.args[1], "b");
	options_fini(&with, &t);
	with.stop_at_operand = true;
	assert_true(parse_with(&with, "a -v b", &t, &err));
	assert_false(t.verbose);
	assert_int_equal(t.head.n_args, 3);
	options_fini(&with, &t);
}

static void asks_for_help_and_version(void **state)
{
	struct target t;
	struct err err;

	(void)state;
	assert_true(parse("--help extra", &t, &err));
	assert_int_equal(t.head.wish, OPTIONS_HELP);
	options_fini(&spec, &t);
	assert_true(parse("-h", &t, &err));
	assert_int_equal(t.head.wish, OPTIONS_HELP);
	options_fini(&spec, &t);
	assert_true(parse("--version", &t, &err));
	assert_int_equal(t.head.wish, OPTIONS_VERSION);
	options_fini(&spec, &t);
}

static void writes_help_from_the_table(void **state)
{
	static const char *const parts[] = {
		"Usage: fedwayd [OPTION...]\n\nHosts the control plane.\n",
		"  -c, --config FILE\n      Read FILE.\n",
		"  --drain-delay TIME\n      Wait this long before the listeners close, so that "
		"everybody who still\n      comes by an old address is answered.\n"
		"      Default: 5s\n",
		"What others dial.\n      May be given several times.\n",
		"FEDWAY_SOME_NAME",
	};
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	options_format_help(&spec, &out);
	for (size_t i = 0; i < N_ELEMS(parts); i++) {
		if (strstr(buf_text(&out), parts[i]) == NULL)
			fail_msg("no '%s' in:\n%s", parts[i], buf_text(&out));
	}
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_the_defaults),
		cmocka_unit_test(takes_every_kind_from_the_command_line),
		cmocka_unit_test(puts_the_environment_between_default_and_command_line),
		cmocka_unit_test(refuses_and_names_the_fix),
		cmocka_unit_test(hands_operands_on),
		cmocka_unit_test(asks_for_help_and_version),
		cmocka_unit_test(writes_help_from_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
