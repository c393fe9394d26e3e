/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/cluster.h"

#include "metadata_priv.h"
#include "name_priv.h"
#include "pbc_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/cluster.pb-c.h"

enum {
	IDLE_TEXT_MAX = 16,
	FAILURES_DEFAULT = 5, /* Envoy's, of each kind */
	PANIC_DEFAULT = 50
};

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
	struct metadata_item items[4] = {{.key = "exposed", .flag = cluster->exposed}};
	char idle[IDLE_TEXT_MAX];
	size_t n = 1;
	if (cluster->idle_timeout_ms > 0) {
		snprintf(idle, sizeof(idle), "%ums", cluster->idle_timeout_ms);
		items[n++] = (struct metadata_item){.key = "idle_timeout", .text = idle};
	}
	if (cluster->port_name != NULL)
		items[n++] = (struct metadata_item){.key = "port_name", .text = cluster->port_name};
	if (cluster->service != NULL)
		items[n++] = (struct metadata_item){.key = "service", .text = cluster->service};
	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, METADATA_BYTES_MAX);
	metadata_encode(items, n, &bytes);

	Envoy__MetadataEntry entry = ENVOY__METADATA_ENTRY__INIT;
	Envoy__MetadataEntry *entries[] = {&entry};
	entry.key = str_lend(METADATA_KEY);
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

static bool read_lb(const Envoy__Cluster *msg, enum xds_lb *ret_lb, struct err *err)
{
	if (msg->lb_policy == ENVOY__CLUSTER__LB_POLICY__RING_HASH) {
		*ret_lb = XDS_LB_SOURCE_IP;
		return true;
	}
	for (size_t i = 0; i < N_ELEMS(policies); i++) {
		if (msg->lb_policy != policies[i])
			continue;
		*ret_lb = (enum xds_lb)i;
		return true;
	}
	return err_set(err, ERR_INVALID,
	               "lb_policy: %d is none of ROUND_ROBIN, LEAST_REQUEST, RANDOM, RING_HASH, "
	               "MAGLEV",
	               (int)msg->lb_policy);
}

/* A kind of failure that is enforced makes the limit as low as its own. */
static void lower_limit(const Google__UInt32Value *failures, uint32_t dflt, uint32_t enforcing,
                        uint32_t *limit)
{
	uint32_t value = value_or(failures, dflt);
	if (enforcing > 0 && value > 0 && (*limit == 0 || value < *limit))
		*limit = value;
}

static bool read_outlier(const Envoy__OutlierDetection *msg, struct xds_outlier *outlier,
                         struct err *err)
{
	outlier->interval_ms = msg->interval != NULL ? pbc_ms(msg->interval) : 10000;
	outlier->base_ejection_ms =
		msg->base_ejection_time != NULL ? pbc_ms(msg->base_ejection_time) : 30000;
	outlier->max_ejection_percent = value_or(msg->max_ejection_percent, 10);
	if (msg->split_external_local_origin_errors) {
		lower_limit(msg->consecutive_local_origin_failure, FAILURES_DEFAULT,
		            value_or(msg->enforcing_consecutive_local_origin_failure, 100),
		            &outlier->consecutive);
	} else {
		lower_limit(msg->consecutive_5xx, FAILURES_DEFAULT,
		            value_or(msg->enforcing_consecutive_5xx, 100), &outlier->consecutive);
		lower_limit(msg->consecutive_gateway_failure, FAILURES_DEFAULT,
		            value_or(msg->enforcing_consecutive_gateway_failure, 0),
		            &outlier->consecutive);
	}
	if (outlier->interval_ms == 0)
		return err_set(err, ERR_INVALID, "outlier_detection.interval: must be over 0");
	if (outlier->max_ejection_percent > 100)
		return err_set(err, ERR_INVALID,
		               "outlier_detection.max_ejection_percent: must be 0 to 100");
	return true;
}

/* Percents are whole ones here, as in a DestinationRule. */
static bool read_common(const Envoy__CommonLbConfig *common, struct xds_cluster *cluster,
                        struct err *err)
{
	cluster->panic_percent = PANIC_DEFAULT;
	if (common == NULL)
		return true;
	cluster->weighted = common->locality_weighted_lb_config != NULL;
	if (common->healthy_panic_threshold == NULL)
		return true;
	double percent = common->healthy_panic_threshold->value;
	if (!(percent >= 0 && percent <= 100))
		return err_set(err, ERR_INVALID, "healthy_panic_threshold: must be 0 to 100");
	cluster->panic_percent = (uint32_t)percent;
	return true;
}

/* Envoy's DEFAULT priority is the one that connections have. */
static void read_limits(const Envoy__CircuitBreakers *breakers, struct xds_cluster *cluster)
{
	for (size_t i = 0; breakers != NULL && i < breakers->n_thresholds; i++) {
		const Envoy__CircuitBreakers__Thresholds *limits = breakers->thresholds[i];
		if (limits->priority == 0)
			cluster->max_connections = value_or(limits->max_connections, UINT32_MAX);
	}
	if (cluster->max_connections == UINT32_MAX)
		cluster->max_connections = 0;
}

static bool read_policies(const Envoy__Cluster *msg, struct xds_cluster *cluster, struct err *err)
{
	cluster->connect_timeout_ms = pbc_ms(msg->connect_timeout);
	read_limits(msg->circuit_breakers, cluster);
	return read_lb(msg, &cluster->lb, err) &&
	       read_common(msg->common_lb_config, cluster, err) &&
	       (msg->outlier_detection == NULL ||
	        read_outlier(msg->outlier_detection, &cluster->outlier, err));
}

static bool read_metadata(const Envoy__Cluster *msg, struct xds_cluster *cluster, struct err *err)
{
	Google__Struct *ours = NULL;
	uint64_t idle_ms = 0;
	if (!metadata_of(msg->metadata, &ours, err))
		return false;
	cluster->sni = xstrdup(msg->name);
	cluster->service = pbc_dup(metadata_text(ours, "service"));
	cluster->port_name = pbc_dup(metadata_text(ours, "port_name"));
	cluster->exposed = metadata_flag(ours, "exposed");
	const char *idle = metadata_text(ours, "idle_timeout");
	bool ok = idle == NULL ||
	          (str_to_duration_ms(str_from(idle), &idle_ms) && idle_ms <= UINT32_MAX);
	cluster->idle_timeout_ms = ok ? (uint32_t)idle_ms : 0;
	metadata_free(ours);
	return ok || err_set(err, ERR_INVALID, "idle_timeout: is no duration");
}

static bool read_cluster(const Envoy__Cluster *msg, struct xds_cluster *cluster, struct err *err)
{
	if (!name_is_sni(msg->name, err))
		return false;
	if (msg->type != ENVOY__CLUSTER__DISCOVERY_TYPE__EDS)
		return err_set(err, ERR_INVALID, "cluster '%s' is not of type EDS", msg->name);
	return (read_metadata(msg, cluster, err) && read_policies(msg, cluster, err)) ||
	       err_wrap(err, "cluster '%s'", msg->name);
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
	else
		xds_cluster_fini(&cluster);
	return ok;
}
