/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first request goes through an HTTP client of its own, as the header fields of its answer are
 * wanted; the others through the Kubernetes client. A run ends by run_reply() or run_fail(); its
 * clients are freed at the end of that turn, since their callbacks may still be on the stack.
 */
#include "gather.h"
#include "preflights.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/list.h"
#include "kube/base64.h"
#include "kube/status.h"
#include "model/preflight.h"

enum {
	DATE_MAX = 64,
	MEMBER_QPS = 100, /* one short burst */
	MEMBER_IN_FLIGHT = 8
};

#define NODES_PATH "/api/v1/nodes?limit=500" /* PREFLIGHT_NODES */

/* Questions by number; the rights follow. */
enum question {
	ASK_TOKENS,
	ASK_SYSTEM,
	ASK_ISTIO,
	ASK_NODES,
	N_QUESTIONS
};

struct preflights {
	struct preflights_config config;
	struct list runs;
	size_t n_runs;
};

struct run {
	struct list link;
	struct preflights *preflights;
	struct answer *answer;
	json_t *spec;
	struct gather *clusters;
	struct gather *secret;
	struct gather *questions;
	struct kubeconfig kubeconfig;
	struct err kubeconfig_err; /* msg "": it can be used */
	struct http_client *http;
	struct http_call *version_call; /* under way, or NULL */
	struct kube_client *member;
	json_t *version;
	struct err version_err;
	int64_t took_ms;
	int64_t answered_s;
	char date[DATE_MAX];
	struct loop_timer deadline;
};

static const struct kube_resource cluster_resource = {"fedway.io", "v1alpha1", "clusters",
                                                      "Cluster", false};

/* --- the end of a run ---------------------------------------------------------------------------
 */

static void run_free(void *arg)
{
	struct run *run = arg;
	loop_timer_fini(&run->deadline);
	http_client_destroy(run->http);
	kube_client_destroy(run->member);
	kubeconfig_fini(&run->kubeconfig);
	json_decref(run->version);
	json_decref(run->spec);
	free(run);
}

static void run_end(struct run *run)
{
	/* nothing that is under way may come back to a run that has been answered */
	loop_timer_cancel(&run->deadline);
	http_call_cancel(run->version_call);
	gather_destroy(run->clusters);
	gather_destroy(run->secret);
	gather_destroy(run->questions);
	list_remove(&run->link);
	run->preflights->n_runs--;
	loop_bury(run->preflights->config.loop, run_free, run);
}

static void run_fail(struct run *run, const struct err *err)
{
	answer_fail(run->answer, err);
	run_end(run);
}

/* --- judging ------------------------------------------------------------------------------------
 */

static const json_t *find_cluster(const struct run *run, const char *name)
{
	const json_t *items = json_object_get(gather_at(run->clusters, 0)->value, "items");
	for (size_t i = 0; i < json_array_size(items); i++) {
		if (strcmp(kube_name(json_array_get(items, i)), name) == 0)
			return json_array_get(items, i);
	}
	return NULL;
}

/* One of the cluster's gateways that has a stream. */
struct seen {
	const char *cluster;
	const char *gateway;
};

static void see_instance(const struct ads_instance *instance, void *arg)
{
	struct seen *seen = arg;
	if (strcmp(instance->cluster, seen->cluster) == 0)
		seen->gateway = instance->gateway;
}

static struct preflight_reply reply_of(const struct gather *gather, size_t i)
{
	const struct gather_item *item = gather != NULL ? gather_at(gather, i) : NULL;
	if (item == NULL)
		return (struct preflight_reply){NULL, NULL};
	return (struct preflight_reply){item->value, item->value == NULL ? &item->err : NULL};
}

static void add_questions(const struct run *run, struct preflight_facts *facts)
{
	facts->tokens = reply_of(run->questions, ASK_TOKENS);
	facts->system = reply_of(run->questions, ASK_SYSTEM);
	facts->istio = reply_of(run->questions, ASK_ISTIO);
	facts->nodes = reply_of(run->questions, ASK_NODES);
	for (size_t i = 0; i < preflight_n_rights; i++)
		facts->rights[i] = reply_of(run->questions, N_QUESTIONS + i);
}

static void run_reply(struct run *run)
{
	const struct preflights_config *config = &run->preflights->config;
	const char *name = json_str_at(run->spec, "cluster", "");
	const json_t *cluster = find_cluster(run, name);
	struct seen seen = {name, ""};
	ads_for_each_instance(config->ads, see_instance, &seen);
	struct preflight_facts facts = {
		.cluster = name,
		.group = json_str_at(run->spec, "networkGroup",
	                             json_str_at(cluster, "spec.networkGroup", "")),
		.has_locality = json_at(run->spec, "locality.zone") != NULL ||
	                        json_at(cluster, "spec.locality.zone") != NULL,
		.kubeconfig = run->kubeconfig_err.msg[0] != '\0' ? &run->kubeconfig_err : NULL,
		.server = run->kubeconfig.server != NULL ? run->kubeconfig.server : "",
		.insecure = run->kubeconfig.insecure,
		.version = {run->version, run->version == NULL ? &run->version_err : NULL},
		.took_ms = run->took_ms,
		.date = run->date,
		.now_s = run->answered_s,
		.clusters = gather_at(run->clusters, 0)->value,
		.mesh = control_mesh(config->control),
		.gateway = seen.gateway,
		.probe = connectivity_has_probe(config->connectivity, name),
	};
	add_questions(run, &facts);
	answer_reply(run->answer, preflight_judge(&facts));
	run_end(run);
}

/* --- what the member is asked -------------------------------------------------------------------
 */

static void on_questions(void *arg)
{
	run_reply(arg);
}

static void ask_all(struct run *run)
{
	const struct kube_ref system = {.resource = &KUBE_NAMESPACES, .name = "kube-system"};
	const struct kube_ref istio = {.resource = &KUBE_NAMESPACES, .name = "istio-system"};
	struct kube_client *member = run->member;
	struct gather *gather = gather_create(N_QUESTIONS + preflight_n_rights, on_questions, run);
	run->questions = gather;
	gather_post(gather, ASK_TOKENS, member, &KUBE_TOKEN_REVIEWS, preflight_token_review());
	gather_get(gather, ASK_SYSTEM, member, &system);
	gather_get(gather, ASK_ISTIO, member, &istio);
	gather_get_path(gather, ASK_NODES, member, NODES_PATH);
	for (size_t i = 0; i < preflight_n_rights; i++)
		gather_post(gather, N_QUESTIONS + i, member, &KUBE_SELF_SUBJECT_ACCESS_REVIEWS,
		            preflight_access_review(&preflight_rights[i]));
}

static void read_version(struct run *run, const struct http_response *response)
{
	const char *date = http_fields_find(&response->fields, "date");
	json_t *body = json_parse(response->body, &run->version_err);
	snprintf(run->date, sizeof(run->date), "%s", date != NULL ? date : "");
	if (response->status >= 300)
		IGNORE(kube_status_to_err(body, response->status, &run->version_err));
	else if (body != NULL && !json_is_object(body))
		IGNORE(err_set(&run->version_err, ERR_PROTOCOL, "/version answers no JSON object"));
	else
		run->version = json_incref(body);
	json_decref(body);
}

static void on_version(struct http_call *call, const struct http_response *response,
                       const struct err *err, void *arg)
{
	struct run *run = arg;
	run->version_call = NULL;
	run->took_ms = http_call_took_ms(call);
	run->answered_s = clock_wall_s();
	if (response != NULL)
		read_version(run, response);
	else
		run->version_err = *err;
	if (run->version != NULL)
		ask_all(run);
	else
		run_reply(run);
}

static void ask_version(struct run *run)
{
	char *url = xasprintf("%s/version", run->kubeconfig.server);
	struct http_call_config config = {
		.method = "GET",
		.url = url,
		.timeout_ms = PREFLIGHT_REACH_MS,
		.on_done = on_version,
		.arg = run,
	};
	run->version_call = http_client_send(run->http, &config);
	free(url);
}

static bool open_member(struct run *run, struct err *err)
{
	const struct kubeconfig *kubeconfig = &run->kubeconfig;
	struct loop *loop = run->preflights->config.loop;
	struct http_client_config http = kubeconfig_http(kubeconfig, loop);
	struct kube_client_options options = {
		.loop = loop,
		.user_agent = "fedwayd/" FEDWAY_VERSION,
		.qps = MEMBER_QPS,
		.burst = MEMBER_QPS,
		.in_flight = MEMBER_IN_FLIGHT,
	};
	run->http = http_client_create(&http, err);
	run->member = run->http != NULL ? kube_client_create(kubeconfig, &options, err) : NULL;
	return run->member != NULL;
}

/* With the kubeconfig, or the reason why there is none. */
static void go_on(struct run *run, bool ok)
{
	if (ok && open_member(run, &run->kubeconfig_err))
		ask_version(run);
	else
		run_reply(run);
}

/* --- which kubeconfig ---------------------------------------------------------------------------
 */

static bool read_secret(struct run *run, const struct gather_item *secret, struct err *err)
{
	const json_t *cluster = find_cluster(run, json_str_at(run->spec, "cluster", ""));
	const char *key = json_str_at(cluster, "spec.kubeconfigSecretRef.key", "kubeconfig");
	const json_t *data = json_object_get(secret->value, "data");
	const char *value = json_string_value(json_object_get(data, key));
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, KUBECONFIG_TEXT_MAX);
	if (secret->value == NULL)
		return err_set(err, secret->err.code, "its Secret: %s", secret->err.msg);
	if (value == NULL || !kube_base64_decode(str_from(value), &text))
		return err_set(err, ERR_INVALID, "Secret '%s/%s' has no kubeconfig under key '%s'",
		               kube_namespace(secret->value), kube_name(secret->value), key);
	return kubeconfig_parse(buf_str(&text), kube_name(secret->value), NULL, &run->kubeconfig,
	                        err);
}

static void on_secret(void *arg)
{
	struct run *run = arg;
	go_on(run, read_secret(run, gather_at(run->secret, 0), &run->kubeconfig_err));
}

static void on_clusters(void *arg)
{
	struct run *run = arg;
	struct err err;
	const char *name = json_str_at(run->spec, "cluster", "");
	const char *text = json_str_at(run->spec, "kubeconfig", NULL);
	if (gather_err(run->clusters) != NULL) {
		run_fail(run, gather_err(run->clusters));
		return;
	}
	if (text != NULL) {
		go_on(run, kubeconfig_parse(str_from(text), "spec.kubeconfig", NULL,
		                            &run->kubeconfig, &run->kubeconfig_err));
		return;
	}
	const json_t *cluster = find_cluster(run, name);
	if (cluster == NULL) {
		err_set(&err, ERR_NOT_FOUND,
		        "there is no Cluster '%s'; spec.kubeconfig checks one before it joins",
		        name);
		run_fail(run, &err);
		return;
	}
	struct kube_ref ref = {
		.resource = &KUBE_SECRETS,
		.namespace_ = json_str_at(cluster, "spec.kubeconfigSecretRef.namespace", ""),
		.name = json_str_at(cluster, "spec.kubeconfigSecretRef.name", ""),
	};
	run->secret = gather_create(1, on_secret, run);
	gather_get(run->secret, 0, run->preflights->config.api, &ref);
}

/* --- all ----------------------------------------------------------------------------------------
 */

static void on_deadline(void *arg)
{
	struct run *run = arg;
	struct err err;
	err_set(&err, ERR_TIMEOUT, "no answer within %d s", PREFLIGHT_DEADLINE_MS / 1000);
	if (run->questions != NULL)
		gather_cut(run->questions, &err);
	else
		run_fail(run, &err);
}

struct preflights *preflights_create(const struct preflights_config *config)
{
	struct preflights *preflights = xcalloc(1, sizeof(*preflights));
	preflights->config = *config;
	list_init(&preflights->runs);
	return preflights;
}

void preflights_destroy(struct preflights *preflights)
{
	struct err err;
	if (preflights == NULL)
		return;
	err_set(&err, ERR_UNAVAILABLE, "the control plane stops");
	list_for_each_safe (it, &preflights->runs)
		run_fail(LIST_ENTRY(it, struct run, link), &err);
	free(preflights);
}

static bool check_spec(const struct preflights *preflights, const json_t *spec, struct err *err)
{
	const char *name = json_str_at(spec, "cluster", "");
	if (!str_is_dns_label(str_from(name)))
		return err_set(err, ERR_INVALID, "spec.cluster: '%s' is no name of a Cluster",
		               name);
	if (preflights->n_runs == PREFLIGHTS_MAX)
		return err_set(err, ERR_TOO_MANY, "%d other preflights are under way",
		               PREFLIGHTS_MAX);
	return true;
}

void preflights_answer(struct preflights *preflights, struct answer *answer, const json_t *body)
{
	struct err err;
	json_t *spec = json_object_get(body, "spec");
	if (!check_spec(preflights, spec, &err)) {
		answer_fail(answer, &err);
		return;
	}
	struct run *run = xcalloc(1, sizeof(*run));
	list_init(&run->link);
	list_append(&preflights->runs, &run->link);
	preflights->n_runs++;
	run->preflights = preflights;
	run->answer = answer;
	run->spec = json_incref(spec);
	loop_timer_init(&run->deadline, preflights->config.loop, on_deadline, run);
	loop_timer_set(&run->deadline, PREFLIGHT_DEADLINE_MS);
	run->clusters = gather_create(1, on_clusters, run);
	gather_list(run->clusters, 0, preflights->config.api, &cluster_resource);
}
