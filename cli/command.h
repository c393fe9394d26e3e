/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command - the words of `fedway`, one row each: `fedway cluster join NAME …` is the row
 * "cluster join". Usage, help and "did you mean" come from the table.
 */
#pragma once

#include "base/options.h"

/* Exit status of every command (fedway help exit-codes). */
#define CLI_EXITS(X)                                                                               \
	X(EXIT_DONE, 0, "done, or everything asked for is healthy (warnings allowed)")             \
	X(EXIT_FAILED, 1, "server refused or operation failed")                                    \
	X(EXIT_USAGE, 2, "bad usage")                                                              \
	X(EXIT_FOUND, 3, "ran fine, errors found")                                                 \
	X(EXIT_WARNED, 4, "ran fine, warnings found and --fail-on=warning")                        \
	X(EXIT_TIMEOUT, 5, "timed out waiting")                                                    \
	X(EXIT_UNREACHABLE, 6, "control plane unreachable")                                        \
	X(EXIT_REFUSED, 7, "refused by a safety rule, or confirmation needed and no terminal")     \
	X(EXIT_CONFLICT, 8, "conflict: object changed since the plan was made")

enum cli_exit {
#define X(name, value, text) name = (value),
	CLI_EXITS(X)
#undef X
};

struct command {
	const char *words; /* "lab up" */
	const char *about; /* half a line, for the list */
	const struct options_spec *spec;
	size_t size; /* of the options struct, which begins with struct options_head */
	int (*run)(void *options);
};

/* Sorted by purpose, ends with words NULL. */
extern const struct command commands[];

/* The row whose words argv begins with (the longest), and how many words that were. NULL: none. */
const struct command *command_find(int argc, char **argv, int *ret_n_words);
/* The row that was probably meant, NULL: nothing is near. */
const struct command *command_nearest(int argc, char **argv);
void command_list(struct buf *out);

/* Prints "fedway: MESSAGE" to stderr and returns the exit status of the code. */
int cli_fail(const struct err *err);

/* The rows, one file a group. */
int cmd_why(void *options);
int cmd_status(void *options);
int cmd_certs_status(void *options);
int cmd_cluster_join(void *options);
int cmd_cluster_leave(void *options);
int cmd_cluster_list(void *options);
int cmd_interconnect_status(void *options);
int cmd_interconnect_join(void *options);
int cmd_interconnect_leave(void *options);
int cmd_connectivity_run(void *options);
int cmd_connectivity_matrix(void *options);
int cmd_gateway_trace(void *options);
int cmd_gateway_top(void *options);
int cmd_gateway_list(void *options);
int cmd_certs_issue(void *options);
int cmd_get(void *options);
int cmd_help(void *options);
int cmd_version(void *options);
extern const struct options_spec cmd_why_spec;
extern const struct options_spec cmd_status_spec;
extern const struct options_spec cmd_certs_status_spec;
extern const struct options_spec cmd_cluster_join_spec;
extern const struct options_spec cmd_cluster_leave_spec;
extern const struct options_spec cmd_cluster_list_spec;
extern const struct options_spec cmd_interconnect_status_spec;
extern const struct options_spec cmd_interconnect_join_spec;
extern const struct options_spec cmd_interconnect_leave_spec;
extern const struct options_spec cmd_connectivity_run_spec;
extern const struct options_spec cmd_connectivity_matrix_spec;
extern const struct options_spec cmd_gateway_trace_spec;
extern const struct options_spec cmd_gateway_top_spec;
extern const struct options_spec cmd_gateway_list_spec;
extern const struct options_spec cmd_certs_issue_spec;
extern const struct options_spec cmd_get_spec;
extern const struct options_spec cmd_help_spec;
extern const struct options_spec cmd_version_spec;
int cmd_lab_up(void *options);
int cmd_lab_status(void *options);
int cmd_lab_down(void *options);
int cmd_lab_exec(void *options);
int cmd_lab_start(void *options);
int cmd_lab_cut(void *options);
int cmd_lab_heal(void *options);
int cmd_lab_kubelet(void *options);
int cmd_lab_workload_helloworld(void *options);
int cmd_lab_workload_sleep(void *options);
extern const struct options_spec cmd_lab_up_spec;
extern const struct options_spec cmd_lab_status_spec;
extern const struct options_spec cmd_lab_down_spec;
extern const struct options_spec cmd_lab_exec_spec;
extern const struct options_spec cmd_lab_start_spec;
extern const struct options_spec cmd_lab_cut_spec;
extern const struct options_spec cmd_lab_heal_spec;
extern const struct options_spec cmd_lab_kubelet_spec;
extern const struct options_spec cmd_lab_workload_helloworld_spec;
extern const struct options_spec cmd_lab_workload_sleep_spec;
