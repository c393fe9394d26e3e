/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/service_io.h"

#include "service_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "probe/work.h"

struct agent *probe_service_find(const struct probe_service *service, const char *cluster)
{
	list_for_each (it, &service->agents) {
		struct agent *agent = LIST_ENTRY(it, struct agent, link);
		if (strcmp(agent->who.cluster, cluster) == 0)
			return agent;
	}
	return NULL;
}

/* --- streams ---------------------------------------------------------------------------------- */

static bool judge_caller(struct probe_service *service, const struct grpc_call *call,
                         struct cert_identity *ret_who, struct err *err)
{
	STACK_OF(X509) *chain = http_exchange_peer_chain(grpc_call_exchange(call));
	if (chain == NULL)
		return err_set(err, ERR_UNAUTHORIZED,
		               "a client certificate of a probe is needed (CreateCertificate gives "
		               "one for a token)");
	if (!cert_identity_of_chain(chain, service->trust_domain, ret_who, err))
		return false;
	if (ret_who->kind != CERT_PROBE)
		return err_set(err, ERR_FORBIDDEN, "a %s has no business here",
		               cert_kind_name(ret_who->kind));
	return service->config.cluster_may == NULL ||
	       service->config.cluster_may(ret_who->cluster, service->config.arg, err);
}

static void on_open(struct grpc_call *call, void *arg)
{
	struct probe_service *service = arg;
	struct err err;
	struct agent *agent = xcalloc(1, sizeof(*agent));
	if (!judge_caller(service, call, &agent->who, &err)) {
		log_warn("probe", "stream refused: %s", err.msg);
		free(agent);
		grpc_call_end(call, grpc_status_of_err(err.code), err.msg);
		return;
	}
	agent->service = service;
	agent->call = call;
	list_init(&agent->link);
	list_prepend(&service->agents, &agent->link);
	grpc_call_set_data(call, agent);
	log_info("probe", "probe %s of %s is here", agent->who.name, agent->who.cluster);
	probe_service_hurry(service);
}

static void drop_agent(struct agent *agent)
{
	if (agent == NULL)
		return;
	list_remove(&agent->link);
	probe_service_on_agent_gone(agent->service, agent);
	free(agent);
}

static void on_message(struct grpc_call *call, struct str message, void *arg)
{
	struct probe_service *service = arg;
	struct agent *agent = grpc_call_data(call);
	struct probe_result result;
	char id[PROBE_ID_MAX];
	struct err err;
	if (agent == NULL)
		return;
	if (probe_result_decode(message, id, &result, &err))
		probe_service_on_result(service, agent, id, &result);
	else
		log_warn("probe", "result of %s left out: %s", agent->who.cluster, err.msg);
}

static void on_half_close(struct grpc_call *call, void *arg)
{
	(void)arg;
	drop_agent(grpc_call_data(call));
	grpc_call_set_data(call, NULL);
	grpc_call_end(call, GRPC_OK, NULL);
}

static void on_gone(struct grpc_call *call, const struct err *why, void *arg)
{
	(void)why;
	(void)arg;
	drop_agent(grpc_call_data(call));
}

/* --- life ------------------------------------------------------------------------------------- */

struct probe_service *probe_service_create(const struct probe_service_config *config)
{
	const struct probe_topology empty = {.n_clusters = 0};
	struct err err;
	struct probe_service *service = xcalloc(1, sizeof(*service));
	service->config = *config;
	service->trust_domain = xstrdup(config->trust_domain);
	if (service->config.interval_ms == 0)
		service->config.interval_ms = PROBE_SERVICE_INTERVAL_MS;
	if (service->config.check_deadline_ms == 0)
		service->config.check_deadline_ms = PROBE_DEADLINE_MS;
	list_init(&service->agents);
	service->matrix = probe_matrix_create(&empty, &err);
	if (service->matrix == NULL)
		UNREACHABLE("nothing is not too large");
	probe_service_runs_init(service);
	service->method = (struct grpc_method){
		.path = PROBE_WORK_PATH,
		.message_max = PROBE_MESSAGE_MAX,
		.arg = service,
		.on_open = on_open,
		.on_message = on_message,
		.on_half_close = on_half_close,
		.on_gone = on_gone,
	};
	grpc_server_add(config->grpc, &service->method);
	return service;
}

void probe_service_destroy(struct probe_service *service)
{
	if (service == NULL)
		return;
	list_for_each_safe (it, &service->agents) {
		struct agent *agent = LIST_ENTRY(it, struct agent, link);
		list_remove(&agent->link);
		free(agent);
	}
	probe_service_runs_fini(service);
	probe_matrix_destroy(service->matrix);
	free(service->trust_domain);
	free(service);
}

bool probe_service_has_probe(const struct probe_service *service, const char *cluster)
{
	return probe_service_find(service, cluster) != NULL;
}

const struct probe_matrix *probe_service_matrix(const struct probe_service *service)
{
	return service->matrix;
}

bool probe_service_set_topology(struct probe_service *service,
                                const struct probe_topology *topology, struct err *err)
{
	if (probe_topology_eq(topology, probe_matrix_topology(service->matrix)))
		return true;
	struct probe_matrix *matrix = probe_matrix_create(topology, err);
	if (matrix == NULL)
		return false;
	probe_matrix_carry(matrix, service->matrix);
	probe_matrix_destroy(service->matrix);
	service->matrix = matrix;
	if (service->running)
		probe_service_begin(service);
	else
		probe_service_hurry(service);
	return true;
}
