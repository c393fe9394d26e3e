/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_lab - what the commands of the lab share.
 */
#pragma once

#include "command.h"
#include "common.h"
#include "lab.h"

struct lab_options {
	struct cli_common common;
	const char *dir;
	const char *members; /* lab up */
	bool net_only;
	bool slices; /* lab kubelet */
};

#define LAB_ROW(option, type, shown, value, says, field)                                           \
	{                                                                                          \
		.name = option, .no_env = true, .kind = type, .arg = shown, .dflt = value,         \
		.help = says, .offset = offsetof(struct lab_options, field)                        \
	}

#define LAB_DIR_ROW                                                                                \
	{                                                                                          \
		.name = "dir", .kind = OPTIONS_TEXT, .arg = "DIR", .dflt = "/tmp/fedway-lab",      \
		.help = "where the lab keeps its files",                                           \
		.offset = offsetof(struct lab_options, dir)                                        \
	}

/* The lab's folder as an absolute path. */
MUST_CHECK
bool cmd_lab_dir(const struct lab_options *options, char ret_dir[LAB_PATH_MAX], struct err *err);
/* NULL: said to stderr that there is no such host. */
const struct lab_host *cmd_lab_host(const char *name);
