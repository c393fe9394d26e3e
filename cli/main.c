/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

enum {
	HELP_MAX = 64 << 10
};

static int print_list(FILE *to, int status)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, HELP_MAX);
	command_list(&text);
	fputs(buf_text(&text), to);
	return status;
}

static int run(const struct command *command, int argc, char **argv)
{
	void *options = xcalloc(1, command->size);
	int status = options_start(command->spec, argc, argv, options);
	if (status < 0)
		status = command->run(options);
	options_fini(command->spec, options);
	free(options);
	return status;
}

static int unknown(int argc, char **argv)
{
	const struct command *nearest = command_nearest(argc, argv);
	fprintf(stderr, "fedway: unknown command '%s%s%s'%s%s%s\n", argv[0],
	        argc > 1 && argv[1][0] != '-' ? " " : "",
	        argc > 1 && argv[1][0] != '-' ? argv[1] : "",
	        nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest->words : "",
	        nearest != NULL ? "'?" : "");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int n_words;
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_WARN);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_list(argc < 2 ? stderr : stdout, argc < 2 ? EXIT_USAGE : EXIT_DONE);
	if (strcmp(argv[1], "--version") == 0) {
		puts("fedway " FEDWAY_VERSION);
		return EXIT_DONE;
	}
	const struct command *command = command_find(argc - 1, argv + 1, &n_words);
	/* options_parse takes argv[0] for the program's name: the last word stands there */
	return command != NULL ? run(command, argc - n_words, argv + n_words)
	                       : unknown(argc - 1, argv + 1);
}
