/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preflight (reads only) → plan → yes → Secret, group, Cluster → progress by watching → verify.
 * Every step may be repeated: the same command again continues where things stand.
 */
#include "command.h"
#include "join.h"
#include "preflight.h"
#include "remote.h"
#include "resources.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

enum {
	MESSAGE_MAX = 700
};

struct join_options {
	struct cli_common common;
	const char *kubeconfig;
	const char *context;
	const char *group;
	const char *region;
	const char *zone;
	const char *subzone;
	bool pause;
	bool pre;
	bool dry_run;
};

static_assert(sizeof(struct join_options) <= CLI_SIZE, "fits");

#define ROW(option, type, shown, says, field)                                                      \
	{                                                                                          \
		.name = option, .no_env = true, .kind = type, .arg = shown, .help = says,          \
		.offset = offsetof(struct join_options, field)                                     \
	}

static const struct options_row rows[] = {
	ROW("cluster-kubeconfig", OPTIONS_TEXT, "FILE", "how to reach the cluster that joins",
            kubeconfig),
	ROW("cluster-context", OPTIONS_TEXT, "NAME", "which context of it", context),
	ROW("group", OPTIONS_TEXT, "NAME", "its network group; made if it is not there", group),
	ROW("region", OPTIONS_TEXT, "NAME", "for nodes without topology labels", region),
	ROW("zone", OPTIONS_TEXT, "NAME", "as --region", zone),
	ROW("subzone", OPTIONS_TEXT, "NAME", "as --region", subzone),
	ROW("pause-endpoints", OPTIONS_BOOL, NULL, "join without reading it yet (spec.paused)",
            pause),
	ROW("pre", OPTIONS_BOOL, NULL, "preflight only", pre),
	ROW("dry-run", OPTIONS_BOOL, NULL, "preflight and plan only", dry_run),
	CLI_SERVER_ROWS,
	CLI_LOOK_ROWS,
	CLI_YES_ROW,
};

const struct options_spec cmd_cluster_join_spec = {
	.program = "fedway cluster join",
	.operands = "NAME",
	.about = "Checks a cluster, shows what will happen, asks, and makes it a member.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

struct joining {
	const struct join_options *options;
	const char *name;
	struct look look;
	struct remote *hub;    /* the control plane */
	struct remote *member; /* what joins */
	json_t *preflight;
	char *kubeconfig;
	bool has_group;
	bool has_cluster;
};

static void joining_fini(struct joining *joining)
{
	remote_close(joining->hub);
	remote_close(joining->member);
	json_decref(joining->preflight);
	free(joining->kubeconfig);
}

static void run_preflight(struct joining *joining)
{
	struct buf text CLEANUP(buf_fini);
	struct preflight preflight = {.hub = joining->hub,
	                              .member = joining->member,
	                              .cluster = joining->name,
	                              .group = joining->options->group,
	                              .has_zone = joining->options->zone != NULL};
	buf_init(&text, CLI_TEXT_MAX);
	joining->preflight = preflight_run(&preflight);
	join_format_preflight(joining->preflight, joining->look, &text);
	if (joining->look.form == LOOK_JSON || joining->look.form == LOOK_YAML)
		look_print_json(joining->look, joining->preflight);
	else
		fputs(buf_text(&text), stderr);
}

/* --- plan and writing ------------------------------------------------------------------------- */

static bool exists(struct remote *remote, const struct kube_resource *resource, const char *name)
{
	struct err err;
	struct kube_ref ref = {.resource = resource, .name = name};
	json_t *obj CLEANUP(json_cleanup) = remote_get(remote, &ref, &err);
	return obj != NULL;
}

static void show_plan(struct joining *joining)
{
	joining->has_group = exists(joining->hub, &cli_group, joining->options->group);
	joining->has_cluster = exists(joining->hub, &cli_cluster, joining->name);
	fprintf(stderr,
	        "\nPlan       nothing has been changed yet\n"
	        "  federation  %s Secret %s/%s with the credentials\n",
	        joining->has_cluster ? "~" : "+", JOIN_NAMESPACE, joining->name);
	if (!joining->has_group)
		fprintf(stderr, "  federation  + network group %s (not in the interconnect yet)\n",
		        joining->options->group);
	fprintf(stderr,
	        "  federation  %s cluster %s in group %s\n"
	        "  %-10s  + namespace %s: trust bundle, accounts, Service of the probe\n",
	        joining->has_cluster ? "~" : "+", joining->name, joining->options->group,
	        joining->name, JOIN_NAMESPACE);
}

static bool step(int number, bool ok, const char *what)
{
	if (ok)
		fprintf(stderr, "  [%d/4] %s\n", number, what);
	return ok;
}

static bool write_objects(struct joining *joining, struct err *err)
{
	const struct join_options *o = joining->options;
	struct join_wish wish = {
		.cluster = joining->name,
		.group = o->group,
		.region = o->region != NULL ? o->region : "",
		.zone = o->zone != NULL ? o->zone : "",
		.subzone = o->subzone != NULL ? o->subzone : "",
		.kubeconfig = joining->kubeconfig,
		.paused = o->pause,
	};
	struct kube_ref space = {.resource = &KUBE_NAMESPACES, .name = JOIN_NAMESPACE};
	struct kube_ref secret = {&KUBE_SECRETS, JOIN_NAMESPACE, joining->name, NULL};
	struct kube_ref group = {.resource = &cli_group, .name = o->group};
	struct kube_ref cluster = {.resource = &cli_cluster, .name = joining->name};
	json_t *objects[] = {kube_object_create(&space), join_secret(&wish), join_group(&wish),
	                     join_cluster(&wish)};
	const struct kube_ref *refs[] = {&space, &secret, &group, &cluster};
	static const char *const words[] = {NULL, "credentials stored", "group is there",
	                                    "cluster registered"};
	bool ok = true;
	for (size_t i = 0; i < N_ELEMS(refs); i++) {
		json_t *answer = ok ? remote_apply(joining->hub, refs[i], objects[i], err) : NULL;
		ok = answer != NULL;
		if (words[i] != NULL)
			step((int)i, ok, words[i]);
		json_decref(answer);
		json_decref(objects[i]);
	}
	return ok;
}

struct progress {
	char last[MESSAGE_MAX];
	bool paused;
	bool failed;
};

static bool see_cluster(const json_t *obj, void *arg)
{
	struct progress *progress = arg;
	char text[MESSAGE_MAX];
	const char *phase = json_str_at(obj, "status.phase", "Pending");
	const char *waits = join_waits_for(obj);
	if (obj == NULL) {
		progress->failed = true;
		snprintf(progress->last, sizeof(progress->last), "the Cluster was deleted");
		return true;
	}
	snprintf(text, sizeof(text), "%s%s%s", phase, waits[0] != '\0' ? ": " : "", waits);
	if (strcmp(text, progress->last) != 0)
		fprintf(stderr, "        %s\n", text);
	snprintf(progress->last, sizeof(progress->last), "%s", text);
	progress->failed = strcmp(phase, "Failed") == 0;
	if (progress->paused && kube_condition_find(obj, "KubeconfigValid") != NULL)
		return true;
	return progress->failed || strcmp(phase, "Ready") == 0;
}

static int wait_ready(struct joining *joining)
{
	struct err err;
	struct progress progress = {.paused = joining->options->pause};
	struct kube_ref ref = {.resource = &cli_cluster, .name = joining->name};
	if (!remote_follow(joining->hub, &ref, (int64_t)joining->options->common.timeout_ms,
	                   see_cluster, &progress, &err)) {
		fprintf(stderr, "fedway: %s; last seen: %s\n", err.msg, progress.last);
		fprintf(stderr, "joining goes on; watch it with: fedway get clusters %s\n",
		        joining->name);
		return EXIT_TIMEOUT;
	}
	if (progress.failed) {
		fprintf(stderr, "fedway: joining failed: %s\n", progress.last);
		fprintf(stderr, "Repair and run this again, or undo: fedway cluster leave %s\n",
		        joining->name);
		return EXIT_FAILED;
	}
	step(4, true,
	     joining->options->pause ? "paused: set spec.paused to false to take its services in"
	                             : "its services are part of the mesh");
	json_t *obj CLEANUP(json_cleanup) = remote_get(joining->hub, &ref, &err);
	cli_done(&joining->options->common, "cluster/%s joined: %lld services, %lld endpoints",
	         joining->name, (long long)json_int_at(obj, "status.services", 0),
	         (long long)json_int_at(obj, "status.endpoints", 0));
	fprintf(stderr, "Next   fedway interconnect join %s      Undo   fedway cluster leave %s\n",
	        joining->options->group, joining->name);
	return EXIT_DONE;
}

static int run(struct joining *joining)
{
	struct err err;
	run_preflight(joining);
	if (join_has_failed(joining->preflight)) {
		fputs("fedway: the preflight found errors; nothing was changed\n", stderr);
		return EXIT_REFUSED;
	}
	if (joining->options->pre)
		return EXIT_DONE;
	show_plan(joining);
	if (joining->options->dry_run)
		return EXIT_DONE;
	int status = cli_confirm(&joining->options->common, "Proceed?");
	if (status >= 0)
		return status;
	fputc('\n', stderr);
	return write_objects(joining, &err) ? wait_ready(joining) : remote_fail(&err);
}

int cmd_cluster_join(void *arg)
{
	const struct join_options *options = arg;
	struct joining CLEANUP(joining_fini) joining = {.options = options};
	struct err err;
	if (options->common.head.n_args != 1 || options->group == NULL ||
	    (options->kubeconfig == NULL && options->context == NULL))
		return cli_usage("cluster join needs a name, --group, and --cluster-kubeconfig or "
		                 "--cluster-context");
	joining.name = options->common.head.args[0];
	if (!str_is_dns_label(str_from(joining.name)))
		return cli_usage("'%s' is no name of a Cluster: small letters, digits and dashes, "
		                 "at most 63",
		                 joining.name);
	if (!look_make(&options->common, &joining.look, &err))
		return cli_usage("%s", err.msg);
	joining.hub = remote_open(&options->common, &err);
	if (joining.hub != NULL)
		joining.member = remote_open_file(options->kubeconfig, options->context, &err);
	if (joining.member == NULL)
		return cli_fail(&err);
	joining.kubeconfig = remote_kubeconfig(joining.member);
	return run(&joining);
}
