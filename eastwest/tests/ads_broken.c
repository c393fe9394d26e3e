/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ads_broken.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "xds/message.h"
#include "xds/network.h"
#include "xds/proto/discovery.pb-c.h"

enum {
	REQUEST_MAX = 1 << 20
};

struct burst {
	struct grpc_call *call;
	unsigned n; /* responses so far */
};

static void send_one(enum xds_type type, struct str name, struct xds_resource *resource, void *arg)
{
	struct burst *burst = arg;
	struct buf bytes CLEANUP(buf_fini) = {0};
	Google__Any any = GOOGLE__ANY__INIT;
	Envoy__Resource one = ENVOY__RESOURCE__INIT;
	Envoy__Resource *list[] = {&one};
	Envoy__DeltaDiscoveryResponse response = ENVOY__DELTA_DISCOVERY_RESPONSE__INIT;
	char *url = str_lend(xds_type_url(type));
	char nonce[16];
	(void)name;
	snprintf(nonce, sizeof(nonce), "%u", ++burst->n);
	any.type_url = url;
	any.has_value = true;
	any.value.data = (uint8_t *)str_lend(resource->bytes.ptr);
	any.value.len = resource->bytes.len;
	one.name = str_lend(resource->name.ptr);
	one.version = resource->version;
	one.resource = &any;
	response.type_url = url;
	response.nonce = nonce;
	response.resources = list;
	response.n_resources = 1;
	buf_init(&bytes, XDS_MESSAGE_MAX);
	xds_message_pack(&response.base, &bytes);
	IGNORE(grpc_call_send(burst->call, buf_str(&bytes)));
}

static void send_miscount(struct burst *burst, const struct xds_set *set)
{
	static char text[] = "1";
	static char network[] = "n1";
	struct err err;
	struct xds_snapshot snapshot = {.version = text, .network = network, .cluster = text};
	snapshot.counted[XDS_CLUSTER] = true;
	snapshot.held[XDS_CLUSTER] = (uint32_t)xds_set_len(set, XDS_CLUSTER) + 1;
	struct xds_resource *resource = xds_snapshot_encode(&snapshot, &err);
	send_one(XDS_SNAPSHOT, STR_NULL, resource, burst);
	xds_resource_unref(resource);
}

static void send_burst(struct ads_broken *broken, struct grpc_call *call)
{
	struct burst burst = {.call = call};
	struct xds_set *nothing = xds_set_create();
	struct xds_set *set = broken->set_of(call, broken->arg);
	if (set != NULL) {
		xds_set_diff(nothing, set, send_one, &burst);
		if (broken->miscounted)
			send_miscount(&burst, set);
		log_info("test", "broken burst responses=%u", burst.n);
	}
	xds_set_unref(nothing);
}

static void on_open(struct grpc_call *call, void *arg)
{
	(void)call;
	(void)arg;
}

/* The first request of a stream has the node. */
static void on_message(struct grpc_call *call, struct str message, void *arg)
{
	struct err err;
	ProtobufCMessage *base =
		xds_message_unpack(&envoy__delta_discovery_request__descriptor, message, &err);
	const Envoy__DeltaDiscoveryRequest *request = (const void *)base;
	if (request != NULL && request->has_node)
		send_burst(arg, call);
	xds_message_free(base);
}

static void on_half_close(struct grpc_call *call, void *arg)
{
	(void)arg;
	grpc_call_end(call, GRPC_OK, NULL);
}

static void on_gone(struct grpc_call *call, const struct err *why, void *arg)
{
	(void)call;
	(void)why;
	(void)arg;
}

bool ads_broken_add(struct ads_broken *broken, struct grpc_server *grpc, const char *how)
{
	broken->miscounted = strcmp(how, "miscounted") == 0;
	broken->method = (struct grpc_method){
		.path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
			"DeltaAggregatedResources",
		.message_max = REQUEST_MAX,
		.on_open = on_open,
		.on_message = on_message,
		.on_half_close = on_half_close,
		.on_gone = on_gone,
		.arg = broken,
	};
	grpc_server_add(grpc, &broken->method);
	return broken->miscounted || strcmp(how, "unfinished") == 0;
}
