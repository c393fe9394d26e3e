/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/network.h"

#include "pbc_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/fedway.pb-c.h"

#define DEFAULT_NAME "default"

static struct xds_resource *finish(enum xds_type type, const char *name,
                                   const ProtobufCMessage *msg, struct err *err)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, XDS_RESOURCE_MAX);
	xds_message_pack(msg, &bytes);
	if (buf_failed(&bytes)) {
		err_set(err, ERR_TOO_LARGE, "%s '%s' takes over %d bytes", xds_type_name(type),
		        name, XDS_RESOURCE_MAX);
		return NULL;
	}
	return xds_resource_create(type, str_from(name), buf_str(&bytes), err);
}

static char *dup_or_empty(const char *text)
{
	return xstrdup(text != NULL ? text : "");
}

/* --- Network ---------------------------------------------------------------------------------- */

void xds_network_fini(struct xds_network *network)
{
	for (size_t i = 0; i < network->n_gateways; i++) {
		free(network->gateways[i].name);
		free(network->gateways[i].cluster);
		free(network->gateways[i].address);
	}
	free(network->gateways);
	free(network->name);
	*network = (struct xds_network){0};
}

static bool check_gateway(const char *address, uint32_t port, uint32_t weight, struct err *err)
{
	if (address == NULL || address[0] == '\0' || strlen(address) > 253)
		return err_set(err, ERR_INVALID, "a gateway needs an address of 1 to 253 bytes");
	if (port == 0 || port > UINT16_MAX)
		return err_set(err, ERR_INVALID, "port %u of gateway '%s' is not 1 to 65535", port,
		               address);
	if (weight == 0)
		return err_set(err, ERR_INVALID, "gateway '%s' has weight 0", address);
	return true;
}

static bool check_network(const char *name, size_t n_gateways, struct err *err)
{
	if (name == NULL || !str_is_dns_label(str_from(name)))
		return err_set(err, ERR_INVALID, "'%.80s' is no name of a network",
		               name != NULL ? name : "");
	if (n_gateways > XDS_GATEWAYS_MAX)
		return err_set(err, ERR_INVALID, "network '%s' has %zu gateways, %d are taken",
		               name, n_gateways, XDS_GATEWAYS_MAX);
	return true;
}

struct xds_resource *xds_network_encode(const struct xds_network *network, struct err *err)
{
	if (!check_network(network->name, network->n_gateways, err))
		return NULL;
	size_t n = network->n_gateways;
	for (size_t i = 0; i < n; i++) {
		const struct xds_gateway *gw = &network->gateways[i];
		if (!check_gateway(gw->address, gw->port, gw->weight, err))
			return NULL;
	}
	Fedway__Xds__V1__Gateway *msgs = xcalloc(n, sizeof(*msgs));
	Fedway__Xds__V1__Gateway **list = xcalloc(n, sizeof(Fedway__Xds__V1__Gateway *));
	for (size_t i = 0; i < n; i++) {
		const struct xds_gateway *gw = &network->gateways[i];
		fedway__xds__v1__gateway__init(&msgs[i]);
		msgs[i].name = gw->name;
		msgs[i].cluster = gw->cluster;
		msgs[i].address = gw->address;
		msgs[i].has_port = true;
		msgs[i].port = gw->port;
		msgs[i].has_weight = true;
		msgs[i].weight = gw->weight;
		msgs[i].has_mark = true;
		msgs[i].mark = gw->mark;
		list[i] = &msgs[i];
	}
	Fedway__Xds__V1__Network msg = FEDWAY__XDS__V1__NETWORK__INIT;
	msg.gateways = list;
	msg.n_gateways = n;
	struct xds_resource *resource = finish(XDS_NETWORK, network->name, &msg.base, err);
	free(list);
	free(msgs);
	return resource;
}

static bool read_network(const Fedway__Xds__V1__Network *msg, struct xds_network *network,
                         struct err *err)
{
	if (!check_network(network->name, msg->n_gateways, err))
		return false;
	network->gateways = xcalloc(msg->n_gateways, sizeof(*network->gateways));
	for (size_t i = 0; i < msg->n_gateways; i++) {
		const Fedway__Xds__V1__Gateway *from = msg->gateways[i];
		uint32_t weight = from->has_weight ? from->weight : 1;
		if (!check_gateway(from->address, from->port, weight, err))
			return err_wrap(err, "network '%s'", network->name);
		network->gateways[network->n_gateways++] = (struct xds_gateway){
			.name = dup_or_empty(from->name),
			.cluster = dup_or_empty(from->cluster),
			.address = xstrdup(from->address),
			.port = (uint16_t)from->port,
			.weight = weight,
			.mark = from->mark,
		};
	}
	return true;
}

bool xds_network_decode(struct str name, struct str bytes, struct xds_network *ret_network,
                        struct err *err)
{
	ProtobufCMessage *message =
		xds_message_unpack(&fedway__xds__v1__network__descriptor, bytes, err);
	if (message == NULL)
		return false;
	struct xds_network network = {.name = str_dup(name)};
	bool ok = read_network((const Fedway__Xds__V1__Network *)message, &network, err);
	xds_message_free(message);
	if (ok)
		*ret_network = network;
	else
		xds_network_fini(&network);
	return ok;
}

/* --- Peers ------------------------------------------------------------------------------------ */

void xds_peers_fini(struct xds_peers *peers)
{
	for (size_t i = 0; i < peers->n_clusters; i++)
		free(peers->clusters[i]);
	free(peers->clusters);
	*peers = (struct xds_peers){0};
}

struct xds_resource *xds_peers_encode(const struct xds_peers *peers, struct err *err)
{
	if (peers->n_clusters > XDS_PEERS_MAX) {
		err_set(err, ERR_INVALID, "%zu peers, %d are taken", peers->n_clusters,
		        XDS_PEERS_MAX);
		return NULL;
	}
	Fedway__Xds__V1__Peers msg = FEDWAY__XDS__V1__PEERS__INIT;
	msg.clusters = peers->clusters;
	msg.n_clusters = peers->n_clusters;
	return finish(XDS_PEERS, DEFAULT_NAME, &msg.base, err);
}

bool xds_peers_decode(struct str bytes, struct xds_peers *ret_peers, struct err *err)
{
	ProtobufCMessage *message =
		xds_message_unpack(&fedway__xds__v1__peers__descriptor, bytes, err);
	if (message == NULL)
		return false;
	const Fedway__Xds__V1__Peers *msg = (const Fedway__Xds__V1__Peers *)message;
	bool ok = msg->n_clusters <= XDS_PEERS_MAX;
	if (ok) {
		struct xds_peers peers = {xcalloc(msg->n_clusters, sizeof(char *)),
		                          msg->n_clusters};
		for (size_t i = 0; i < msg->n_clusters; i++)
			peers.clusters[i] = xstrdup(msg->clusters[i]);
		*ret_peers = peers;
	} else {
		err_set(err, ERR_INVALID, "%zu peers, %d are taken", msg->n_clusters,
		        XDS_PEERS_MAX);
	}
	xds_message_free(message);
	return ok;
}
