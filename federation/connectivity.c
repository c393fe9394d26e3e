/* SPDX-License-Identifier: Apache-2.0 */
#include "connectivity.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

struct connectivity {
	struct loop *loop;
	struct probe_service *service;
};

struct connectivity *connectivity_create(const struct connectivity_config *config)
{
	struct connectivity *connectivity = xcalloc(1, sizeof(*connectivity));
	struct probe_service_config service = {
		.loop = config->loop,
		.grpc = config->grpc,
		.trust_domain = config->trust_domain,
		.cluster_may = config->cluster_may,
		.arg = config->arg,
	};
	connectivity->loop = config->loop;
	connectivity->service = probe_service_create(&service);
	return connectivity;
}

void connectivity_destroy(struct connectivity *connectivity)
{
	if (connectivity == NULL)
		return;
	probe_service_destroy(connectivity->service);
	free(connectivity);
}

/* --- topology -----------------------------------------------------------------------------------
 */

static size_t add_clusters(struct mesh *mesh, struct probe_cluster *clusters)
{
	struct tree_iter it;
	size_t n = 0;
	for (const struct mesh_cluster *from = tree_first(&it, mesh->clusters); from != NULL;
	     from = tree_next(&it))
		clusters[n++] = (struct probe_cluster){
			.name = from->name,
			.network = from->network,
			.joined = mesh_is_joined(mesh, from->network),
		};
	return n;
}

static size_t count_gateways(struct mesh *mesh)
{
	struct tree_iter it;
	size_t n = 0;
	for (const struct mesh_network *network = tree_first(&it, mesh->networks); network != NULL;
	     network = tree_next(&it))
		n += network->n_gateways;
	return n;
}

static void add_gateways(struct mesh *mesh, struct probe_gateway *gateways)
{
	struct tree_iter it;
	size_t n = 0;
	for (const struct mesh_network *network = tree_first(&it, mesh->networks); network != NULL;
	     network = tree_next(&it)) {
		for (size_t i = 0; i < network->n_gateways; i++)
			gateways[n++] = (struct probe_gateway){
				.name = network->gateways[i].name,
				.network = network->name,
				.address = network->gateways[i].address,
				.port = network->gateways[i].port,
			};
	}
}

void connectivity_follow(struct connectivity *connectivity, struct mesh *mesh)
{
	struct err err;
	size_t n_gateways = count_gateways(mesh);
	struct probe_cluster *clusters = xcalloc(tree_len(mesh->clusters) + 1, sizeof(*clusters));
	struct probe_gateway *gateways = xcalloc(n_gateways + 1, sizeof(*gateways));
	struct probe_topology topology = {
		.clusters = clusters,
		.n_clusters = add_clusters(mesh, clusters),
		.gateways = gateways,
		.n_gateways = n_gateways,
	};
	add_gateways(mesh, gateways);
	if (!probe_service_set_topology(connectivity->service, &topology, &err))
		log_warn("fedwayd", "connectivity goes on with what was there: %s", err.msg);
	free(clusters);
	free(gateways);
}

bool connectivity_has_probe(const struct connectivity *connectivity, const char *cluster)
{
	return probe_service_has_probe(connectivity->service, cluster);
}

/* --- ConnectivityMatrix: {spec: {run}} ----------------------------------------------------------
 */

static void reply(const struct probe_matrix *matrix, struct answer *answer)
{
	answer_reply(answer, probe_matrix_encode(matrix, clock_now_ms(), clock_wall_s()));
}

static void on_run(const struct probe_matrix *matrix, void *arg)
{
	reply(matrix, arg);
}

void connectivity_answer(struct connectivity *connectivity, struct answer *answer,
                         const json_t *body)
{
	struct err err;
	const struct probe_matrix *matrix = probe_service_matrix(connectivity->service);
	if (matrix == NULL) {
		err_set(&err, ERR_UNAVAILABLE, "the control plane is still reading its objects");
		answer_fail(answer, &err);
	} else if (json_bool_at(body, "spec.run", false)) {
		probe_service_run(connectivity->service, on_run, answer);
	} else {
		reply(matrix, answer);
	}
}
