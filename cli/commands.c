/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "common.h"

const struct command commands[] = {
	{"status", "the health of the mesh on one screen", &cmd_status_spec, CLI_SIZE, cmd_status},
	{"why", "where calls to a service go, and why", &cmd_why_spec, CLI_SIZE, cmd_why},
	{"cluster join", "make a cluster a member", &cmd_cluster_join_spec, CLI_SIZE,
         cmd_cluster_join},
	{"cluster leave", "take a member out", &cmd_cluster_leave_spec, CLI_SIZE,
         cmd_cluster_leave},
	{"cluster list", "the members", &cmd_cluster_list_spec, CLI_SIZE, cmd_cluster_list},
	{"certs status", "when certificates expire", &cmd_certs_status_spec, CLI_SIZE,
         cmd_certs_status},
	{"get", "objects, as kubectl shows them", &cmd_get_spec, CLI_SIZE, cmd_get},
	{"help", "on a cause, exit codes, a command", &cmd_help_spec, CLI_SIZE, cmd_help},
	{"version", "which version this is", &cmd_version_spec, CLI_SIZE, cmd_version},
	{"lab up", "three clusters on this machine, without Kubernetes", &cmd_lab_up_spec,
         CMD_LAB_SIZE, cmd_lab_up},
	{"lab down", "end the lab and every process in it", &cmd_lab_down_spec, CMD_LAB_SIZE,
         cmd_lab_down},
	{"lab exec", "run a program inside a host of the lab", &cmd_lab_exec_spec, CMD_LAB_SIZE,
         cmd_lab_exec},
	{"lab cut", "drop every packet between two hosts", &cmd_lab_cut_spec, CMD_LAB_SIZE,
         cmd_lab_cut},
	{"lab heal", "take a cut back", &cmd_lab_heal_spec, CMD_LAB_SIZE, cmd_lab_heal},
	{"lab helloworld", "workload that answers over mesh TLS", &cmd_lab_helloworld_spec,
         CMD_LAB_SIZE, cmd_lab_helloworld},
	{"lab sleep", "workload that asks over mesh TLS", &cmd_lab_sleep_spec, CMD_LAB_SIZE,
         cmd_lab_sleep},
	{NULL, NULL, NULL, 0, NULL},
};
