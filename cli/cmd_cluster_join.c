/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preflight (reads only) → plan → yes → Secret, group, Cluster → progress by watching → verify.
 * Every step may be repeated: the same command again continues where things stand.
 */
#include "command.h"
#include "join.h"
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

/* --- preflight -------------------------------------------------------------------------------- */

static void say(struct joining *joining, const char *id, const char *state, const char *code,
                const char *message)
{
	join_add_check(joining->preflight, &(struct join_check){id, state, code, message, ""});
}

static bool check_reach(struct joining *joining)
{
	struct err err;
	char text[MESSAGE_MAX];
	json_t *version CLEANUP(json_cleanup) = remote_get_path(joining->member, "/version", &err);
	if (version == NULL) {
		say(joining, "reach-api", "Failed", "", err.msg);
		return false;
	}
	snprintf(text, sizeof(text), "API server %s answers, Kubernetes %s",
	         remote_server(joining->member), json_str_at(version, "gitVersion", "unknown"));
	char took[32];
	snprintf(took, sizeof(took), "%lld ms", (long long)remote_took_ms(joining->member));
	join_add_check(joining->preflight,
	               &(struct join_check){"reach-api", "Passed", "", text, took});
	return true;
}

static void check_rights(struct joining *joining)
{
	struct err err;
	struct kube_ref ref = {.resource = &KUBE_SELF_SUBJECT_ACCESS_REVIEWS};
	char text[MESSAGE_MAX];
	size_t refused = 0;
	int len = snprintf(text, sizeof(text), "credentials may not:");
	for (size_t i = 0; i < join_n_rights; i++) {
		const struct join_right *right = &join_rights[i];
		json_t *review CLEANUP(json_cleanup) = join_review(right);
		json_t *answer CLEANUP(json_cleanup) =
			remote_create(joining->member, &ref, review, &err);
		if (answer == NULL) {
			bool absent = err.code == ERR_NOT_FOUND || err.code == ERR_PROTOCOL;
			say(joining, "permissions", absent ? "Skipped" : "Warning", "",
			    absent ? "this API server does not tell what credentials may do; "
			             "joining will"
			           : err.msg);
			return;
		}
		if (json_bool_at(answer, "status.allowed", false))
			continue;
		refused++;
		if (len >= 0 && (size_t)len < sizeof(text))
			len += snprintf(text + len, sizeof(text) - (size_t)len, "%s %s %s",
			                refused > 1 ? "," : "", right->verb, right->resource);
	}
	if (refused == 0)
		snprintf(text, sizeof(text), "credentials may do the %zu actions needed",
		         join_n_rights);
	say(joining, "permissions", refused == 0 ? "Passed" : "Failed", "", text);
}

static void check_identity(struct joining *joining)
{
	struct err err;
	char text[MESSAGE_MAX];
	struct kube_ref system = {.resource = &KUBE_NAMESPACES, .name = "kube-system"};
	struct kube_ref all = {.resource = &cli_cluster};
	json_t *ns CLEANUP(json_cleanup) = remote_get(joining->member, &system, &err);
	json_t *clusters CLEANUP(json_cleanup) =
		ns != NULL ? remote_list(joining->hub, &all, NULL, &err) : NULL;
	if (clusters == NULL) {
		say(joining, "identity", "Failed", "", err.msg);
		return;
	}
	const char *clash = join_find_clash(clusters, joining->name, kube_uid(ns));
	if (clash != NULL)
		snprintf(text, sizeof(text), "is a member already, as Cluster '%s'", clash);
	say(joining, "identity", clash == NULL ? "Passed" : "Failed",
	    clash == NULL ? "" : "FED-403",
	    clash == NULL ? "is no member under another name" : text);
}

static void check_istio(struct joining *joining)
{
	struct err err;
	char text[MESSAGE_MAX];
	struct kube_ref ref = {.resource = &KUBE_NAMESPACES, .name = "istio-system"};
	json_t *ns CLEANUP(json_cleanup) = remote_get(joining->member, &ref, &err);
	if (ns == NULL) {
		say(joining, "istio", err.code == ERR_NOT_FOUND ? "Passed" : "Warning", "",
		    err.code == ERR_NOT_FOUND ? "no Istio found" : err.msg);
		return;
	}
	const char *network = kube_label_find(ns, "topology.istio.io/network");
	bool differs = network != NULL && strcmp(network, joining->options->group) != 0;
	snprintf(text, sizeof(text), "Istio found%s%s%s; it stays and keeps its sidecars",
	         network != NULL ? ", network " : "", network != NULL ? network : "",
	         differs ? " (not the --group: its sidecars will count as another network)" : "");
	say(joining, "istio", differs ? "Warning" : "Passed", "", text);
}

static void check_localities(struct joining *joining)
{
	struct err err;
	char text[MESSAGE_MAX];
	struct kube_ref ref = {.resource = &KUBE_NODES};
	json_t *nodes CLEANUP(json_cleanup) = remote_list(joining->member, &ref, NULL, &err);
	const json_t *items = json_object_get(nodes, "items");
	size_t n = json_array_size(items);
	size_t bare = 0;
	if (nodes == NULL) {
		say(joining, "localities", "Warning", "", err.msg);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *node = json_array_get(items, i);
		if (kube_label_find(node, "topology.kubernetes.io/region") == NULL ||
		    kube_label_find(node, "topology.kubernetes.io/zone") == NULL)
			bare++;
	}
	if (bare == 0)
		snprintf(text, sizeof(text), "all %zu nodes have region and zone labels", n);
	else
		snprintf(text, sizeof(text), "%zu of %zu nodes have no region and zone label%s",
		         bare, n,
		         joining->options->zone != NULL ? "; --region, --zone stand in" : "");
	say(joining, "localities", bare > 0 ? "Warning" : "Passed", bare > 0 ? "FED-211" : "",
	    text);
}

static bool exists(struct remote *remote, const struct kube_resource *resource, const char *name)
{
	struct err err;
	struct kube_ref ref = {.resource = resource, .name = name};
	json_t *obj CLEANUP(json_cleanup) = remote_get(remote, &ref, &err);
	return obj != NULL;
}

static void run_preflight(struct joining *joining)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	joining->preflight = join_preflight(joining->name);
	if (check_reach(joining)) {
		check_rights(joining);
		check_identity(joining);
		check_istio(joining);
		check_localities(joining);
	}
	join_format_preflight(joining->preflight, joining->look, &text);
	if (joining->look.form == LOOK_JSON || joining->look.form == LOOK_YAML)
		look_print_json(joining->look, joining->preflight);
	else
		fputs(buf_text(&text), stderr);
}

/* --- plan and writing ------------------------------------------------------------------------- */

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
	step(4, true, "its services are part of the mesh");
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
