/* SPDX-License-Identifier: Apache-2.0 */
#include "assignment_priv.h"
#include "metadata_priv.h"
#include "name_priv.h"
#include "pbc_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "xds/assignment.h"
#include "xds/message.h"
#include "xds/proto/endpoint.pb-c.h"

/* "network/NAME/CLUSTER", CLUSTER may be empty. */
static bool read_reference(const char *text, struct xds_endpoint *endpoint, struct err *err)
{
	struct str rest = str_from(text);
	struct str prefix;
	struct str network;
	struct str cluster;
	if (!str_split(&rest, '/', &prefix) || !str_is(prefix, "network") ||
	    !str_split(&rest, '/', &network) || !str_split(&rest, '/', &cluster) ||
	    rest.ptr != NULL)
		return err_set(err, ERR_INVALID,
		               "endpoint name '%.80s' is not of the form network/NAME/CLUSTER",
		               text);
	endpoint->network = str_dup(network);
	if (cluster.len > 0)
		endpoint->cluster = str_dup(cluster);
	return true;
}

static bool read_address(const Envoy__LbEndpoint *msg, struct xds_endpoint *endpoint,
                         struct err *err)
{
	const Envoy__Address *address = msg->endpoint != NULL ? msg->endpoint->address : NULL;
	const Envoy__SocketAddress *socket = address != NULL ? address->socket_address : NULL;
	if (socket == NULL || socket->address == NULL)
		return err_set(err, ERR_INVALID, "an endpoint has no address");
	if (!ip_parse(str_from(socket->address), &endpoint->addr.ip))
		return err_set(err, ERR_INVALID, "the address '%.80s' is no IP address",
		               socket->address);
	if (socket->port_value == 0 || socket->port_value > UINT16_MAX)
		return err_set(err, ERR_INVALID, "port %u is not between 1 and 65535",
		               socket->port_value);
	endpoint->addr.port = (uint16_t)socket->port_value;
	Google__Struct *ours = NULL;
	if (!metadata_of(msg->metadata, &ours, err))
		return false;
	endpoint->cluster = pbc_dup(metadata_text(ours, "cluster"));
	metadata_free(ours);
	return true;
}

static bool read_endpoint(const Envoy__LbEndpoint *msg, struct xds_endpoint *endpoint,
                          struct err *err)
{
	Envoy__HealthStatus health = msg->health_status;
	endpoint->draining = health == ENVOY__HEALTH_STATUS__DRAINING;
	endpoint->healthy = !endpoint->draining && health != ENVOY__HEALTH_STATUS__UNHEALTHY &&
	                    health != ENVOY__HEALTH_STATUS__TIMEOUT;
	if (msg->load_balancing_weight != NULL)
		endpoint->weight = msg->load_balancing_weight->value;
	if (msg->endpoint_name != NULL && msg->endpoint_name[0] != '\0')
		return read_reference(msg->endpoint_name, endpoint, err);
	return read_address(msg, endpoint, err);
}

static bool read_locality(const Envoy__LocalityLbEndpoints *msg, struct xds_locality *locality,
                          struct err *err)
{
	if (msg->locality != NULL) {
		locality->region = pbc_dup(msg->locality->region);
		locality->zone = pbc_dup(msg->locality->zone);
		locality->subzone = pbc_dup(msg->locality->sub_zone);
	}
	locality->priority = msg->priority;
	locality->weight =
		msg->load_balancing_weight != NULL ? msg->load_balancing_weight->value : 0;
	for (size_t i = 0; i < msg->n_lb_endpoints; i++) {
		struct xds_endpoint *endpoint = xds_locality_add_endpoint(locality);
		if (!read_endpoint(msg->lb_endpoints[i], endpoint, err))
			return false;
	}
	return true;
}

static bool read_assignment(const Envoy__ClusterLoadAssignment *msg,
                            struct xds_assignment *assignment, struct err *err)
{
	if (!name_is_sni(msg->cluster_name, err))
		return false;
	assignment->sni = xstrdup(msg->cluster_name);
	if (msg->policy != NULL) {
		assignment->weighted_health = msg->policy->weighted_priority_health;
		const Google__UInt32Value *factor = msg->policy->overprovisioning_factor;
		assignment->overprovisioning_percent = factor != NULL ? factor->value : 0;
	}
	for (size_t i = 0; i < msg->n_endpoints; i++) {
		struct xds_locality *locality = xds_assignment_add_locality(assignment);
		if (!read_locality(msg->endpoints[i], locality, err))
			return err_wrap(err, "assignment '%s'", msg->cluster_name);
	}
	return assignment_check(assignment, err);
}

bool xds_assignment_decode(struct str bytes, struct xds_assignment *ret_assignment, struct err *err)
{
	ProtobufCMessage *message =
		xds_message_unpack(&envoy__cluster_load_assignment__descriptor, bytes, err);
	if (message == NULL)
		return false;
	struct xds_assignment assignment = {0};
	bool ok = read_assignment((const Envoy__ClusterLoadAssignment *)message, &assignment, err);
	xds_message_free(message);
	if (ok)
		*ret_assignment = assignment;
	else
		xds_assignment_fini(&assignment);
	return ok;
}
