/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/istiod_node.h"

#include <stdlib.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "certs/identity.h"
#include "xds/message.h"
#include "xds/proto/core.pb-c.h"
#include "xds/proto/google.pb-c.h"

/* The version of Istio's proxies whose resources this reader was held against. */
#define SPEAKS "1.31.0"

enum {
	TEXT_MAX = 1024
};

/* --- Structs ---------------------------------------------------------------------------------- */

struct pair {
	const char *key;
	const char *value; /* NULL or "": left out */
};

/* Appends one field of a Struct; repeated fields may be packed one by one. */
static void put_value(struct buf *out, const char *key, Google__Value *value)
{
	Google__StructField field = GOOGLE__STRUCT_FIELD__INIT;
	Google__StructField *list[] = {&field};
	Google__Struct one = GOOGLE__STRUCT__INIT;
	field.key = str_lend(key);
	field.value = value;
	one.fields = list;
	one.n_fields = 1;
	xds_message_pack(&one.base, out);
}

static void put_text(struct buf *out, struct pair pair)
{
	Google__Value value = GOOGLE__VALUE__INIT;
	if (pair.value == NULL || pair.value[0] == '\0')
		return;
	value.string_value = str_lend(pair.value);
	put_value(out, pair.key, &value);
}

static void put_struct(struct buf *out, const char *key, const struct buf *bytes)
{
	Google__Value value = GOOGLE__VALUE__INIT;
	value.has_struct_value = true;
	value.struct_value.data = (uint8_t *)bytes->ptr;
	value.struct_value.len = bytes->len;
	put_value(out, key, &value);
}

static void put_labels(struct buf *out, const struct ew_config *config)
{
	struct buf labels CLEANUP(buf_fini) = {0};
	json_t *given = config->control_plane.istiod.labels;
	const char *key;
	json_t *value;
	buf_init(&labels, EW_ISTIOD_NODE_MAX);
	json_object_foreach (given, key, value)
		put_text(&labels, (struct pair){key, json_string_value(value)});
	if (json_object_get(given, "topology.istio.io/network") == NULL)
		put_text(&labels, (struct pair){"topology.istio.io/network", config->network});
	put_struct(out, "LABELS", &labels);
}

static void put_metadata(struct buf *out, const struct ew_config *config,
                         const struct ew_istiod_pod *pod)
{
	const struct ew_control_plane_config *plane = &config->control_plane;
	const struct pair pairs[] = {
		{"CLUSTER_ID", plane->cluster},
		{"INSTANCE_IPS", pod->ip},
		{"ISTIO_VERSION", SPEAKS},
		{"MESH_ID", plane->istiod.mesh_id},
		{"NAME", pod->name},
		{"NAMESPACE", plane->istiod.namespace_},
		{"NETWORK", config->network},
		/* of its own network alone, so that nothing is passed on to another gateway */
		{"REQUESTED_NETWORK_VIEW", config->network},
		{"SERVICE_ACCOUNT", plane->istiod.account},
		{"WORKLOAD_NAME", plane->name},
	};
	for (size_t i = 0; i < N_ELEMS(pairs); i++)
		put_text(out, pairs[i]);
	put_labels(out, config);
}

/* --- the node --------------------------------------------------------------------------------- */

static bool check(const struct ew_config *config, const struct ew_istiod_pod *pod, struct err *err)
{
	const struct ew_control_plane_config *plane = &config->control_plane;
	struct ip ip;
	const struct pair needed[] = {{"controlPlane.cluster", plane->cluster},
	                              {"controlPlane.name", plane->name},
	                              {"network", config->network},
	                              {"the pod's name", pod->name}};
	for (size_t i = 0; i < N_ELEMS(needed); i++) {
		const char *value = needed[i].value;
		if (value == NULL || value[0] == '\0')
			return err_set(err, ERR_INVALID, "%s: is missing; an istiod has to be told",
			               needed[i].key);
		if (strchr(value, '~') != NULL || strlen(value) > TEXT_MAX)
			return err_set(err, ERR_INVALID, "%s: '%.80s' is no name", needed[i].key,
			               value);
	}
	return (pod->ip != NULL && ip_parse(str_from(pod->ip), &ip)) ||
	       err_set(err, ERR_INVALID,
	               "INSTANCE_IP: '%s' is no IP address; set it from status.podIP",
	               pod->ip != NULL ? pod->ip : "");
}

static void put_locality(Envoy__Locality *locality, char *parts)
{
	char **const fields[] = {&locality->region, &locality->zone, &locality->sub_zone};
	for (size_t i = 0; i < N_ELEMS(fields) && parts != NULL; i++)
		*fields[i] = strsep(&parts, "/");
}

bool ew_istiod_node_encode(const struct ew_config *config, const struct ew_istiod_pod *pod,
                           struct buf *out, struct err *err)
{
	const struct ew_istiod_config *istiod = &config->control_plane.istiod;
	if (!check(config, pod, err))
		return false;
	struct buf metadata CLEANUP(buf_fini) = {0};
	buf_init(&metadata, EW_ISTIOD_NODE_MAX);
	put_metadata(&metadata, config, pod);
	char *id CLEANUP(free_ptr) =
		xasprintf("router~%s~%s.%s~%s.svc.%s", pod->ip, pod->name, istiod->namespace_,
	                  istiod->namespace_, istiod->domain);
	char *cluster CLEANUP(free_ptr) =
		xasprintf("%s.%s", config->control_plane.name, istiod->namespace_);
	char *parts CLEANUP(free_ptr) = xstrdup(config->locality);
	Envoy__Locality locality = ENVOY__LOCALITY__INIT;
	Envoy__Node node = ENVOY__NODE__INIT;
	node.id = id;
	node.cluster = cluster;
	node.has_metadata = true;
	node.metadata.data = (uint8_t *)metadata.ptr;
	node.metadata.len = metadata.len;
	if (parts[0] != '\0') {
		put_locality(&locality, parts);
		node.locality = &locality;
	}
	xds_message_pack(&node.base, out);
	return !(buf_failed(&metadata) || buf_failed(out)) ||
	       err_set(err, ERR_TOO_LARGE, "controlPlane.istiod: more than %d bytes",
	               EW_ISTIOD_NODE_MAX);
}

bool ew_istiod_node_uri(const struct ew_istiod_config *config, char **ret_uri, struct err *err)
{
	struct cert_identity identity;
	char *uri = xasprintf("spiffe://%s/ns/%s/sa/%s", config->trust_domain, config->namespace_,
	                      config->account);
	if (!cert_identity_parse(str_from(uri), &identity, err)) {
		free(uri);
		return err_wrap(err, "controlPlane.istiod");
	}
	*ret_uri = uri;
	return true;
}
