/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/cluster.h"

#include "metadata_priv.h"
#include "name_priv.h"
#include "pbc_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/cluster.pb-c.h"

static const Envoy__Cluster__LbPolicy policies[] = {
	[XDS_LB_ROUND_ROBIN] = ENVOY__CLUSTER__LB_POLICY__ROUND_ROBIN,
	[XDS_LB_LEAST_REQUEST] = ENVOY__CLUSTER__LB_POLICY__LEAST_REQUEST,
	[XDS_LB_RANDOM] = ENVOY__CLUSTER__LB_POLICY__RANDOM,
	/* the hash itself is in the ingress listener's tcp_proxy */
	[XDS_LB_SOURCE_IP] = ENVOY__CLUSTER__LB_POLICY__MAGLEV,
};

void xds_cluster_fini(struct xds_cluster *cluster)
{
	free(cluster->sni);
	free(cluster->service);
	free(cluster->port_name);
	*cluster = (struct xds_cluster){0};
}

/* --- encoding --------------------------------------------------------------------------------- */

static struct xds_resource *finish(const Envoy__Cluster *msg, struct err *err)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, XDS_RESOURCE_MAX);
	xds_message_pack(&msg->base, &bytes);
	if (buf_failed(&bytes)) {
		err_set(err, ERR_TOO_LARGE, "cluster '%s' is over %d bytes", msg->name,
		        XDS_RESOURCE_MAX);
		return NULL;
	}
	return xds_resource_create(XDS_CLUSTER, str_from(msg->name), buf_str(&bytes), err);
}

/* Adds the parts that every cluster of ours has alike, and encodes. */
static struct xds_resource *add_fixed(Envoy__Cluster *msg, struct err *err)
{
	Google__Empty ads = GOOGLE__EMPTY__INIT;
	Envoy__ConfigSource source = ENVOY__CONFIG_SOURCE__INIT;
	source.ads = &ads;
	source.has_resource_api_version = true;
	source.resource_api_version = ENVOY__API_VERSION__V3;
	Envoy__EdsClusterConfig eds = ENVOY__EDS_CLUSTER_CONFIG__INIT;
	eds.eds_config = &source;
	msg->has_type = true;
	msg->type = ENVOY__CLUSTER__DISCOVERY_TYPE__EDS;
	msg->eds_cluster_config = &eds;
	return finish(msg, err);
}

static struct xds_resource *add_metadata(const struct xds_cluster *cluster, Envoy__Cluster *msg,
                                         struct err *err)
{
	struct metadata_item items[3] = {{.key = "exposed", .flag = cluster->exposed}};
	size_t n = 1;
	if (cluster->port_name != NULL)
		items[n++] = (struct metadata_item){.key = "port_name", .text = cluster->port_name};
	if (cluster->service != NULL)
		items[n++] = (struct metadata_item){.key = "service", .text = cluster->service};
	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, METADATA_BYTES_MAX);
	metadata_encode(items, n, &bytes);

	Envoy__MetadataEntry entry = ENVOY__METADATA_ENTRY__INIT;
	Envoy__MetadataEntry *entries[] = {&entry};
	entry.key = pbc_text(METADATA_KEY);
	entry.has_value = true;
	entry.value = pbc_bytes(buf_str(&bytes));
	Envoy__Metadata metadata = ENVOY__METADATA__INIT;
	metadata.filter_metadata = entries;
	metadata.n_filter_metadata = 1;
	msg->metadata = &metadata;
	return add_fixed(msg, err);
}

/* Envoy's own limits are 1024 each, too few for a door through which everybody comes. */
static struct xds_resource *add_limits(const struct xds_cluster *cluster, Envoy__Cluster *msg,
                                       struct err *err)
{
	uint32_t max = cluster->max_connections > 0 ? cluster->max_connections : UINT32_MAX;
	Google__UInt32Value connections = pbc_u32(max);
	Google__UInt32Value unlimited = pbc_u32(UINT32_MAX);
	Envoy__CircuitBreakers__Thresholds limits = ENVOY__CIRCUIT_BREAKERS__THRESHOLDS__INIT;
	limits.max_connections = &connections;
	limits.max_pending_requests = &unlimited;
	limits.max_requests = &unlimited;
	limits.max_retries = &unlimited;
	Envoy__CircuitBreakers__Thresholds *list[] = {&limits};
	Envoy__CircuitBreakers breakers = ENVOY__CIRCUIT_BREAKERS__INIT;
	breakers.thresholds = list;
	breakers.n_thresholds = 1;
	msg->circuit_breakers = &breakers;
	return add_metadata(cluster, msg, err);
}

/* A failed connect counts as a 5xx there; success rates have no meaning for passthrough. */
static struct xds_resource *add_outlier(const struct xds_cluster *cluster, Envoy__Cluster *msg,
                                        struct err *err)
{
	const struct xds_outlier *outlier = &cluster->outlier;
	Google__UInt32Value consecutive = pbc_u32(outlier->consecutive);
	Google__UInt32Value percent = pbc_u32(outlier->max_ejection_percent);
	Google__UInt32Value never = pbc_u32(0);
	Google__Duration interval = pbc_duration(outlier->interval_ms);
	Google__Duration ejection = pbc_duration(outlier->base_ejection_ms);
	Envoy__OutlierDetection detection = ENVOY__OUTLIER_DETECTION__INIT;
	detection.consecutive_5xx = &consecutive;
	detection.interval = &interval;
	detection.base_ejection_time = &ejection;
	detection.max_ejection_percent = &percent;
	detection.enforcing_success_rate = &never;
	if (outlier->consecutive > 0)
		msg->outlier_detection = &detection;
	return add_limits(cluster, msg, err);
}

/* Each step keeps its part on its own stack and calls the next; the last one packs. */
struct xds_resource *xds_cluster_encode(const struct xds_cluster *cluster, struct err *err)
{
	if (!name_is_sni(cluster->sni, err))
		return NULL;
	Google__Empty weighted = GOOGLE__EMPTY__INIT;
	Envoy__Percent panic = ENVOY__PERCENT__INIT;
	panic.has_value = true;
	panic.value = cluster->panic_percent;
	Envoy__CommonLbConfig common = ENVOY__COMMON_LB_CONFIG__INIT;
	common.healthy_panic_threshold = &panic;
	common.locality_weighted_lb_config = cluster->weighted ? &weighted : NULL;
	Google__Duration timeout = pbc_duration(cluster->connect_timeout_ms);
	Envoy__Cluster msg = ENVOY__CLUSTER__INIT;
	msg.name = cluster->sni;
	msg.connect_timeout = cluster->connect_timeout_ms > 0 ? &timeout : NULL;
	msg.has_lb_policy = true;
	msg.lb_policy = policies[cluster->lb];
	msg.common_lb_config = &common;
	return add_outlier(cluster, &msg, err);
}

/* --- decoding --------------------------------------------------------------------------------- */

static uint32_t value_or(const Google__UInt32Value *value, uint32_t dflt)
{
	return value != NULL ? value->value : dflt;
}

static enum xds_lb read_policy(const Envoy__Cluster *msg)
{
	if (msg->lb_policy == ENVOY__CLUSTER__LB_POLICY__RING_HASH)
		return XDS_LB_SOURCE_IP;
	for (size_t i = 0; i < N_ELEMS(policies); i++) {
		if (msg->lb_policy == policies[i])
			return (enum xds_lb)i;
	}
	return XDS_LB_ROUND_ROBIN;
}

static void read_outlier(const Envoy__OutlierDetection *msg, struct xds_outlier *outlier)
{
	outlier->consecutive = value_or(msg->consecutive_5xx, 5);
	outlier->interval_ms = msg->interval != NULL ? pbc_ms(msg->interval) : 10000;
	outlier->base_ejection_ms =
		msg->base_ejection_time != NULL ? pbc_ms(msg->base_ejection_time) : 30000;
	outlier->max_ejection_percent = value_or(msg->max_ejection_percent, 10);
}

static void read_policies(const Envoy__Cluster *msg, struct xds_cluster *cluster)
{
	cluster->lb = read_policy(msg);
	cluster->connect_timeout_ms = pbc_ms(msg->connect_timeout);
	const Envoy__CommonLbConfig *common = msg->common_lb_config;
	cluster->weighted = common != NULL && common->locality_weighted_lb_config != NULL;
	cluster->panic_percent = 50; /* Envoy's default */
	if (common != NULL && common->healthy_panic_threshold != NULL) {
		double percent = common->healthy_panic_threshold->value;
		cluster->panic_percent = percent > 0 && percent <= 100 ? (uint32_t)percent : 0;
	}
	const Envoy__CircuitBreakers *breakers = msg->circuit_breakers;
	if (breakers != NULL && breakers->n_thresholds > 0)
		cluster->max_connections =
			value_or(breakers->thresholds[0]->max_connections, UINT32_MAX);
	if (cluster->max_connections == UINT32_MAX)
		cluster->max_connections = 0;
	if (msg->outlier_detection != NULL)
		read_outlier(msg->outlier_detection, &cluster->outlier);
}

static bool read_cluster(const Envoy__Cluster *msg, struct xds_cluster *cluster, struct err *err)
{
	if (!name_is_sni(msg->name, err))
		return false;
	if (msg->type != ENVOY__CLUSTER__DISCOVERY_TYPE__EDS)
		return err_set(err, ERR_INVALID, "cluster '%s' is not of type EDS", msg->name);
	Google__Struct *ours = NULL;
	if (!metadata_of(msg->metadata, &ours, err))
		return err_wrap(err, "cluster '%s'", msg->name);
	cluster->sni = xstrdup(msg->name);
	cluster->service = pbc_dup(metadata_text(ours, "service"));
	cluster->port_name = pbc_dup(metadata_text(ours, "port_name"));
	cluster->exposed = metadata_flag(ours, "exposed");
	metadata_free(ours);
	read_policies(msg, cluster);
	return true;
}

bool xds_cluster_decode(struct str bytes, struct xds_cluster *ret_cluster, struct err *err)
{
	ProtobufCMessage *message = xds_message_unpack(&envoy__cluster__descriptor, bytes, err);
	if (message == NULL)
		return false;
	struct xds_cluster cluster = {0};
	bool ok = read_cluster((const Envoy__Cluster *)message, &cluster, err);
	xds_message_free(message);
	if (ok)
		*ret_cluster = cluster;
	return ok;
}
