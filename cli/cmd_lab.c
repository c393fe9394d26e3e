/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lab's network and what is run in it; cmd_lab_mesh.c has the mesh on top.
 */
#include "cmd_lab.h"

#include "lab_inside.h"
#include "lab_net.h"
#include "lab_pods.h"
#include "lab_start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

static const struct options_row rows[] = {LAB_DIR_ROW};

#define LAB_SPEC(words, takes, says, stops)                                                        \
	{                                                                                          \
		.program = "fedway " words, .operands = takes, .about = says,                      \
		.stop_at_operand = stops, .rows = rows, .n_rows = N_ELEMS(rows)                    \
	}

const struct options_spec cmd_lab_down_spec =
	LAB_SPEC("lab down", NULL, "Ends the lab and every process in it. Its files stay.", false);
const struct options_spec cmd_lab_exec_spec =
	LAB_SPEC("lab exec", "HOST[/POD] COMMAND...",
                 "Runs a program inside a host (control, cluster1, cluster2 or cluster3), with "
                 "KUBECONFIG set for it; cluster1/sleep: in the folder of that Pod.",
                 true);
const struct options_spec cmd_lab_cut_spec =
	LAB_SPEC("lab cut", "HOST HOST", "Drops every packet between two hosts, silently.", false);
const struct options_spec cmd_lab_heal_spec =
	LAB_SPEC("lab heal", "HOST HOST", "Takes a cut back.", false);

bool cmd_lab_dir(const struct lab_options *options, char ret_dir[LAB_PATH_MAX], struct err *err)
{
	char cwd[LAB_PATH_MAX] = "";
	bool is_whole = options->dir[0] == '/';
	if (!is_whole && getcwd(cwd, sizeof(cwd)) == NULL)
		return err_set(err, ERR_IO, "no working folder");
	int n = snprintf(ret_dir, LAB_PATH_MAX, "%s%s%s", cwd, is_whole ? "" : "/", options->dir);
	if (n < 0 || n >= LAB_PATH_MAX)
		return err_set(err, ERR_INVALID, "--dir '%s' is too long", options->dir);
	while (n > 1 && ret_dir[n - 1] == '/')
		ret_dir[--n] = '\0';
	if (strncmp(ret_dir, "/run/", 5) == 0)
		return err_set(err, ERR_INVALID,
		               "--dir '%s': the lab has a /run of its own; give another folder",
		               ret_dir);
	return true;
}

const struct lab_host *cmd_lab_host(const char *name)
{
	const struct lab_host *host = lab_host_find(name);
	if (host == NULL)
		fprintf(stderr,
		        "fedway: hosts are control, cluster1, cluster2, cluster3, not "
		        "'%s'\n",
		        name);
	return host;
}

int cmd_lab_down(void *arg)
{
	char dir[LAB_PATH_MAX];
	struct err err;
	return cmd_lab_dir(arg, dir, &err) && lab_down(dir, &err) ? EXIT_DONE : cli_fail(&err);
}

/* --- exec ------------------------------------------------------------------------------------- */

/* Programs of ours are found first, and the host's API server is the one that kubectl asks. */
static void set_environment(const char *dir, const struct lab_host *host, const char *pod)
{
	char bin[LAB_PATH_MAX];
	const char *path = getenv("PATH");
	char *paths CLEANUP(free_ptr) =
		xasprintf("%s:%s", lab_bin(bin), path != NULL ? path : "/usr/sbin:/usr/bin");
	char *config CLEANUP(free_ptr) = xasprintf("%s/%s/kubeconfig", dir, host->name);
	char *via CLEANUP(free_ptr) = xasprintf("%s.0.2:15444", host->prefix);
	setenv("PATH", paths, 1);
	setenv("KUBECONFIG", config, 1);
	if (pod != NULL)
		setenv("FEDWAY_VIA", via, 1);
}

/* HOST or HOST/POD; pod is NULL in the first case. */
static const struct lab_host *find_place(const char *text, const char **ret_pod)
{
	const char *slash = strchr(text, '/');
	char *name CLEANUP(free_ptr) =
		xstrndup(text, slash != NULL ? (size_t)(slash - text) : strlen(text));
	const struct lab_host *host = cmd_lab_host(name);
	*ret_pod = slash != NULL ? slash + 1 : NULL;
	if (host == NULL || slash == NULL)
		return host;
	if (host->number != 0 && lab_pod_find(slash + 1) != NULL)
		return host;
	fprintf(stderr,
	        "fedway: Pods are gateway, probe, helloworld, sleep of a cluster, not "
	        "'%s'\n",
	        text);
	return NULL;
}

int cmd_lab_exec(void *arg)
{
	const struct lab_options *options = arg;
	const struct options_head *head = &options->common.head;
	const char *pod;
	char dir[LAB_PATH_MAX];
	struct err err;
	int status;
	if (head->n_args < 2)
		return cli_usage("lab exec needs a host and a command");
	const struct lab_host *host = find_place(head->args[0], &pod);
	if (host == NULL)
		return EXIT_USAGE;
	if (!cmd_lab_dir(options, dir, &err))
		return cli_fail(&err);
	char *folder CLEANUP(free_ptr) =
		pod != NULL ? xasprintf("%s/%s/%s", dir, host->name, pod) : NULL;
	set_environment(dir, host, pod);
	return lab_exec(dir, host, folder, head->args + 1, &status, &err) ? status : cli_fail(&err);
}

/* --- links ------------------------------------------------------------------------------------ */

struct link {
	const char *a;
	const char *b;
	bool (*act)(const char *a, const char *b, struct err *err);
};

static bool act_on_link(void *arg, struct err *err)
{
	const struct link *link = arg;
	return link->act(link->a, link->b, err);
}

static int on_link(const struct lab_options *options,
                   bool (*act)(const char *a, const char *b, struct err *err))
{
	char dir[LAB_PATH_MAX];
	struct err err;
	const struct lab_host *hosts[2];
	if (options->common.head.n_args != 2)
		return cli_usage("two hosts are needed");
	for (int i = 0; i < 2; i++) {
		hosts[i] = cmd_lab_host(options->common.head.args[i]);
		if (hosts[i] == NULL)
			return EXIT_USAGE;
	}
	struct link link = {hosts[0]->name, hosts[1]->name, act};
	bool ok = cmd_lab_dir(options, dir, &err) && lab_inside(dir, act_on_link, &link, &err);
	return ok ? EXIT_DONE : cli_fail(&err);
}

int cmd_lab_cut(void *arg)
{
	return on_link(arg, lab_net_cut);
}

int cmd_lab_heal(void *arg)
{
	return on_link(arg, lab_net_heal);
}
