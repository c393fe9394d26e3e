/* SPDX-License-Identifier: Apache-2.0 */
#include "status_parts.h"

#include "base/buf.h"
#include "base/json.h"
#include "certs/key.h"
#include "model/service_status.h"

enum {
	TEXT_MAX = 2000
};

static const struct status_field unsupported[] = {
	{"spec.failover", "Liveness"},
	{"spec.resourceSync.enabled", NULL},
	{"spec.trust.rootSecretRef", NULL},
	{"spec.onClusterLoss.action", "Keep"},
};

static json_t *roots_of(const struct cert_store *store)
{
	char serial[CERT_SERIAL_MAX];
	const X509 *root = cert_ca_x509(cert_store_root(store));
	return json_pack("[{ss so}]", "serial", cert_x509_serial(root, serial), "notAfter",
	                 status_time(cert_x509_not_after(root)));
}

json_t *status_mesh(const json_t *obj, const struct world *world, const struct cert_store *store,
                    const struct status_counts *counts, struct status_now now)
{
	json_t *conditions = status_conditions(obj);
	bool same = strcmp(world->mesh.trust_domain, cert_store_trust_domain(store)) == 0;
	struct status_line line = {"Ready", same, same ? "Serving" : "TrustDomainFixed",
	                           same ? "the control plane serves this mesh"
	                                : "spec.trustDomain is fixed once the root exists; the old "
	                                  "one stays in force"};
	status_say(conditions, obj, &line, now);
	status_say_accepted(conditions, obj, NULL, now);
	status_say_supported(conditions, obj, unsupported,
	                     sizeof(unsupported) / sizeof(unsupported[0]), now);
	return json_pack("{so s{so} s{sI sI} sI sI}", "conditions", conditions, "trust", "roots",
	                 roots_of(store), "gateways", "connected", (json_int_t)counts->connected,
	                 "acknowledged", (json_int_t)counts->acknowledged, "clusters",
	                 (json_int_t)map_len(&world->members), "services",
	                 (json_int_t)counts->services);
}

/* --- MeshService --------------------------------------------------------------------------------
 */

json_t *status_service(const json_t *obj, const struct mesh *mesh,
                       const struct mesh_service *service, struct status_now now)
{
	json_t *conditions = status_conditions(obj);
	json_t *status = service_status(mesh, service);
	bool exposed = service->left_out == MESH_USED;
	struct status_line line = {"Exposed", exposed, exposed ? "Routed" : "LeftOut",
	                           exposed ? "gateways of the mesh have routes to it"
	                                   : mesh_left_out_text(service->left_out)};
	status_say(conditions, obj, &line, now);
	bool same = service->n_conflicts == 0;
	struct status_line agree = {"PortsAgree", same, same ? "Same" : "Differ",
	                            same ? "all clusters have the same ports"
	                                 : service->conflicts[0]};
	status_say(conditions, obj, &agree, now);
	json_object_set_new(status, "conditions", conditions);
	return status;
}

bool status_service_is_lost(const json_t *obj, const struct world *world)
{
	size_t i;
	json_t *entry;
	json_array_foreach (json_at(obj, "status.clusters"), i, entry) {
		const struct member *member =
			world_member(world, json_str_at(entry, "cluster", ""));
		if (member != NULL && member->lost && !member->complete)
			return true;
	}
	return false;
}

/* --- DestinationRule ----------------------------------------------------------------------------
 */

json_t *status_rule(const json_t *obj, const struct policy *policy, bool used,
                    struct status_now now)
{
	json_t *conditions = status_conditions(obj);
	struct buf notes CLEANUP(buf_fini);
	buf_init(&notes, TEXT_MAX);
	for (size_t i = 0; i < policy->n_notes; i++)
		buf_printf(&notes, "%s%s", i > 0 ? "; " : "", policy->notes[i]);
	struct status_line lines[] = {
		{"Used", used, used ? "HostFound" : "NoHost",
	         used ? "spec.host is a service of the mesh"
	              : "spec.host names no service of the mesh"},
		{"Honoured", policy->n_notes == 0, policy->n_notes == 0 ? "All" : "NoMeaning",
	         policy->n_notes == 0 ? "every field has a meaning for passthrough"
	                              : buf_text(&notes)},
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		status_say(conditions, obj, &lines[i], now);
	status_say_accepted(conditions, obj, NULL, now);
	return json_pack("{so}", "conditions", conditions);
}
