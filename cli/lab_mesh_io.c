/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_inside.h"
#include "lab_mesh.h"
#include "lab_pods.h"
#include "lab_start.h"
#include "remote.h"
#include "resources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

enum {
	KUBECONFIG_MAX_ = 1 << 20,
	TELL_S_MS = 2000 /* what took longer is told */
};

struct mesh {
	const struct lab_mesh_config *config;
	struct remote *remotes[LAB_HOSTS_MAX]; /* by number; the control plane's is 0 */
	int64_t began_ms;                      /* the part under way */
};

static struct lab_place place_of(const struct mesh *mesh, const struct lab_host *host)
{
	return (struct lab_place){mesh->config->dir, host, mesh->config->embedded};
}

static void tell(struct mesh *mesh, const char *what, const char *text)
{
	char mark[LOOK_MARK_MAX];
	int64_t took_ms = clock_now_ms() - mesh->began_ms;
	printf("  %s %-14s %s", look_mark(mesh->config->look, MARK_PASS, mark), what, text);
	if (took_ms >= TELL_S_MS)
		printf("  (%.1f s)", (double)took_ms / 1000);
	printf("\n");
	fflush(stdout);
	mesh->began_ms = clock_now_ms();
}

/* --- parts ------------------------------------------------------------------------------------ */

/* One program on all hosts that have it: all at once, then each waited for. */
static bool start(struct mesh *mesh, const char *name, struct err *err)
{
	for (int round = 0; round < 2; round++) {
		for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
			struct lab_place place = place_of(mesh, host);
			const struct lab_program *program =
				lab_program_find(name, host, place.embedded);
			if (program == NULL)
				continue;
			bool ok = round == 0 ? lab_start(&place, program, mesh->config->bin, err)
			                     : lab_start_wait(&place, program, err);
			if (!ok)
				return false;
		}
	}
	return true;
}

/* Written a moment after its door has opened. */
static bool copy_kubeconfig(const struct mesh *mesh, const struct lab_host *host,
                            const char *program, struct err *err)
{
	struct buf text CLEANUP(buf_fini);
	char *from CLEANUP(free_ptr) =
		xasprintf("%s/%s/%s/admin.kubeconfig", mesh->config->dir, host->name, program);
	char *to CLEANUP(free_ptr) = xasprintf("%s/%s/kubeconfig", mesh->config->dir, host->name);
	int64_t since_ms = clock_now_ms();
	buf_init(&text, KUBECONFIG_MAX_);
	while (!file_load(from, &text, err)) {
		if (!lab_wait_a_little(since_ms, LAB_WAIT_MS))
			return false;
	}
	return file_save(to, buf_str(&text), 0600, err);
}

/* Opens the API server of a host and waits until it answers. */
static bool open_api(struct mesh *mesh, const struct lab_host *host, struct err *err)
{
	char *path CLEANUP(free_ptr) = xasprintf("%s/%s/kubeconfig", mesh->config->dir, host->name);
	int64_t since_ms = clock_now_ms();
	struct remote *remote = remote_open_file(path, NULL, err);
	mesh->remotes[host->number] = remote;
	if (remote == NULL)
		return false;
	do {
		json_t *answer = remote_get_path(remote, "/version", err);
		json_decref(answer);
		if (answer != NULL)
			return true;
	} while (lab_wait_a_little(since_ms, LAB_WAIT_MS));
	return err_wrap(err, "the API server of %s", host->name);
}

/* An API server that has just begun may not serve every type yet. */
static bool apply(struct remote *remote, const json_t *object, struct err *err)
{
	struct kube_ref ref = lab_ref_of(object);
	int64_t since_ms = clock_now_ms();
	do {
		json_t *answer = remote_apply(remote, &ref, object, err);
		json_decref(answer);
		if (answer != NULL)
			return true;
	} while (err->code == ERR_NOT_FOUND && lab_wait_a_little(since_ms, LAB_WAIT_MS));
	return false;
}

static bool apply_all(struct remote *remote, const json_t *objects, struct err *err)
{
	for (size_t i = 0; i < json_array_size(objects); i++) {
		if (!apply(remote, json_array_get(objects, i), err))
			return false;
	}
	return true;
}

static bool start_members(struct mesh *mesh, struct err *err)
{
	json_t *objects CLEANUP(json_cleanup) = lab_member_objects();
	if (!start(mesh, "kube", err))
		return false;
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		if (host->number == 0)
			continue;
		if ((mesh->config->embedded && !copy_kubeconfig(mesh, host, "kube", err)) ||
		    !open_api(mesh, host, err) ||
		    !apply_all(mesh->remotes[host->number], objects, err))
			return err_wrap(err, "%s", host->cluster);
	}
	tell(mesh, "API servers",
	     mesh->config->embedded ? "three, of fedwayd --role member" : "those given");
	return true;
}

static bool start_control(struct mesh *mesh, struct err *err)
{
	const struct lab_host *control = lab_host_find("control");
	char text[LAB_NAME_MAX];
	if (!start(mesh, "fedwayd", err) || !copy_kubeconfig(mesh, control, "fedwayd", err) ||
	    !open_api(mesh, control, err))
		return false;
	snprintf(text, sizeof(text), "https://%s:6443", control->wan);
	tell(mesh, "control plane", text);
	return true;
}

/* --- joining ---------------------------------------------------------------------------------- */

static bool is_in_phase(const json_t *obj, void *arg)
{
	return strcmp(json_str_at(obj, "status.phase", ""), arg) == 0;
}

static bool has_condition(const json_t *obj, void *arg)
{
	return obj != NULL && kube_condition_is_true(obj, arg);
}

static bool is_served(const json_t *obj, void *arg)
{
	return strcmp(json_str_at(obj, "status.endpoints", ""), arg) == 0;
}

struct wish {
	int where; /* number of the host whose API server says so */
	const struct kube_resource *resource;
	const char *namespace_;
	const char *name;
	remote_seen_cb seen;
	const char *arg;
};

static bool wait_for(struct mesh *mesh, const struct wish *wish, struct err *err)
{
	struct kube_ref ref = {wish->resource, wish->namespace_, wish->name, NULL};
	char *arg CLEANUP(free_ptr) = xstrdup(wish->arg);
	return remote_follow(mesh->remotes[wish->where], &ref, LAB_WAIT_MS, wish->seen, arg, err) ||
	       err_wrap(err, "%s '%s' is not yet %s", wish->resource->kind, wish->name, wish->arg);
}

static bool join_one(struct mesh *mesh, const struct lab_host *host, struct err *err)
{
	char *config CLEANUP(free_ptr) = remote_kubeconfig(mesh->remotes[host->number]);
	json_t *objects CLEANUP(json_cleanup) = lab_control_objects(host, config);
	return apply_all(mesh->remotes[0], objects, err);
}

static bool join_all(struct mesh *mesh, struct err *err)
{
	if (!start(mesh, "kubelet", err))
		return false;
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		if (host->number != 0 && !join_one(mesh, host, err))
			return false;
	}
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		struct wish wish = {0, &cli_cluster, NULL, host->cluster, is_in_phase, "Ready"};
		if (host->number == 0)
			continue;
		if (!wait_for(mesh, &wish, err))
			return false;
		tell(mesh, host->cluster, "has joined");
	}
	return true;
}

/* --- gateways and workloads ------------------------------------------------------------------- */

/* What the kubelet player puts into a Pod's folder. */
static bool wait_mounts(const struct mesh *mesh, const struct lab_host *host, const char *program,
                        struct err *err)
{
	int64_t since_ms = clock_now_ms();
	char *token CLEANUP(free_ptr) =
		xasprintf("%s/%s/%s/token", mesh->config->dir, host->name, program);
	char *trust CLEANUP(free_ptr) =
		xasprintf("%s/%s/%s/trust.pem", mesh->config->dir, host->name, program);
	do {
		if (access(token, F_OK) == 0 && access(trust, F_OK) == 0)
			return true;
		if (lab_program_pid(mesh->config->dir, host->name, "kubelet") == 0)
			break;
	} while (lab_wait_a_little(since_ms, LAB_WAIT_MS));
	return err_set(err, ERR_TIMEOUT,
	               "no token and trust bundle for %s on %s; %s/%s/kubelet/log.txt says why",
	               program, host->name, mesh->config->dir, host->name);
}

static bool save_config(const struct lab_place *place, const char *program, char *text,
                        struct err *err)
{
	char *owned CLEANUP(free_ptr) = text;
	char *path CLEANUP(free_ptr) =
		xasprintf("%s/%s/%s/%s.yaml", place->dir, place->host->name, program, program);
	return file_save(path, str_from(owned), 0644, err);
}

static bool certify(const struct mesh *mesh, const struct lab_place *place, const char *program,
                    struct err *err)
{
	return lab_start_once(place, program,
	                      "fedway certs issue --cluster {cluster} --token-file token "
	                      "--roots trust.pem --address {control}:15012",
	                      mesh->config->bin, err);
}

static bool prepare(struct mesh *mesh, const struct lab_host *host, struct err *err)
{
	struct lab_place place = place_of(mesh, host);
	char *xds CLEANUP(free_ptr) = lab_expand(STR_LIT("{control}:15012"), &place);
	for (size_t i = 0; i < LAB_PODS; i++) {
		if (!wait_mounts(mesh, host, lab_pods[i].program, err))
			return false;
	}
	return save_config(&place, "gateway", lab_gateway_config(&place, xds), err) &&
	       save_config(&place, "probe", lab_probe_config(&place, xds), err) &&
	       certify(mesh, &place, "helloworld", err) && certify(mesh, &place, "sleep", err);
}

static bool prepare_all(struct mesh *mesh, struct err *err)
{
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		if (host->number != 0 && !prepare(mesh, host, err))
			return false;
	}
	tell(mesh, "credentials", "tokens, trust bundles and certificates of the workloads");
	return start(mesh, "gateway", err) && start(mesh, "helloworld", err) &&
	       start(mesh, "probe", err);
}

static bool wait_gateways(struct mesh *mesh, struct err *err)
{
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		char name[LAB_NAME_MAX];
		struct wish ready = {0, &cli_gateway, NULL, name, has_condition, "Ready"};
		struct wish joined = {0, &cli_group, NULL, host->network, has_condition, "Joined"};
		snprintf(name, sizeof(name), "gw-%d", host->number);
		if (host->number != 0 &&
		    (!wait_for(mesh, &ready, err) || !wait_for(mesh, &joined, err)))
			return false;
	}
	tell(mesh, "gateways", "three, connected and up to date");
	return true;
}

static bool wait_workloads(struct mesh *mesh, struct err *err)
{
	struct wish served = {0, &cli_service, LAB_NAMESPACE, "helloworld", is_served, "3/3"};
	if (!wait_for(mesh, &served, err))
		return false;
	tell(mesh, "helloworld", "3/3 endpoints");
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		const struct lab_pod *pod = lab_pod_find("probe");
		struct wish ready = {host->number, &KUBE_PODS,    pod->namespace_,
		                     pod->name,    has_condition, "Ready"};
		if (host->number != 0 && !wait_for(mesh, &ready, err))
			return false;
	}
	tell(mesh, "probes", "three");
	return true;
}

bool lab_mesh_bring_up(const struct lab_mesh_config *config, struct err *err)
{
	struct mesh mesh = {.config = config, .began_ms = clock_now_ms()};
	bool ok = start_members(&mesh, err) && start_control(&mesh, err) && join_all(&mesh, err) &&
	          prepare_all(&mesh, err) && wait_gateways(&mesh, err) &&
	          wait_workloads(&mesh, err);
	for (size_t i = 0; i < LAB_HOSTS_MAX; i++)
		remote_close(mesh.remotes[i]);
	return ok;
}
