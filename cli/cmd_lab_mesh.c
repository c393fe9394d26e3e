/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_lab.h"
#include "lab_inside.h"
#include "lab_kubelet.h"
#include "lab_members.h"
#include "lab_mesh.h"
#include "lab_start.h"
#include "lab_status.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

static_assert(sizeof(struct lab_options) <= CLI_SIZE, "fits");

static const struct options_row up_rows[] = {
	LAB_DIR_ROW,
	LAB_ROW("net-only", OPTIONS_BOOL, NULL, NULL, "namespaces and links, no programs",
                net_only),
	LAB_ROW("members", OPTIONS_TEXT, "FILE", NULL,
                "use API servers that run inside already: a line 'CLUSTER: KUBECONFIG' for each",
                members),
	CLI_LOOK_ROWS,
};
static const struct options_row status_rows[] = {LAB_DIR_ROW, CLI_LOOK_ROWS};
static const struct options_row start_rows[] = {LAB_DIR_ROW};
static const struct options_row kubelet_rows[] = {
	LAB_DIR_ROW,
	LAB_ROW("slices", OPTIONS_BOOL, NULL, NULL,
                "write EndpointSlices as well, where no kube-controller-manager does", slices),
};

const struct options_spec cmd_lab_up_spec = {
	.program = "fedway lab up",
	.about = "Three clusters as one mesh on this machine: API servers, fedwayd, gateways, "
		 "probes and workloads in namespaces of their own. Nothing of the host's network "
		 "is changed. What runs already is left alone.",
	.rows = up_rows,
	.n_rows = N_ELEMS(up_rows),
};
const struct options_spec cmd_lab_status_spec = {
	.program = "fedway lab status",
	.about = "What runs in the lab. Ends with 3 when a program does not.",
	.rows = status_rows,
	.n_rows = N_ELEMS(status_rows),
};
const struct options_spec cmd_lab_start_spec = {
	.program = "fedway lab start",
	.operands = "HOST PROGRAM",
	.about = "Starts a program of the lab that has ended; `lab status` names them.",
	.rows = start_rows,
	.n_rows = N_ELEMS(start_rows),
};
const struct options_spec cmd_lab_kubelet_spec = {
	.program = "fedway lab kubelet",
	.operands = "HOST",
	.about = "Plays the kubelet of one cluster, from inside its host: Node and Pods, ready as "
		 "long as they listen, their tokens and trust bundles.",
	.rows = kubelet_rows,
	.n_rows = N_ELEMS(kubelet_rows),
};

/* --- up --------------------------------------------------------------------------------------- */

static bool bring_up(void *arg, struct err *err)
{
	return lab_mesh_bring_up(arg, err);
}

static bool make_network(const struct lab_options *options, const char *dir, struct look look,
                         struct err *err)
{
	char mark[LOOK_MARK_MAX];
	if (lab_pid(dir) != 0 && !options->net_only)
		return true;
	if (!lab_up(dir, err))
		return false;
	printf("  %s %-14s control, cluster1, cluster2, cluster3\n",
	       look_mark(look, MARK_PASS, mark), "network");
	return true;
}

/* The folder is told where it is not the usual one. */
static void tell_use(const char *dir, int64_t took_ms)
{
	static const char *const uses[] = {
		"exec control fedway status",
		"exec control kubectl get clusters.fedway.io      # or: fedway get clusters",
		"exec cluster1/sleep fedway lab workload sleep --calls 9",
		"cut cluster1 cluster2      # and heal",
		"status",
		"down",
	};
	printf("\nUp after %.1f s. The control plane answers inside the lab; its kubeconfig is\n"
	       "%s/control/kubeconfig. Try:\n\n",
	       (double)took_ms / 1000, dir);
	for (size_t i = 0; i < N_ELEMS(uses); i++) {
		if (strcmp(dir, "/tmp/fedway-lab") == 0)
			printf("  fedway lab %s\n", uses[i]);
		else
			printf("  FEDWAY_DIR=%s fedway lab %s\n", dir, uses[i]);
	}
}

/* They were started inside, after the network and in place of ours. */
static bool may_adopt(const char *dir, struct err *err)
{
	if (lab_pid(dir) == 0)
		return err_set(err, ERR_INVALID,
		               "the API servers of --members run inside the lab: first 'fedway lab "
		               "up --net-only', then start them with 'fedway lab exec'");
	if (lab_program_pid(dir, "cluster1", "kube") != 0)
		return err_set(err, ERR_INVALID,
		               "this lab has API servers of its own; end it first (fedway lab "
		               "down)");
	return true;
}

static bool make_mesh(const struct lab_options *options, const char *dir, struct look look,
                      struct err *err)
{
	char bin[LAB_PATH_MAX];
	if (options->members != NULL && !lab_members_adopt(dir, options->members, err))
		return false;
	struct lab_mesh_config config = {.dir = dir,
	                                 .bin = lab_bin(bin),
	                                 .embedded = !lab_members_are_external(dir),
	                                 .look = look};
	return lab_inside(dir, bring_up, &config, err);
}

int cmd_lab_up(void *arg)
{
	const struct lab_options *options = arg;
	char dir[LAB_PATH_MAX];
	struct look look;
	struct err err;
	int64_t began_ms = clock_now_ms();
	if (options->members != NULL && options->net_only)
		return cli_usage("--net-only makes nothing that --members could be for");
	if (!look_make(&options->common, &look, &err))
		return cli_usage("%s", err.msg);
	if (!cmd_lab_dir(options, dir, &err) ||
	    (options->members != NULL && !may_adopt(dir, &err)) ||
	    !make_network(options, dir, look, &err))
		return cli_fail(&err);
	if (options->net_only)
		return EXIT_DONE;
	if (!make_mesh(options, dir, look, &err))
		return cli_fail(&err);
	tell_use(dir, clock_now_ms() - began_ms);
	return EXIT_DONE;
}

/* --- status ----------------------------------------------------------------------------------- */

static bool all_run(const json_t *status)
{
	const json_t *programs = json_object_get(status, "programs");
	for (size_t i = 0; i < json_array_size(programs); i++) {
		const json_t *program = json_array_get(programs, i);
		if (strcmp(json_str_at(program, "state", ""), "Running") != 0)
			return false;
	}
	return true;
}

int cmd_lab_status(void *arg)
{
	const struct lab_options *options = arg;
	char dir[LAB_PATH_MAX];
	struct look look;
	struct err err;
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	if (!look_make(&options->common, &look, &err))
		return cli_usage("%s", err.msg);
	if (!cmd_lab_dir(options, dir, &err))
		return cli_fail(&err);
	json_t *status CLEANUP(json_cleanup) =
		lab_status_gather(dir, !lab_members_are_external(dir), &err);
	if (status == NULL)
		return cli_fail(&err);
	if (look.form == LOOK_JSON || look.form == LOOK_YAML)
		look_print_json(look, status);
	else
		lab_status_format(status, look, &text);
	look_print(&text);
	return all_run(status) ? EXIT_DONE : EXIT_FOUND;
}

/* --- programs --------------------------------------------------------------------------------- */

struct starting {
	struct lab_place place;
	const struct lab_program *program;
	const char *bin;
};

static bool start_one(void *arg, struct err *err)
{
	const struct starting *starting = arg;
	return lab_start(&starting->place, starting->program, starting->bin, err) &&
	       lab_start_wait(&starting->place, starting->program, err);
}

int cmd_lab_start(void *arg)
{
	const struct lab_options *options = arg;
	const struct options_head *head = &options->common.head;
	char dir[LAB_PATH_MAX];
	char bin[LAB_PATH_MAX];
	struct err err;
	if (head->n_args != 2)
		return cli_usage("lab start needs a host and a program (fedway lab status)");
	const struct lab_host *host = cmd_lab_host(head->args[0]);
	if (host == NULL)
		return EXIT_USAGE;
	if (!cmd_lab_dir(options, dir, &err))
		return cli_fail(&err);
	struct starting starting = {.place = {dir, host, !lab_members_are_external(dir)},
	                            .bin = lab_bin(bin)};
	starting.program = lab_program_find(head->args[1], host, starting.place.embedded);
	if (starting.program == NULL)
		return cli_usage("the lab has no program '%s' on %s (fedway lab status)",
		                 head->args[1], host->name);
	return lab_inside(dir, start_one, &starting, &err) ? EXIT_DONE : cli_fail(&err);
}

int cmd_lab_kubelet(void *arg)
{
	const struct lab_options *options = arg;
	const struct options_head *head = &options->common.head;
	char dir[LAB_PATH_MAX];
	struct err err;
	if (head->n_args != 1)
		return cli_usage("lab kubelet needs the host of a cluster");
	const struct lab_host *host = cmd_lab_host(head->args[0]);
	if (host == NULL || host->number == 0)
		return cli_usage("lab kubelet needs the host of a cluster");
	if (!cmd_lab_dir(options, dir, &err))
		return cli_fail(&err);
	log_set_level(LOG_INFO);
	struct lab_kubelet_config config = {host, dir, options->slices};
	return lab_kubelet_run(&config, &err) ? EXIT_DONE : cli_fail(&err);
}
