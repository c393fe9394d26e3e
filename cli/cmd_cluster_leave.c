/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "get.h"
#include "join.h"
#include "plan.h"
#include "remote.h"
#include "resources.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

enum {
	MESSAGE_MAX = 700
};

struct leave_options {
	struct cli_common common;
	const char *kubeconfig;
	const char *context;
	struct options_list accept;
	const char *plan_hash;
	uint64_t drain_ms;
	bool unreachable;
	bool dry_run;
};

static_assert(sizeof(struct leave_options) <= CLI_SIZE, "fits");

#define ROW(option, type, shown, value, says, field)                                               \
	{                                                                                          \
		.name = option, .no_env = true, .kind = type, .arg = shown, .dflt = value,         \
		.help = says, .offset = offsetof(struct leave_options, field)                      \
	}

static const struct options_row rows[] = {
	ROW("accept-loss", OPTIONS_TEXTS, "NS/SERVICE", NULL,
            "a loss that is meant; also gateway/GROUP", accept),
	ROW("drain", OPTIONS_DURATION, "TIME", "60s",
            "how long its endpoints may finish what they do", drain_ms),
	ROW("unreachable", OPTIONS_BOOL, NULL, NULL,
            "the cluster is gone: nothing is cleaned up there", unreachable),
	ROW("cluster-kubeconfig", OPTIONS_TEXT, "FILE", NULL,
            "to verify afterwards that nothing is left in the cluster", kubeconfig),
	ROW("cluster-context", OPTIONS_TEXT, "NAME", NULL, "which context of it", context),
	ROW("dry-run", OPTIONS_BOOL, NULL, NULL, "plan only", dry_run),
	ROW("plan-hash", OPTIONS_TEXT, "HASH", NULL,
            "only if the plan is still the one with this hash (else exit 8)", plan_hash),
	CLI_SERVER_ROWS,
	CLI_LOOK_ROWS,
	CLI_YES_ROW,
};

const struct options_spec cmd_cluster_leave_spec = {
	.program = "fedway cluster leave",
	.operands = "NAME",
	.about = "Shows what would be lost, asks, drains the cluster and removes it.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

static const struct options_row list_rows[] = {CLI_SERVER_ROWS, CLI_LOOK_ROWS};

const struct options_spec cmd_cluster_list_spec = {
	.program = "fedway cluster list",
	.about = "The members, as `fedway get clusters`.",
	.rows = list_rows,
	.n_rows = N_ELEMS(list_rows),
};

int cmd_cluster_list(void *arg)
{
	struct get_request request = {.ref = {.resource = &cli_cluster}};
	return get_run(arg, &request);
}

struct progress {
	char last[MESSAGE_MAX];
};

static bool see_leaving(const json_t *obj, void *arg)
{
	struct progress *progress = arg;
	char text[MESSAGE_MAX];
	if (obj == NULL)
		return true;
	const char *waits = join_waits_for(obj);
	snprintf(text, sizeof(text), "%s%s%s", json_str_at(obj, "status.phase", ""),
	         waits[0] != '\0' ? ": " : "", waits);
	if (strcmp(text, progress->last) != 0)
		fprintf(stderr, "        %s\n", text);
	snprintf(progress->last, sizeof(progress->last), "%s", text);
	return false;
}

/* The credentials go too if join made them. */
static bool delete_secret(struct remote *hub, const json_t *cluster, struct err *err)
{
	struct kube_ref ref = {
		.resource = &KUBE_SECRETS,
		.namespace_ = json_str_at(cluster, "spec.kubeconfigSecretRef.namespace", ""),
		.name = json_str_at(cluster, "spec.kubeconfigSecretRef.name", ""),
	};
	json_t *secret CLEANUP(json_cleanup) = remote_get(hub, &ref, err);
	if (secret == NULL)
		return err->code == ERR_NOT_FOUND;
	const char *by = kube_label_find(secret, "app.kubernetes.io/managed-by");
	const char *whose = kube_label_find(secret, "fedway.io/cluster");
	if (by == NULL || whose == NULL || strcmp(by, "fedway") != 0 ||
	    strcmp(whose, kube_name(cluster)) != 0) {
		fprintf(stderr, "        Secret %s/%s stays: it is yours\n", ref.namespace_,
		        ref.name);
		return true;
	}
	return remote_delete(hub, &ref, err) || err->code == ERR_NOT_FOUND;
}

/* What still carries the label in the member. */
static size_t count_left(struct remote *member, const char *cluster, struct err *err)
{
	static const struct kube_resource *const kinds[] = {&KUBE_NAMESPACES, &KUBE_CONFIG_MAPS,
	                                                    &KUBE_SERVICE_ACCOUNTS, &KUBE_SERVICES};
	char selector[128];
	size_t n = 0;
	snprintf(selector, sizeof(selector), "fedway.io/cluster=%s", cluster);
	for (size_t i = 0; i < N_ELEMS(kinds); i++) {
		struct kube_ref ref = {.resource = kinds[i]};
		json_t *list CLEANUP(json_cleanup) = remote_list(member, &ref, selector, err);
		const json_t *items = json_object_get(list, "items");
		if (list == NULL)
			return SIZE_MAX;
		for (size_t k = 0; k < json_array_size(items); k++) {
			const json_t *obj = json_array_get(items, k);
			fprintf(stderr, "        left: %s %s\n", kinds[i]->kind, kube_name(obj));
			n++;
		}
	}
	return n;
}

static int verify(const struct leave_options *options, const char *name)
{
	struct err err;
	if (options->kubeconfig == NULL && options->context == NULL)
		return EXIT_DONE;
	struct remote *member = remote_open_file(options->kubeconfig, options->context, &err);
	size_t n = member != NULL ? count_left(member, name, &err) : SIZE_MAX;
	remote_close(member);
	if (n == 0) {
		fputs("        verified: nothing is left in the cluster\n", stderr);
		return EXIT_DONE;
	}
	if (n == SIZE_MAX)
		fprintf(stderr, "fedway: cannot verify: %s\n", err.msg);
	return EXIT_FAILED;
}

static bool start_leaving(struct remote *hub, const struct leave_options *options,
                          const struct kube_ref *ref, struct err *err)
{
	char drain[32];
	snprintf(drain, sizeof(drain), "%llu", (unsigned long long)options->drain_ms / 1000);
	json_t *patch CLEANUP(json_cleanup) = json_pack("{s{s{ss}}}", "metadata", "annotations",
	                                                "fedway.io/drain-seconds", drain);
	if (options->unreachable)
		kube_annotation_set(patch, "fedway.io/unreachable", "true");
	json_t *answer CLEANUP(json_cleanup) = remote_patch(hub, ref, patch, err);
	return answer != NULL && remote_delete(hub, ref, err);
}

/* The user's gateways are not ours to delete; without a Cluster they do nothing. */
static void name_gateways(struct remote *hub, const char *cluster)
{
	struct err err;
	struct kube_ref ref = {.resource = &cli_gateway};
	json_t *list CLEANUP(json_cleanup) = remote_list(hub, &ref, NULL, &err);
	size_t i;
	json_t *gateway;
	json_array_foreach (json_object_get(list, "items"), i, gateway) {
		const char *whose = kube_label_find(gateway, "fedway.io/cluster");
		if (strcmp(json_str_at(gateway, "spec.cluster", ""), cluster) == 0 && whose == NULL)
			fprintf(stderr, "        EastWestGateway %s stays: it is yours\n",
			        kube_name(gateway));
	}
}

static int leave(struct remote *hub, const struct leave_options *options)
{
	struct err err;
	struct progress progress = {""};
	struct kube_ref ref = {.resource = &cli_cluster, .name = options->common.head.args[0]};
	json_t *cluster CLEANUP(json_cleanup) = remote_get(hub, &ref, &err);
	if (cluster == NULL || !start_leaving(hub, options, &ref, &err))
		return remote_fail(&err);
	if (!remote_follow(hub, &ref, (int64_t)options->common.timeout_ms, see_leaving, &progress,
	                   &err)) {
		fprintf(stderr, "fedway: %s; last seen: %s\n", err.msg, progress.last);
		fprintf(stderr,
		        "leaving goes on; if the cluster is gone for good: fedway cluster "
		        "leave %s --unreachable\n",
		        ref.name);
		return EXIT_TIMEOUT;
	}
	if (!delete_secret(hub, cluster, &err))
		return remote_fail(&err);
	cli_done(&options->common, "cluster/%s left", ref.name);
	name_gateways(hub, ref.name);
	if (options->unreachable)
		fprintf(stderr,
		        "Clean up there by hand: kubectl delete ns,cm,sa,svc -A -l "
		        "fedway.io/cluster=%s\n",
		        ref.name);
	return options->unreachable ? EXIT_DONE : verify(options, ref.name);
}

static int plan_and_leave(struct remote *hub, const struct leave_options *options, struct look look)
{
	char object[MESSAGE_MAX];
	snprintf(object, sizeof(object), "Cluster/%s", options->common.head.args[0]);
	json_t *spec CLEANUP(json_cleanup) =
		json_pack("{ss ss so}", "operation", "Leave", "object", object, "acceptLosses",
	                  plan_texts(&options->accept));
	struct plan_wish wish = {&options->common, look, spec, options->plan_hash,
	                         options->dry_run};
	int status = plan_agree(hub, &wish);
	return status >= 0 ? status : leave(hub, options);
}

int cmd_cluster_leave(void *arg)
{
	const struct leave_options *options = arg;
	struct look look;
	struct err err;
	if (options->common.head.n_args != 1)
		return cli_usage("cluster leave needs the name of one cluster");
	if (!look_make(&options->common, &look, &err))
		return cli_usage("%s", err.msg);
	struct remote *hub = remote_open(&options->common, &err);
	if (hub == NULL)
		return cli_fail(&err);
	int status = plan_and_leave(hub, options, look);
	remote_close(hub);
	return status;
}
