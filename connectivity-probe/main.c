/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include <signal.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/options.h"

struct options {
	struct options_head head;
	const char *config;
	bool log_json;
};

static const struct options_row rows[] = {
	{.name = "config",
         .kind = OPTIONS_TEXT,
         .arg = "FILE",
         .dflt = "/etc/fedway/probe.yaml",
         .help = "a ProbeConfig",
         .offset = offsetof(struct options, config)},
	{.name = "log-json",
         .kind = OPTIONS_BOOL,
         .help = "log lines as JSON",
         .offset = offsetof(struct options, log_json)},
};

static const struct options_spec spec = {
	.program = "fedway-probe",
	.about = "Checks which clusters this one reaches through the gateways, and answers the "
		 "checks of others.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

static void on_signal(void *loop)
{
	loop_stop(loop);
}

static bool run(const char *path, struct err *err)
{
	struct probe_config config;
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, PROBE_CONFIG_TEXT_MAX);
	if (!file_load(path, &text, err) || !probe_config_parse(buf_str(&text), path, &config, err))
		return false;
	struct loop *loop = loop_create();
	struct loop_signal *term = loop_signal_create(loop, SIGTERM, on_signal, loop);
	struct loop_signal *interrupt = loop_signal_create(loop, SIGINT, on_signal, loop);
	struct probe_daemon *daemon = probe_daemon_create(loop, &config, err);
	bool ok = daemon != NULL;
	if (ok)
		loop_run(loop);
	probe_daemon_destroy(daemon);
	loop_signal_destroy(interrupt);
	loop_signal_destroy(term);
	loop_destroy(loop);
	probe_config_fini(&config);
	return ok;
}

int main(int argc, char **argv)
{
	struct options options;
	struct err err;
	int status = options_start(&spec, argc, argv, &options);
	if (status < 0) {
		log_set_json(options.log_json);
		status = run(options.config, &err) ? 0 : 1;
		if (status != 0)
			log_error("probe", "%s", err.msg);
	}
	options_fini(&spec, &options);
	return status;
}
