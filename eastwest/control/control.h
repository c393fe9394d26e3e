/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - the control loop of fedway-gateway: configuration, workers, checks, doors for
 * operators.
 */
#pragma once

#include <stdint.h>

#include "base/options.h"

struct ew_options {
	struct options_head head;
	const char *config;
	uint64_t drain_delay_ms;
	uint64_t drain_timeout_ms;
	const char *log_level;
	bool log_json;
	bool no_sandbox;
};

extern const struct options_spec ew_options_spec;

/* Runs until a signal ends it. Returns the exit status; whatever is wrong was logged. */
int ew_control_run(const struct ew_options *options);
