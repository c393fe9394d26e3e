/* SPDX-License-Identifier: Apache-2.0 */
#include "status_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "certs/key.h"
#include "kube/meta.h"
#include "model/service_status.h"

enum {
	TEXT_MAX = 4000,
	OUTAGES_SAID = 5 /* of a service; each is at most 700 bytes */
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

/* Notes of the model, each of which begins with the last part of its field's path. */
struct notes_said {
	const char *path;
	const char *const *notes;
	size_t n;
};

static void say_honoured(json_t *conditions, const json_t *obj, const struct notes_said *said,
                         struct status_now now)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, TEXT_MAX);
	for (size_t i = 0; i < said->n; i++)
		buf_printf(&text, "%s%s%s", i > 0 ? "; " : "", said->path, said->notes[i]);
	bool all = said->n == 0;
	struct status_line line = {"Honoured", all, all ? "All" : "NoMeaning",
	                           all ? "every field has a meaning for passthrough"
	                               : buf_text(&text)};
	status_say(conditions, obj, &line, now);
}

static void say_locality(json_t *conditions, const json_t *obj, struct status_now now)
{
	struct locality_setting setting;
	const char **notes;
	size_t n;
	locality_setting_decode(json_at(obj, "spec.localityLbSetting"), &setting, &notes, &n);
	say_honoured(conditions, obj, &(struct notes_said){"spec.localityLbSetting.", notes, n},
	             now);
	locality_setting_fini(&setting);
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)notes[i]);
	free(notes);
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
	say_locality(conditions, obj, now);
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

/* Only of services that it was ever false of. */
static void say_answering(json_t *conditions, const json_t *obj, const struct mesh_service *service,
                          struct status_now now)
{
	struct buf text CLEANUP(buf_fini);
	bool all = service->outages.n == 0;
	buf_init(&text, TEXT_MAX);
	if (all && kube_condition_find(obj, "Answering") == NULL)
		return;
	for (size_t i = 0; i < service->outages.n && i < OUTAGES_SAID; i++)
		buf_printf(&text, "%snetwork %s, %s: %s", i > 0 ? "; " : "",
		           service->outages.list[i].network, service->outages.list[i].sni,
		           service->outages.list[i].why);
	if (service->outages.n > OUTAGES_SAID)
		buf_printf(&text, "; and %zu more", service->outages.n - OUTAGES_SAID);
	buf_printf(&text, " (FED-132)");
	struct status_line line = {"Answering", all, all ? "All" : "NotAnswering",
	                           all ? "no gateway says that its endpoints refuse"
	                               : buf_text(&text)};
	status_say(conditions, obj, &line, now);
}

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
	say_answering(conditions, obj, service, now);
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

static struct status_line used_line(const struct status_rule_use *use, char text[TEXT_MAX])
{
	if (use->before == NULL)
		return (struct status_line){"Used", use->found, use->found ? "HostFound" : "NoHost",
		                            use->found ? "spec.host is a service of the mesh"
		                                       : "spec.host names no service of the mesh"};
	snprintf(text, TEXT_MAX,
	         "DestinationRule '%s' has the same spec.host and is older: it alone is in force, "
	         "the "
	         "two are not merged",
	         use->before);
	return (struct status_line){"Used", false, "Shadowed", text};
}

json_t *status_rule(const json_t *obj, const struct policy *policy,
                    const struct status_rule_use *use, struct status_now now)
{
	json_t *conditions = status_conditions(obj);
	char text[TEXT_MAX];
	struct status_line line = used_line(use, text);
	status_say(conditions, obj, &line, now);
	say_honoured(conditions, obj, &(struct notes_said){"", policy->notes, policy->n_notes},
	             now);
	status_say_accepted(conditions, obj, NULL, now);
	return json_pack("{so}", "conditions", conditions);
}
