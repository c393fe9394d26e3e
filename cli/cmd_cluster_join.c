/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preflight (by the control plane, reads only) → plan → yes → Secret, group, Cluster → progress by
 * watching → the preflight again, now through what was stored, says whether the way back was seen.
 * Every step may be repeated: the same command again continues where things stand.
 */
#include "command.h"
#include "join.h"
#include "plan.h"
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
	const char *plan_hash;
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
	ROW("pre", OPTIONS_BOOL, NULL, "preflight only; of a member also without kubeconfig", pre),
	ROW("dry-run", OPTIONS_BOOL, NULL, "preflight and plan only", dry_run),
	ROW("plan-hash", OPTIONS_TEXT, "HASH",
            "only if the plan is still the one with this hash (else exit 8)", plan_hash),
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
	struct join_wish wish;
	struct look look;
	struct remote *hub; /* the control plane */
	char *kubeconfig;   /* NULL: of a member, its own */
};

static void joining_fini(struct joining *joining)
{
	remote_close(joining->hub);
	if (joining->kubeconfig != NULL)
		explicit_bzero(joining->kubeconfig, strlen(joining->kubeconfig));
	free(joining->kubeconfig);
}

static bool is_data(struct look look)
{
	return look.form == LOOK_JSON || look.form == LOOK_YAML;
}

/* As text always; as data only if it is the last word, so that there is one document. */
static int show_preflight(const struct joining *joining, const json_t *preflight)
{
	struct buf text CLEANUP(buf_fini);
	bool failed = preflight_has_failed(preflight);
	buf_init(&text, CLI_TEXT_MAX);
	preflight_format(preflight, joining->look, &text);
	if (!is_data(joining->look))
		fputs(buf_text(&text), stderr);
	else if (failed || joining->options->pre)
		look_print_json(joining->look, preflight);
	if (failed)
		fputs("fedway: the preflight found errors; nothing was changed\n", stderr);
	return failed ? EXIT_REFUSED : joining->options->pre ? EXIT_DONE : -1;
}

static int check(const struct joining *joining)
{
	struct err err;
	json_t *preflight CLEANUP(json_cleanup) = preflight_ask(joining->hub, &joining->wish, &err);
	return preflight != NULL ? show_preflight(joining, preflight) : remote_fail(&err);
}

static int agree(const struct joining *joining)
{
	const struct join_options *options = joining->options;
	char object[MESSAGE_MAX];
	snprintf(object, sizeof(object), "Cluster/%s", joining->wish.cluster);
	json_t *spec CLEANUP(json_cleanup) = json_pack("{ss ss ss}", "operation", "Join", "object",
	                                               object, "networkGroup", joining->wish.group);
	struct plan_wish wish = {&options->common, joining->look, spec, options->plan_hash,
	                         options->dry_run};
	if (!is_data(joining->look))
		fputc('\n', stderr);
	return plan_agree(joining->hub, &wish);
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool step(int number, bool ok, const char *what)
{
	if (ok)
		fprintf(stderr, "  [%d/5] %s\n", number, what);
	return ok;
}

static bool write_objects(const struct joining *joining, struct err *err)
{
	const struct join_wish *wish = &joining->wish;
	struct kube_ref space = {.resource = &KUBE_NAMESPACES, .name = JOIN_NAMESPACE};
	struct kube_ref secret = {&KUBE_SECRETS, JOIN_NAMESPACE, wish->cluster, NULL};
	struct kube_ref group = {.resource = &cli_group, .name = wish->group};
	struct kube_ref cluster = {.resource = &cli_cluster, .name = wish->cluster};
	json_t *objects[] = {kube_object_create(&space), join_secret(wish), join_group(wish),
	                     join_cluster(wish)};
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
	bool seen;
	bool failed;
};

static bool see_cluster(const json_t *obj, void *arg)
{
	struct progress *progress = arg;
	char text[MESSAGE_MAX];
	const char *phase = json_str_at(obj, "status.phase", "Pending");
	const char *waits = join_waits_for(obj);
	/* a real API server may list what was so a moment ago: not there yet */
	if (obj == NULL && !progress->seen)
		return false;
	if (obj == NULL) {
		progress->failed = true;
		snprintf(progress->last, sizeof(progress->last), "the Cluster was deleted");
		return true;
	}
	snprintf(text, sizeof(text), "%s%s%s", phase, waits[0] != '\0' ? ": " : "", waits);
	if (strcmp(text, progress->last) != 0)
		fprintf(stderr, "        %s\n", text);
	snprintf(progress->last, sizeof(progress->last), "%s", text);
	/* the first word may be of before the change; what fails now is told again */
	progress->failed = strcmp(phase, "Failed") == 0 && progress->seen;
	progress->seen = true;
	if (progress->paused && kube_condition_find(obj, "KubeconfigValid") != NULL)
		return true;
	return progress->failed || strcmp(phase, "Ready") == 0;
}

/* Whether components of the member reach us, in the words of a second preflight. */
static void verify(const struct joining *joining)
{
	struct err err;
	struct join_wish wish = {.cluster = joining->wish.cluster, .group = "", .zone = ""};
	char mark[LOOK_MARK_MAX];
	bool seen = false;
	json_t *preflight CLEANUP(json_cleanup) = preflight_ask(joining->hub, &wish, &err);
	const char *words = preflight != NULL ? preflight_way_back(preflight, &seen) : err.msg;
	bool failed = preflight == NULL || preflight_has_failed(preflight);
	if (!step(5, !failed, "verified by a preflight with the credentials that were stored"))
		fprintf(stderr, "  [5/5] not verified; see: fedway cluster join %s --pre\n",
		        wish.cluster);
	if (words[0] != '\0')
		fprintf(stderr, "        %s %s\n",
		        look_mark(joining->look, seen ? MARK_PASS : MARK_NONE, mark), words);
}

static int tell_joined(const struct joining *joining, const struct kube_ref *ref)
{
	struct err err;
	bool paused = joining->options->pause;
	step(4, true,
	     paused ? "paused: set spec.paused to false to take its services in"
	            : "its services are part of the mesh");
	json_t *obj CLEANUP(json_cleanup) = remote_get(joining->hub, ref, &err);
	if (obj == NULL)
		return remote_fail(&err);
	if (!paused)
		verify(joining);
	cli_done(&joining->options->common, "cluster/%s joined: %lld services, %lld endpoints",
	         ref->name, (long long)json_int_at(obj, "status.services", 0),
	         (long long)json_int_at(obj, "status.endpoints", 0));
	fprintf(stderr, "Next   fedway interconnect join %s      Undo   fedway cluster leave %s\n",
	        joining->wish.group, ref->name);
	return EXIT_DONE;
}

static int wait_ready(const struct joining *joining)
{
	struct err err;
	struct progress progress = {.paused = joining->options->pause};
	struct kube_ref ref = {.resource = &cli_cluster, .name = joining->wish.cluster};
	if (!remote_follow(joining->hub, &ref, (int64_t)joining->options->common.timeout_ms,
	                   see_cluster, &progress, &err)) {
		fprintf(stderr, "fedway: %s; last seen: %s\n", err.msg, progress.last);
		fprintf(stderr, "joining goes on; watch it with: fedway get clusters %s\n",
		        ref.name);
		return EXIT_TIMEOUT;
	}
	if (progress.failed) {
		fprintf(stderr, "fedway: joining failed: %s\n", progress.last);
		fprintf(stderr, "Repair and run this again, or undo: fedway cluster leave %s\n",
		        ref.name);
		return EXIT_FAILED;
	}
	return tell_joined(joining, &ref);
}

static int run(const struct joining *joining)
{
	struct err err;
	int status = check(joining);
	if (status < 0)
		status = agree(joining);
	if (status >= 0)
		return status;
	fputc('\n', stderr);
	return write_objects(joining, &err) ? wait_ready(joining) : remote_fail(&err);
}

/* The operator's own kubeconfig: files that it names are read here, by the one whose they are. */
static bool load_kubeconfig(struct joining *joining, struct err *err)
{
	const struct join_options *options = joining->options;
	if (options->kubeconfig == NULL && options->context == NULL)
		return true;
	struct remote *member = remote_open_file(options->kubeconfig, options->context, err);
	if (member == NULL)
		return err_wrap(err, "the cluster's kubeconfig");
	joining->kubeconfig = remote_kubeconfig(member);
	joining->wish.kubeconfig = joining->kubeconfig;
	remote_close(member);
	return true;
}

static const char *or_none(const char *text)
{
	return text != NULL ? text : "";
}

int cmd_cluster_join(void *arg)
{
	const struct join_options *options = arg;
	struct joining CLEANUP(joining_fini) joining = {.options = options};
	struct err err;
	bool told =
		options->group != NULL && (options->kubeconfig != NULL || options->context != NULL);
	if (options->common.head.n_args != 1 || (!told && !options->pre))
		return cli_usage("cluster join needs a name, --group, and --cluster-kubeconfig or "
		                 "--cluster-context");
	joining.wish = (struct join_wish){
		.cluster = options->common.head.args[0],
		.group = or_none(options->group),
		.region = or_none(options->region),
		.zone = or_none(options->zone),
		.subzone = or_none(options->subzone),
		.paused = options->pause,
	};
	if (!str_is_dns_label(str_from(joining.wish.cluster)))
		return cli_usage("'%s' is no name of a Cluster: small letters, digits and dashes, "
		                 "at most 63",
		                 joining.wish.cluster);
	if (!look_make(&options->common, &joining.look, &err))
		return cli_usage("%s", err.msg);
	joining.hub = remote_open(&options->common, &err);
	if (joining.hub == NULL || !load_kubeconfig(&joining, &err))
		return cli_fail(&err);
	return run(&joining);
}
