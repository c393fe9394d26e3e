/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon - fedwayd as a whole: the hosted API (or a client of an external one), then controllers,
 * then the face towards gateways, in this order, each started when what it needs is there.
 */
#pragma once

#include "base/options.h"

struct daemon_options {
	struct options_head head;
	const char *data_dir;
	const char *kubeconfig;
	const char *api_listen;
	struct options_list api_advertise;
	const char *xds_listen;
	struct options_list xds_advertise;
	const char *metrics_listen;
	const char *role;
	const char *log_level;
	bool log_json;
};

extern const struct options_spec daemon_options_spec;

/* Until SIGTERM or SIGINT. Returns the exit status. */
int daemon_run(const struct daemon_options *options);
