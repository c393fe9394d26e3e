/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Once a second, or twice while something is still missing: look at the ports, then make the API
 * server and the folders agree. What was written is looked at again after RECHECK_MS only.
 */
#include "lab_kubelet.h"
#include "lab_pods.h"
#include "lab_programs.h"
#include "lab_start.h"
#include "remote.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

enum {
	TICK_MS = 1000,
	UNSETTLED_TICK_MS = 500,
	RECHECK_MS = 30000,
	FAILURES = 3, /* in a row, and a Pod is not ready */
	TOKEN_S = 3600,
	TOKEN_TENTHS = 8 /* of its life, and there is a new one */
};

struct pod {
	const struct lab_pod *plan;
	bool ready;
	bool told; /* that it is (not) ready */
	int failures;
	char *uid;
	int64_t recheck_ms;
	int64_t token_ms; /* when the next one is due */
};

struct kubelet {
	const struct lab_kubelet_config *config;
	struct remote *remote;
	struct pod pods[LAB_PODS];
	json_t *slices; /* as written; NULL: not yet */
	int64_t slices_ms;
	int64_t node_ms;
	int64_t trust_ms;
	char *trust;
	int64_t now_ms;
	char said[ERR_MSG_MAX];
};

/* Once for each new reason. Returns false. */
static bool complain(struct kubelet *kubelet, const struct err *err)
{
	if (strcmp(kubelet->said, err->msg) != 0)
		log_info("kubelet", "%s", err->msg);
	snprintf(kubelet->said, sizeof(kubelet->said), "%s", err->msg);
	return false;
}

/* --- readiness -------------------------------------------------------------------------------- */

static void look_at(struct kubelet *kubelet, struct pod *pod)
{
	char address[LAB_NAME_MAX];
	char door[LAB_NAME_MAX + 8];
	const struct lab_pod *plan = pod->plan;
	snprintf(door, sizeof(door), "%s:%d", lab_pod_address(kubelet->config->host, plan, address),
	         plan->port);
	bool open = plan->port == 0 || lab_port_is_open(door);
	pod->failures = open ? 0 : pod->failures + 1;
	bool ready = open || (pod->ready && pod->failures < FAILURES);
	if (ready == pod->ready)
		return;
	log_info("kubelet", "pod=%s ready=%s", plan->name, ready ? "true" : "false");
	pod->ready = ready;
	pod->told = false;
}

/* --- objects ---------------------------------------------------------------------------------- */

static bool put_node(struct kubelet *kubelet)
{
	struct err err;
	struct kube_ref ref = {&KUBE_NODES, NULL, LAB_NODE, NULL};
	if (kubelet->now_ms < kubelet->node_ms)
		return true;
	json_t *node CLEANUP(json_cleanup) = lab_node_object(kubelet->config->host);
	json_t *answer CLEANUP(json_cleanup) = remote_apply(kubelet->remote, &ref, node, &err);
	if (answer == NULL)
		return complain(kubelet, &err);
	kubelet->node_ms = kubelet->now_ms + RECHECK_MS;
	return true;
}

/* A Pod that somebody deleted and we made again is another one: its token is worth nothing. */
static void remember_uid(struct pod *pod, const char *uid)
{
	if (pod->uid != NULL && strcmp(pod->uid, uid) == 0)
		return;
	free(pod->uid);
	pod->uid = xstrdup(uid);
	pod->token_ms = 0;
}

static bool put_pod(struct kubelet *kubelet, struct pod *pod)
{
	struct err err;
	struct kube_ref ref = {&KUBE_PODS, pod->plan->namespace_, pod->plan->name, NULL};
	if (pod->told && kubelet->now_ms < pod->recheck_ms)
		return true;
	json_t *wanted CLEANUP(json_cleanup) =
		lab_pod_object(kubelet->config->host, pod->plan, pod->ready);
	json_t *made CLEANUP(json_cleanup) = remote_apply(kubelet->remote, &ref, wanted, &err);
	if (made == NULL)
		return complain(kubelet, &err);
	remember_uid(pod, kube_uid(made));
	json_t *patch CLEANUP(json_cleanup) =
		json_pack("{sO}", "status", json_object_get(wanted, "status"));
	ref.subresource = "status";
	json_t *answer CLEANUP(json_cleanup) = remote_patch(kubelet->remote, &ref, patch, &err);
	if (answer == NULL)
		return complain(kubelet, &err);
	pod->told = true;
	pod->recheck_ms = kubelet->now_ms + RECHECK_MS;
	return true;
}

/* --- files ------------------------------------------------------------------------------------ */

static bool save(const struct kubelet *kubelet, const struct pod *pod, const char *name,
                 const char *text, struct err *err)
{
	const struct lab_kubelet_config *config = kubelet->config;
	char *folder CLEANUP(free_ptr) =
		xasprintf("%s/%s/%s", config->dir, config->host->name, pod->plan->program);
	char *path CLEANUP(free_ptr) = xasprintf("%s/%s", folder, name);
	return file_make_dirs(folder, err) && file_save(path, str_from(text), 0600, err);
}

static bool refresh_token(struct kubelet *kubelet, struct pod *pod)
{
	struct err err;
	char account[LAB_NAME_MAX];
	struct kube_ref ref = {&KUBE_SERVICE_ACCOUNTS, pod->plan->namespace_,
	                       lab_pod_account(kubelet->config->host, pod->plan, account), "token"};
	if (pod->uid == NULL || kubelet->now_ms < pod->token_ms)
		return pod->uid != NULL;
	json_t *request CLEANUP(json_cleanup) = lab_pod_token_request(pod->plan, pod->uid, TOKEN_S);
	json_t *answer CLEANUP(json_cleanup) = remote_create(kubelet->remote, &ref, request, &err);
	if (answer == NULL ||
	    !save(kubelet, pod, "token", json_str_at(answer, "status.token", ""), &err))
		return complain(kubelet, &err);
	int64_t lives_s = json_int_at(answer, "spec.expirationSeconds", TOKEN_S);
	pod->token_ms = kubelet->now_ms + lives_s * 100 * TOKEN_TENTHS;
	return true;
}

static bool refresh_trust(struct kubelet *kubelet)
{
	struct err err;
	struct kube_ref ref = {&KUBE_CONFIG_MAPS, "fedway-system", "fedway-trust", NULL};
	if (kubelet->now_ms < kubelet->trust_ms)
		return true;
	json_t *map CLEANUP(json_cleanup) = remote_get(kubelet->remote, &ref, &err);
	if (map == NULL)
		return complain(kubelet, &err);
	/* not by a path: the key has a dot */
	const char *roots = json_string_value(json_object_get(json_at(map, "data"), "roots.pem"));
	if (roots != NULL && (kubelet->trust == NULL || strcmp(kubelet->trust, roots) != 0)) {
		for (size_t i = 0; i < LAB_PODS; i++) {
			if (!save(kubelet, &kubelet->pods[i], "trust.pem", roots, &err))
				return complain(kubelet, &err);
		}
		free(kubelet->trust);
		kubelet->trust = xstrdup(roots);
	}
	kubelet->trust_ms = kubelet->now_ms + RECHECK_MS;
	return roots != NULL;
}

/* --- EndpointSlices --------------------------------------------------------------------------- */

static json_t *wanted_slices(const struct kubelet *kubelet, const json_t *services)
{
	json_t *pods CLEANUP(json_cleanup) = json_array();
	json_t *slices = json_array();
	const json_t *items = json_object_get(services, "items");
	for (size_t i = 0; i < LAB_PODS; i++) {
		const struct pod *pod = &kubelet->pods[i];
		if (pod->uid != NULL)
			json_array_append_new(
				pods, lab_pod_object(kubelet->config->host, pod->plan, pod->ready));
	}
	for (size_t i = 0; i < json_array_size(items); i++) {
		json_t *slice = lab_slice(json_array_get(items, i), pods);
		if (slice != NULL)
			json_array_append_new(slices, slice);
	}
	return slices;
}

static bool has_name(const json_t *slices, const json_t *slice)
{
	for (size_t i = 0; i < json_array_size(slices); i++) {
		const json_t *other = json_array_get(slices, i);
		if (strcmp(kube_name(other), kube_name(slice)) == 0 &&
		    strcmp(kube_namespace(other), kube_namespace(slice)) == 0)
			return true;
	}
	return false;
}

/* Of a Service that is gone the slice goes as well. */
static bool write_slices(struct kubelet *kubelet, const json_t *slices, struct err *err)
{
	for (size_t i = 0; i < json_array_size(slices); i++) {
		const json_t *slice = json_array_get(slices, i);
		struct kube_ref ref = lab_ref_of(slice);
		json_t *answer CLEANUP(json_cleanup) =
			remote_apply(kubelet->remote, &ref, slice, err);
		if (answer == NULL)
			return false;
	}
	for (size_t i = 0; i < json_array_size(kubelet->slices); i++) {
		const json_t *old = json_array_get(kubelet->slices, i);
		struct kube_ref ref = lab_ref_of(old);
		if (!has_name(slices, old) && !remote_delete(kubelet->remote, &ref, err) &&
		    err->code != ERR_NOT_FOUND)
			return false;
	}
	return true;
}

static bool put_slices(struct kubelet *kubelet)
{
	struct err err;
	struct kube_ref ref = {.resource = &KUBE_SERVICES};
	if (!kubelet->config->slices)
		return true;
	json_t *services CLEANUP(json_cleanup) = remote_list(kubelet->remote, &ref, NULL, &err);
	if (services == NULL)
		return complain(kubelet, &err);
	json_t *slices CLEANUP(json_cleanup) = wanted_slices(kubelet, services);
	if (kubelet->slices != NULL && json_equal(slices, kubelet->slices) &&
	    kubelet->now_ms < kubelet->slices_ms)
		return true;
	if (!write_slices(kubelet, slices, &err))
		return complain(kubelet, &err);
	json_decref(kubelet->slices);
	kubelet->slices = json_incref(slices);
	kubelet->slices_ms = kubelet->now_ms + RECHECK_MS;
	return true;
}

/* --- the life of it --------------------------------------------------------------------------- */

/* True: all is as it should be. */
static bool tick(struct kubelet *kubelet)
{
	kubelet->now_ms = clock_now_ms();
	bool settled = put_node(kubelet);
	for (size_t i = 0; i < LAB_PODS; i++) {
		struct pod *pod = &kubelet->pods[i];
		look_at(kubelet, pod);
		settled = put_pod(kubelet, pod) && refresh_token(kubelet, pod) && settled;
	}
	settled = refresh_trust(kubelet) && settled;
	settled = put_slices(kubelet) && settled;
	if (settled)
		kubelet->said[0] = '\0';
	return settled;
}

/* False: asked to end. */
static bool wait_signal(int64_t ms)
{
	sigset_t ends;
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	return sigtimedwait(&ends, NULL, &time) < 0;
}

static void kubelet_fini(struct kubelet *kubelet)
{
	remote_close(kubelet->remote);
	json_decref(kubelet->slices);
	free(kubelet->trust);
	for (size_t i = 0; i < LAB_PODS; i++)
		free(kubelet->pods[i].uid);
}

bool lab_kubelet_run(const struct lab_kubelet_config *config, struct err *err)
{
	struct kubelet CLEANUP(kubelet_fini) kubelet = {.config = config};
	char *path CLEANUP(free_ptr) =
		xasprintf("%s/%s/kubeconfig", config->dir, config->host->name);
	for (size_t i = 0; i < LAB_PODS; i++)
		kubelet.pods[i].plan = &lab_pods[i];
	kubelet.remote = remote_open_file(path, NULL, err);
	if (kubelet.remote == NULL)
		return false;
	while (wait_signal(tick(&kubelet) ? TICK_MS : UNSETTLED_TICK_MS))
		continue;
	return true;
}
