/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/assignment.h"

#include "assignment_priv.h"
#include "metadata_priv.h"
#include "name_priv.h"
#include "pbc_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/endpoint.pb-c.h"

#define NETWORK_PREFIX "network/"

enum {
	LABEL_MAX = 63, /* names of networks and clusters */
	REF_MAX = sizeof(NETWORK_PREFIX) + 2 * LABEL_MAX + 2,
	META_MAX = 2 * LABEL_MAX /* a Struct with one short key and a label */
};

void xds_assignment_fini(struct xds_assignment *assignment)
{
	for (size_t i = 0; i < assignment->n_localities; i++) {
		struct xds_locality *locality = &assignment->localities[i];
		for (size_t j = 0; j < locality->n_endpoints; j++) {
			free(locality->endpoints[j].network);
			free(locality->endpoints[j].cluster);
		}
		free(locality->endpoints);
		free(locality->region);
		free(locality->zone);
		free(locality->subzone);
	}
	free(assignment->localities);
	free(assignment->sni);
	*assignment = (struct xds_assignment){0};
}

struct xds_locality *xds_assignment_add_locality(struct xds_assignment *assignment)
{
	if (assignment->n_localities == assignment->cap_localities) {
		size_t cap = assignment->cap_localities > 0 ? assignment->cap_localities * 2 : 4;
		assignment->localities =
			xrealloc(assignment->localities, cap * sizeof(*assignment->localities));
		assignment->cap_localities = cap;
	}
	struct xds_locality *locality = &assignment->localities[assignment->n_localities++];
	*locality = (struct xds_locality){0};
	return locality;
}

struct xds_endpoint *xds_locality_add_endpoint(struct xds_locality *locality)
{
	if (locality->n_endpoints == locality->cap_endpoints) {
		size_t cap = locality->cap_endpoints > 0 ? locality->cap_endpoints * 2 : 4;
		locality->endpoints =
			xrealloc(locality->endpoints, cap * sizeof(*locality->endpoints));
		locality->cap_endpoints = cap;
	}
	struct xds_endpoint *endpoint = &locality->endpoints[locality->n_endpoints++];
	*endpoint = (struct xds_endpoint){.weight = 1, .healthy = true};
	return endpoint;
}

/* --- rules of both directions ----------------------------------------------------------------- */

static bool check_weights(const struct xds_assignment *assignment, uint32_t priority,
                          struct err *err)
{
	uint64_t groups = 0;
	size_t n = 0;
	for (size_t i = 0; i < assignment->n_localities; i++) {
		const struct xds_locality *locality = &assignment->localities[i];
		uint64_t endpoints = 0;
		if (locality->priority != priority)
			continue;
		n++;
		groups += locality->weight;
		for (size_t j = 0; j < locality->n_endpoints; j++)
			endpoints += locality->endpoints[j].weight;
		if (endpoints > UINT32_MAX)
			return err_set(err, ERR_INVALID,
			               "weights of one locality sum up to over 2^32-1");
	}
	if (n == 0)
		return err_set(err, ERR_INVALID,
		               "no locality has priority %u, but others are higher", priority);
	if (groups > UINT32_MAX)
		return err_set(err, ERR_INVALID,
		               "locality weights of priority %u sum up to over 2^32-1", priority);
	return true;
}

static bool check_label(const char *text, const char *what, struct err *err)
{
	if (text == NULL || str_is_dns_label(str_from(text)))
		return true;
	return err_set(err, ERR_INVALID, "'%.80s' is no name of a %s", text, what);
}

static bool check_endpoint(const struct xds_endpoint *endpoint, struct err *err)
{
	if (endpoint->weight == 0)
		return err_set(err, ERR_INVALID, "an endpoint has weight 0, at least 1 is needed");
	if (endpoint->network == NULL && endpoint->addr.port == 0)
		return err_set(err, ERR_INVALID, "an endpoint has no port");
	return check_label(endpoint->network, "network", err) &&
	       check_label(endpoint->cluster, "cluster", err);
}

static bool check_all(const struct xds_assignment *assignment, struct err *err)
{
	uint32_t last = 0;
	size_t n = 0;
	if (assignment->n_localities > XDS_LOCALITIES_MAX)
		return err_set(err, ERR_INVALID, "%zu localities, at most %d are taken",
		               assignment->n_localities, XDS_LOCALITIES_MAX);
	for (size_t i = 0; i < assignment->n_localities; i++) {
		const struct xds_locality *locality = &assignment->localities[i];
		if (locality->priority > XDS_PRIORITY_MAX)
			return err_set(err, ERR_INVALID, "priority %u, at most %d is taken",
			               locality->priority, XDS_PRIORITY_MAX);
		if (locality->priority > last)
			last = locality->priority;
		n += locality->n_endpoints;
		if (n > XDS_ENDPOINTS_MAX)
			return err_set(err, ERR_INVALID, "more than %d endpoints",
			               XDS_ENDPOINTS_MAX);
		for (size_t j = 0; j < locality->n_endpoints; j++) {
			if (!check_endpoint(&locality->endpoints[j], err))
				return false;
		}
	}
	for (uint32_t p = 0; assignment->n_localities > 0 && p <= last; p++) {
		if (!check_weights(assignment, p, err))
			return false;
	}
	return true;
}

bool assignment_check(const struct xds_assignment *assignment, struct err *err)
{
	return check_all(assignment, err) || err_wrap(err, "assignment '%s'", assignment->sni);
}

/* --- encoding --------------------------------------------------------------------------------- */

/* All messages of one endpoint, so that a locality needs one allocation for its endpoints. */
struct endpoint_msgs {
	Envoy__LbEndpoint lb;
	Envoy__Endpoint endpoint;
	Envoy__Address address;
	Envoy__SocketAddress socket;
	Google__UInt32Value weight;
	Envoy__Metadata metadata;
	Envoy__MetadataEntry entry;
	Envoy__MetadataEntry *entries[1];
	char ip[IP_TEXT_MAX];
	char ref[REF_MAX];
	char meta[META_MAX];
};

struct locality_msgs {
	Envoy__LocalityLbEndpoints lb;
	Envoy__Locality locality;
	Google__UInt32Value weight;
	Envoy__LbEndpoint **list;
	struct endpoint_msgs *endpoints;
};

static void fill_address(const struct xds_endpoint *endpoint, struct endpoint_msgs *msgs)
{
	envoy__endpoint__init(&msgs->endpoint);
	envoy__address__init(&msgs->address);
	envoy__socket_address__init(&msgs->socket);
	msgs->lb.endpoint = &msgs->endpoint;
	msgs->endpoint.address = &msgs->address;
	msgs->address.socket_address = &msgs->socket;
	ip_format(&endpoint->addr.ip, msgs->ip);
	msgs->socket.address = msgs->ip;
	msgs->socket.has_port_value = true;
	msgs->socket.port_value = endpoint->addr.port;
}

static void fill_metadata(const struct xds_endpoint *endpoint, struct endpoint_msgs *msgs)
{
	struct metadata_item item = {.key = "cluster", .text = endpoint->cluster};
	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, sizeof(msgs->meta));
	metadata_encode(&item, 1, &bytes);
	memcpy(msgs->meta, bytes.ptr, bytes.len);
	envoy__metadata__init(&msgs->metadata);
	envoy__metadata_entry__init(&msgs->entry);
	msgs->lb.metadata = &msgs->metadata;
	msgs->entries[0] = &msgs->entry;
	msgs->metadata.filter_metadata = msgs->entries;
	msgs->metadata.n_filter_metadata = 1;
	msgs->entry.key = str_lend(METADATA_KEY);
	msgs->entry.has_value = true;
	msgs->entry.value = pbc_bytes(str_make(msgs->meta, bytes.len));
}

static void fill_endpoint(const struct xds_endpoint *endpoint, struct endpoint_msgs *msgs)
{
	envoy__lb_endpoint__init(&msgs->lb);
	if (endpoint->network != NULL) {
		snprintf(msgs->ref, sizeof(msgs->ref), NETWORK_PREFIX "%s/%s", endpoint->network,
		         endpoint->cluster != NULL ? endpoint->cluster : "");
		msgs->lb.endpoint_name = msgs->ref;
	} else {
		fill_address(endpoint, msgs);
		if (endpoint->cluster != NULL)
			fill_metadata(endpoint, msgs);
	}
	if (endpoint->weight != 1) {
		msgs->weight = pbc_u32(endpoint->weight);
		msgs->lb.load_balancing_weight = &msgs->weight;
	}
	msgs->lb.has_health_status = endpoint->draining || !endpoint->healthy;
	msgs->lb.health_status = endpoint->draining ? ENVOY__HEALTH_STATUS__DRAINING
	                                            : ENVOY__HEALTH_STATUS__UNHEALTHY;
}

static void fill_locality(const struct xds_locality *locality, struct locality_msgs *msgs)
{
	size_t n = locality->n_endpoints;
	msgs->endpoints = xcalloc(n, sizeof(*msgs->endpoints));
	msgs->list = xcalloc(n, sizeof(Envoy__LbEndpoint *));
	for (size_t i = 0; i < n; i++) {
		fill_endpoint(&locality->endpoints[i], &msgs->endpoints[i]);
		msgs->list[i] = &msgs->endpoints[i].lb;
	}
	envoy__locality__init(&msgs->locality);
	msgs->locality.region = locality->region;
	msgs->locality.zone = locality->zone;
	msgs->locality.sub_zone = locality->subzone;
	envoy__locality_lb_endpoints__init(&msgs->lb);
	msgs->lb.locality = &msgs->locality;
	msgs->lb.lb_endpoints = msgs->list;
	msgs->lb.n_lb_endpoints = n;
	msgs->lb.has_priority = locality->priority > 0;
	msgs->lb.priority = locality->priority;
	if (locality->weight > 0) {
		msgs->weight = pbc_u32(locality->weight);
		msgs->lb.load_balancing_weight = &msgs->weight;
	}
}

static struct xds_resource *pack(const struct xds_assignment *assignment,
                                 Envoy__LocalityLbEndpoints **list, struct err *err)
{
	Google__UInt32Value factor = pbc_u32(assignment->overprovisioning_percent);
	Envoy__ClusterLoadAssignment__Policy policy = ENVOY__CLUSTER_LOAD_ASSIGNMENT__POLICY__INIT;
	policy.has_weighted_priority_health = assignment->weighted_health;
	policy.weighted_priority_health = assignment->weighted_health;
	policy.overprovisioning_factor = assignment->overprovisioning_percent > 0 ? &factor : NULL;
	Envoy__ClusterLoadAssignment msg = ENVOY__CLUSTER_LOAD_ASSIGNMENT__INIT;
	msg.cluster_name = assignment->sni;
	msg.endpoints = list;
	msg.n_endpoints = assignment->n_localities;
	if (assignment->weighted_health || assignment->overprovisioning_percent > 0)
		msg.policy = &policy;

	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, XDS_RESOURCE_MAX);
	xds_message_pack(&msg.base, &bytes);
	if (buf_failed(&bytes)) {
		err_set(err, ERR_TOO_LARGE,
		        "the endpoints of '%s' take over %d bytes; lower their number",
		        assignment->sni, XDS_RESOURCE_MAX);
		return NULL;
	}
	return xds_resource_create(XDS_ASSIGNMENT, str_from(assignment->sni), buf_str(&bytes), err);
}

struct xds_resource *xds_assignment_encode(const struct xds_assignment *assignment, struct err *err)
{
	if (!name_is_sni(assignment->sni, err) || !assignment_check(assignment, err))
		return NULL;
	size_t n = assignment->n_localities;
	struct locality_msgs *msgs = xcalloc(n, sizeof(*msgs));
	Envoy__LocalityLbEndpoints **list = xcalloc(n, sizeof(Envoy__LocalityLbEndpoints *));
	for (size_t i = 0; i < n; i++) {
		fill_locality(&assignment->localities[i], &msgs[i]);
		list[i] = &msgs[i].lb;
	}
	struct xds_resource *resource = pack(assignment, list, err);
	for (size_t i = 0; i < n; i++) {
		free(msgs[i].endpoints);
		free(msgs[i].list);
	}
	free(list);
	free(msgs);
	return resource;
}

struct xds_resource *xds_assignment_encode_empty(struct str sni, struct err *err)
{
	struct xds_assignment assignment = {.sni = str_dup(sni)};
	struct xds_resource *resource = xds_assignment_encode(&assignment, err);
	xds_assignment_fini(&assignment);
	return resource;
}
