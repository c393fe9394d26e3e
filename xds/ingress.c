/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/ingress.h"

#include "pbc_priv.h"

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/listener.pb-c.h"

#define NAME       "fedway-ingress"
#define URL_PREFIX "type.googleapis.com/envoy.extensions.filters."

enum {
	LISTENER_MAX = 8 << 10,
	IDLE_MS = 3600 * 1000
};

const char *const xds_mesh_alpns[] = {
	"istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2", NULL,
};

static struct xds_resource *pack(const struct addr *listen, Envoy__FilterChain *chain,
                                 struct err *err)
{
	char ip[IP_TEXT_MAX];
	Envoy__SocketAddress socket = ENVOY__SOCKET_ADDRESS__INIT;
	socket.address = str_lend(ip_format(&listen->ip, ip));
	socket.has_port_value = true;
	socket.port_value = listen->port;
	Envoy__Address address = ENVOY__ADDRESS__INIT;
	address.socket_address = &socket;

	Google__Any inspector_config = GOOGLE__ANY__INIT;
	inspector_config.type_url = str_lend(URL_PREFIX "listener.tls_inspector.v3.TlsInspector");
	Envoy__ListenerFilter inspector = ENVOY__LISTENER_FILTER__INIT;
	inspector.name = str_lend("envoy.filters.listener.tls_inspector");
	inspector.typed_config = &inspector_config;
	Envoy__ListenerFilter *inspectors[] = {&inspector};

	Envoy__Listener msg = ENVOY__LISTENER__INIT;
	msg.name = str_lend(NAME);
	msg.stat_prefix = str_lend(NAME);
	msg.address = &address;
	msg.filter_chains = &chain;
	msg.n_filter_chains = 1;
	msg.listener_filters = inspectors;
	msg.n_listener_filters = 1;

	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, LISTENER_MAX);
	xds_message_pack(&msg.base, &bytes);
	return xds_resource_create(XDS_LISTENER, STR_LIT(NAME), buf_str(&bytes), err);
}

static void pack_proxy(struct buf *out)
{
	Google__Empty source_ip = GOOGLE__EMPTY__INIT;
	Envoy__HashPolicy hash = ENVOY__HASH_POLICY__INIT;
	hash.source_ip = &source_ip;
	Envoy__HashPolicy *hashes[] = {&hash};
	Google__Duration idle = pbc_duration(IDLE_MS);
	Envoy__TcpProxy proxy = ENVOY__TCP_PROXY__INIT;
	proxy.stat_prefix = str_lend(NAME);
	/* sni_cluster overrides it; an upper-case letter keeps every SNI away from it */
	proxy.cluster = str_lend("BlackHole");
	proxy.idle_timeout = &idle;
	proxy.hash_policy = hashes;
	proxy.n_hash_policy = 1;
	xds_message_pack(&proxy.base, out);
}

struct xds_resource *xds_ingress_encode(const struct addr *listen, struct err *err)
{
	struct buf proxy CLEANUP(buf_fini) = {0};
	buf_init(&proxy, LISTENER_MAX);
	pack_proxy(&proxy);

	Google__Any configs[2] = {GOOGLE__ANY__INIT, GOOGLE__ANY__INIT};
	configs[0].type_url = str_lend(URL_PREFIX "network.sni_cluster.v3.SniCluster");
	configs[1].type_url = str_lend(URL_PREFIX "network.tcp_proxy.v3.TcpProxy");
	configs[1].has_value = true;
	configs[1].value = pbc_bytes(buf_str(&proxy));
	Envoy__Filter filters[2] = {ENVOY__FILTER__INIT, ENVOY__FILTER__INIT};
	filters[0].name = str_lend("envoy.filters.network.sni_cluster");
	filters[0].typed_config = &configs[0];
	filters[1].name = str_lend("envoy.filters.network.tcp_proxy");
	filters[1].typed_config = &configs[1];
	Envoy__Filter *list[] = {&filters[0], &filters[1]};

	Envoy__FilterChainMatch match = ENVOY__FILTER_CHAIN_MATCH__INIT;
	match.transport_protocol = str_lend("tls");
	match.application_protocols = (char **)(uintptr_t)xds_mesh_alpns;
	match.n_application_protocols = N_ELEMS(xds_mesh_alpns) - 1;
	Envoy__FilterChain chain = ENVOY__FILTER_CHAIN__INIT;
	chain.name = str_lend(NAME);
	chain.filter_chain_match = &match;
	chain.filters = list;
	chain.n_filters = 2;
	return pack(listen, &chain, err);
}
