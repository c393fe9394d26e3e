/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an istiod's cluster or assignment to the resource that a fedwayd would have sent: what Envoy
 * alone needs is gone, and the same bytes serve burst and disk copy.
 */
#include "base/pb.h"
#include "uplink/istiod_priv.h"
#include "xds/assignment.h"
#include "xds/cluster.h"

/* Field numbers of envoy.config.cluster.v3 that xds/cluster.h passes over. */
enum {
	CLUSTER_OUTLIER = 19,
	OUTLIER_ENFORCING_5XX = 5,
	OUTLIER_GATEWAY = 10,
	OUTLIER_ENFORCING_GATEWAY = 11,
	WRAPPED = 1 /* the value of a UInt32Value */
};

static uint32_t wrapped(struct str bytes, uint32_t number, uint32_t dflt)
{
	struct str wrapper = pb_find(bytes, number);
	return wrapper.ptr != NULL ? (uint32_t)pb_find_value(wrapper, WRAPPED, 0) : dflt;
}

/* To a failed connect Envoy gives the code 503, which counts in both of a DestinationRule's
 * numbers: consecutive5xxErrors and consecutiveGatewayErrors. The lower one ejects. */
static void read_gateway_errors(struct str cluster, struct xds_outlier *outlier)
{
	struct str detection = pb_find(cluster, CLUSTER_OUTLIER);
	uint32_t gateway = wrapped(detection, OUTLIER_GATEWAY, 0);
	if (detection.ptr == NULL)
		return;
	if (wrapped(detection, OUTLIER_ENFORCING_5XX, 100) == 0)
		outlier->consecutive = 0;
	if (gateway == 0 || wrapped(detection, OUTLIER_ENFORCING_GATEWAY, 0) == 0)
		return;
	if (outlier->consecutive == 0 || gateway < outlier->consecutive)
		outlier->consecutive = gateway;
}

struct xds_resource *istiod_translate_cluster(struct str name, struct str bytes, struct err *err)
{
	struct xds_cluster cluster;
	struct xds_resource *resource = NULL;
	if (!xds_cluster_decode(bytes, &cluster, err))
		return NULL;
	/* only exposed ones are ever put into a table */
	cluster.exposed = true;
	read_gateway_errors(bytes, &cluster.outlier);
	if (str_is(name, cluster.sni))
		resource = xds_cluster_encode(&cluster, err);
	else
		err_set(err, ERR_INVALID, "the cluster's name is not the resource's");
	xds_cluster_fini(&cluster);
	return resource;
}

struct xds_resource *istiod_translate_assignment(struct str name, struct str bytes, struct err *err)
{
	struct xds_assignment assignment;
	struct xds_resource *resource = NULL;
	if (!xds_assignment_decode(bytes, &assignment, err))
		return NULL;
	if (str_is(name, assignment.sni))
		resource = xds_assignment_encode(&assignment, err);
	else
		err_set(err, ERR_INVALID, "the assignment's name is not the resource's");
	xds_assignment_fini(&assignment);
	return resource;
}
