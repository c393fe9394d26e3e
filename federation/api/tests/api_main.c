/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedway-api-test --data-dir DIR [--listen ADDR:PORT] [--debug]: the hosted API alone, for tests.
 * Ends on SIGTERM and SIGINT.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "base/loop.h"

static void on_signal(void *arg)
{
	loop_stop(arg);
}

static bool parse(int argc, char **argv, struct api_options *options)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--debug") == 0)
			log_set_level(LOG_DEBUG);
		else if (strcmp(argv[i], "--data-dir") == 0 && i + 1 < argc)
			options->data_dir = argv[++i];
		else if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc)
			options->listen = argv[++i];
		else
			return false;
	}
	return options->data_dir != NULL;
}

int main(int argc, char **argv)
{
	struct err err;
	struct api_options options = {.listen = "127.0.0.1:0"};
	if (!parse(argc, argv, &options)) {
		fprintf(stderr, "usage: %s --data-dir DIR [--listen ADDR:PORT] [--debug]\n",
		        argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	struct loop *loop = loop_create();
	struct loop_signal *term = loop_signal_create(loop, SIGTERM, on_signal, loop);
	struct loop_signal *interrupt = loop_signal_create(loop, SIGINT, on_signal, loop);
	struct api *api = api_create(loop, &options, &err);
	if (api != NULL)
		loop_run(loop);
	else
		log_error("api", "%s", err.msg);
	api_destroy(api);
	loop_signal_destroy(term);
	loop_signal_destroy(interrupt);
	loop_destroy(loop);
	return api != NULL ? 0 : 1;
}
