/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "lab.h"

#include <assert.h>
#include <stdio.h>
#include <sys/wait.h>

struct lab_options {
	struct options_head head;
	const char *dir;
};

static_assert(sizeof(struct lab_options) <= CMD_LAB_SIZE, "fits");

static const struct options_row rows[] = {
	{.name = "dir",
         .kind = OPTIONS_TEXT,
         .arg = "DIR",
         .dflt = "/tmp/fedway-lab",
         .help = "where the lab keeps its pid",
         .offset = offsetof(struct lab_options, dir)},
};

#define LAB_SPEC(words, takes, says, stops)                                                        \
	{                                                                                          \
		.program = "fedway " words, .operands = takes, .about = says,                      \
		.stop_at_operand = stops, .rows = rows, .n_rows = 1                                \
	}

const struct options_spec cmd_lab_up_spec = LAB_SPEC(
	"lab up", NULL,
	"Makes three clusters' networks inside namespaces of their own; nothing of the host's "
	"network is changed.",
	false);
const struct options_spec cmd_lab_down_spec =
	LAB_SPEC("lab down", NULL, "Ends the lab and every process in it.", false);
const struct options_spec cmd_lab_exec_spec =
	LAB_SPEC("lab exec", "HOST COMMAND...",
                 "Runs a program inside a host: control, cluster1, cluster2 or cluster3.", true);
const struct options_spec cmd_lab_cut_spec =
	LAB_SPEC("lab cut", "HOST HOST", "Drops every packet between two hosts, silently.", false);
const struct options_spec cmd_lab_heal_spec =
	LAB_SPEC("lab heal", "HOST HOST", "Takes a cut back.", false);

static int end(bool ok, const struct err *err)
{
	return ok ? EXIT_DONE : cli_fail(err);
}

static int usage(const char *what)
{
	fprintf(stderr, "fedway: %s\n", what);
	return EXIT_USAGE;
}

int cmd_lab_up(void *arg)
{
	const struct lab_options *options = arg;
	struct err err;
	if (!lab_up(options->dir, &err))
		return cli_fail(&err);
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++)
		printf("%-10s %-12s %-16s %-15s %s\n", host->name, host->wan,
		       host->pods[0] != '\0' ? host->pods : "-", host->cluster, host->locality);
	return EXIT_DONE;
}

int cmd_lab_down(void *arg)
{
	const struct lab_options *options = arg;
	struct err err;
	return end(lab_down(options->dir, &err), &err);
}

int cmd_lab_exec(void *arg)
{
	const struct lab_options *options = arg;
	struct err err;
	int status;
	if (options->head.n_args < 2)
		return usage("lab exec needs a host and a command");
	if (!lab_exec(options->dir, options->head.args[0], options->head.args + 1, &status, &err))
		return cli_fail(&err);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int on_two_hosts(const struct lab_options *options,
                        bool (*act)(const char *dir, const char *a, const char *b, struct err *err))
{
	struct err err;
	const struct lab_host *hosts[2];
	if (options->head.n_args != 2)
		return usage("two hosts are needed");
	for (int i = 0; i < 2; i++) {
		hosts[i] = lab_host_find(options->head.args[i]);
		if (hosts[i] == NULL)
			return usage("hosts are control, cluster1, cluster2, cluster3");
	}
	return end(act(options->dir, hosts[0]->name, hosts[1]->name, &err), &err);
}

int cmd_lab_cut(void *arg)
{
	return on_two_hosts(arg, lab_cut);
}

int cmd_lab_heal(void *arg)
{
	return on_two_hosts(arg, lab_heal);
}
