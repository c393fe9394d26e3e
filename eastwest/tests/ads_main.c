/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control plane for tests of the gateway: certificates for tokens of the form "good.GATEWAY",
 * delta ADS from a JSON file by cluster (read again on SIGHUP), reports printed line by line.
 *
 *   fedway-ads-test DIR MESH.json ADDR:PORT LEAF-TTL-SECONDS [unfinished|miscounted]
 *
 * With a last word its bursts are wrong in that way (ads_broken.h).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/net.h"
#include "certs/csr_service.h"
#include "certs/key.h"
#include "tests/ads_broken.h"
#include "xds/ads_server_io.h"
#include "xds/assignment.h"
#include "xds/cluster.h"
#include "xds/message.h"
#include "xds/network.h"
#include "xds/proto/report.pb-c.h"

#define TRUST_DOMAIN "cluster.local"

struct plane {
	const char *mesh_path;
	struct loop *loop;
	struct cert_store *store;
	struct http_listener *listener;
	struct grpc_server *grpc;
	struct xds_ads_server *ads; /* NULL: there is a broken one */
	struct ads_broken broken;
	struct grpc_method reports;
	struct map sets; /* cluster to struct xds_set */
	struct loop_timer renewal;
	struct cert_verifier verifier;
	int64_t ttl_s;
};

static void die(const struct err *err)
{
	log_error("test", "%s", err->msg);
	exit(1);
}

/* --- the mesh ----------------------------------------------------------------------------------*/

static char *text_at(json_t *object, const char *key, const char *dflt)
{
	return xstrdup(json_str_at(object, key, dflt));
}

static uint32_t number_at(json_t *object, const char *key, uint32_t dflt)
{
	json_t *value = json_object_get(object, key);
	return value != NULL ? (uint32_t)json_integer_value(value) : dflt;
}

static void put(struct xds_set *set, struct xds_resource *resource, const struct err *err)
{
	if (resource == NULL)
		die(err);
	xds_set_put(set, resource, false);
	xds_resource_unref(resource);
}

static void add_endpoint(struct xds_locality *locality, json_t *from)
{
	struct xds_endpoint *endpoint = xds_locality_add_endpoint(locality);
	json_t *network = json_object_get(from, "network");
	endpoint->cluster = text_at(from, "cluster", "c1");
	endpoint->weight = number_at(from, "weight", 1);
	endpoint->healthy = number_at(from, "healthy", 1) != 0;
	if (network != NULL) {
		endpoint->network = xstrdup(json_string_value(network));
		return;
	}
	if (!ip_parse(str_from(json_str_at(from, "address", "")), &endpoint->addr.ip))
		UNREACHABLE("address");
	endpoint->addr.port = (uint16_t)number_at(from, "port", 0);
}

/* Endpoints are listed by priority, one locality each. */
static void put_route(struct xds_set *set, json_t *from)
{
	struct err err;
	char *sni = text_at(from, "sni", "");
	struct xds_cluster cluster = {
		.sni = sni,
		.service = text_at(from, "service", "sample/helloworld"),
		.exposed = number_at(from, "exposed", 1) != 0,
	};
	struct xds_assignment assignment = {.sni = xstrdup(sni), .weighted_health = true};
	json_t *list;
	size_t i;
	json_array_foreach (json_object_get(from, "priorities"), i, list) {
		struct xds_locality *locality = xds_assignment_add_locality(&assignment);
		json_t *item;
		size_t k;
		locality->priority = (uint32_t)i;
		locality->region = xstrdup("region1");
		json_array_foreach (list, k, item)
			add_endpoint(locality, item);
	}
	if (number_at(from, "garbage", 0) != 0) {
		struct str bytes = STR_LIT("\xff\xff\xff");
		put(set, xds_resource_create(XDS_CLUSTER, str_from(sni), bytes, &err), &err);
	} else {
		put(set, xds_cluster_encode(&cluster, &err), &err);
	}
	put(set, xds_assignment_encode(&assignment, &err), &err);
	xds_assignment_fini(&assignment);
	xds_cluster_fini(&cluster);
}

static void put_network(struct xds_set *set, json_t *from)
{
	struct err err;
	json_t *list = json_object_get(from, "gateways");
	struct xds_network network = {
		.name = text_at(from, "name", ""),
		.gateways = xcalloc(json_array_size(list) + 1, sizeof(*network.gateways)),
		.n_gateways = json_array_size(list),
	};
	for (size_t i = 0; i < network.n_gateways; i++) {
		json_t *item = json_array_get(list, i);
		network.gateways[i] = (struct xds_gateway){
			.name = text_at(item, "name", ""),
			.cluster = text_at(item, "cluster", ""),
			.address = text_at(item, "address", ""),
			.port = (uint16_t)number_at(item, "port", 15443),
			.weight = 1,
			.mark = number_at(item, "mark", 1) != 0,
		};
	}
	put(set, xds_network_encode(&network, &err), &err);
	xds_network_fini(&network);
}

static void put_peers(struct xds_set *set, json_t *list)
{
	struct err err;
	struct xds_peers peers = {.clusters = xcalloc(json_array_size(list) + 1, sizeof(char *)),
	                          .n_clusters = json_array_size(list)};
	for (size_t i = 0; i < peers.n_clusters; i++)
		peers.clusters[i] = xstrdup(json_string_value(json_array_get(list, i)));
	put(set, xds_peers_encode(&peers, &err), &err);
	xds_peers_fini(&peers);
}

static void describe(struct xds_set *set, const char *cluster, json_t *from)
{
	struct cidr ranges[XDS_SOURCE_RANGES_MAX];
	json_t *item;
	size_t i;
	struct xds_set_info info = {
		.left = number_at(from, "left", 0) != 0,
		.network = json_str_at(from, "network", "n1"),
		.cluster = cluster,
		.locality = "region1/zone1/",
		.source_ranges = ranges,
	};
	json_array_foreach (json_object_get(from, "sourceRanges"), i, item)
		info.n_source_ranges += cidr_parse(str_from(json_string_value(item)),
		                                   &ranges[info.n_source_ranges]);
	xds_set_describe(set, &info);
	xds_set_set_complete(set, true);
}

static void fill_set(struct xds_set *set, const char *cluster, json_t *from)
{
	json_t *item;
	size_t i;
	describe(set, cluster, from);
	if (number_at(from, "left", 0) != 0)
		return;
	json_array_foreach (json_object_get(from, "routes"), i, item)
		put_route(set, item);
	json_array_foreach (json_object_get(from, "networks"), i, item)
		put_network(set, item);
	put_peers(set, json_object_get(from, "peers"));
}

static struct xds_set *set_of(struct plane *plane, const char *cluster)
{
	struct xds_set *set = map_find_text(&plane->sets, cluster);
	if (set == NULL) {
		set = xds_set_create();
		map_set(&plane->sets, str_from(cluster), set);
	}
	return set;
}

static void load(struct plane *plane)
{
	struct buf text CLEANUP(buf_fini) = {0};
	struct err err;
	const char *cluster;
	json_t *from;
	buf_init(&text, 64 << 20);
	if (!file_load(plane->mesh_path, &text, &err))
		die(&err);
	json_t *tree CLEANUP(json_cleanup) = json_parse(buf_str(&text), &err);
	if (tree == NULL)
		die(&err);
	json_object_foreach (tree, cluster, from) {
		struct xds_set *wanted = xds_set_create();
		struct xds_set *set = set_of(plane, cluster);
		fill_set(wanted, cluster, from);
		xds_set_replace(set, wanted);
		describe(set, cluster, from);
		xds_set_unref(wanted);
		log_info("test", "mesh cluster=%s version=%s", cluster, xds_set_version(set));
	}
	if (plane->ads != NULL)
		xds_ads_server_flush(plane->ads);
}

static void on_hangup(void *arg)
{
	load(arg);
}

/* --- streams ---------------------------------------------------------------------------------- */

static bool identify(struct grpc_call *call, struct cert_identity *who, struct err *err)
{
	STACK_OF(X509) *chain = http_exchange_peer_chain(grpc_call_exchange(call));
	return chain != NULL ? cert_identity_of_chain(chain, TRUST_DOMAIN, who, err)
	                     : err_set(err, ERR_UNAUTHORIZED, "a certificate is needed");
}

static bool on_open(struct xds_ads_stream *stream, void *arg, struct err *err)
{
	struct cert_identity who;
	(void)arg;
	return identify(xds_ads_stream_call(stream), &who, err);
}

static bool on_node(struct xds_ads_stream *stream, const struct xds_node *node, void *arg,
                    struct err *err)
{
	struct plane *plane = arg;
	struct cert_identity who;
	if (!identify(xds_ads_stream_call(stream), &who, err))
		return false;
	log_info("test", "stream cluster=%s gateway=%s id=%s mark=%d", who.cluster, who.name,
	         node->id, node->mark);
	xds_ads_stream_set_set(stream, set_of(plane, who.cluster));
	return true;
}

static void on_outcome(struct xds_ads_stream *stream, const struct xds_outcome *outcome, void *arg)
{
	(void)stream;
	(void)arg;
	log_info("test", "%s type=%s %s", outcome->accepted ? "ack" : "nack",
	         xds_type_name(outcome->type), outcome->message);
}

static void on_stream_close(struct xds_ads_stream *stream, void *arg)
{
	(void)stream;
	(void)arg;
}

static void on_report_open(struct grpc_call *call, void *arg)
{
	Fedway__Report__V1__Ack ack = FEDWAY__REPORT__V1__ACK__INIT;
	struct buf bytes CLEANUP(buf_fini) = {0};
	(void)arg;
	buf_init(&bytes, 64);
	ack.has_interval_ms = true;
	ack.interval_ms = 500;
	xds_message_pack(&ack.base, &bytes);
	IGNORE(grpc_call_send(call, buf_str(&bytes)));
}

static void on_report(struct grpc_call *call, struct str message, void *arg)
{
	struct err err;
	(void)call;
	(void)arg;
	ProtobufCMessage *base =
		xds_message_unpack(&fedway__report__v1__report__descriptor, message, &err);
	if (base == NULL)
		die(&err);
	const Fedway__Report__V1__Report *report = (const void *)base;
	log_info("test", "report version=%s addresses=%zu routes=%zu refused=%zu",
	         report->applied_version != NULL ? report->applied_version : "",
	         report->n_addresses, report->n_routes, report->n_refused);
	for (size_t i = 0; i < report->n_addresses; i++) {
		const Fedway__Report__V1__AddressHealth *address = report->addresses[i];
		log_info("test", "address %s/%s %s:%u live=%d rtt=%u reason=%s", address->network,
		         address->cluster, address->address, address->port, address->live,
		         address->rtt_us, address->reason != NULL ? address->reason : "");
	}
	for (size_t i = 0; i < report->n_refused; i++)
		log_info("test", "refused %s %s", report->refused[i]->name,
		         report->refused[i]->message);
	xds_message_free(base);
}

static void on_report_end(struct grpc_call *call, void *arg)
{
	(void)arg;
	grpc_call_end(call, GRPC_OK, NULL);
}

static void on_report_gone(struct grpc_call *call, const struct err *why, void *arg)
{
	(void)call;
	(void)why;
	(void)arg;
}

/* --- certificates ----------------------------------------------------------------------------- */

static void on_review(struct cert_review *review, const char *cluster, const char *token, void *arg)
{
	static const char *const audiences[] = {"fedway"};
	char user[256];
	bool good = str_starts_with(str_from(token), STR_LIT("good."));
	(void)arg;
	log_info("test", "review cluster=%s good=%d", cluster, good);
	snprintf(user, sizeof(user), "system:serviceaccount:fedway-system:fedway-gateway-%.100s",
	         good ? token + 5 : "");
	struct cert_token_review status = {
		.authenticated = good, .audiences = audiences, .n_audiences = 1, .username = user};
	cert_review_done(review, &status);
}

static bool cluster_may(const char *cluster, void *arg, struct err *err)
{
	(void)cluster;
	(void)arg;
	(void)err;
	return true;
}

static bool gateway_exists(const char *cluster, const char *name, void *arg)
{
	(void)cluster;
	(void)name;
	(void)arg;
	return true;
}

static void on_decided(const struct cert_identity *identity, const char *cluster,
                       const struct err *err, void *arg)
{
	(void)arg;
	log_info("test", "certificate cluster=%s name=%s %s", cluster,
	         identity != NULL ? identity->name : "", identity == NULL ? err->msg : "");
}

static struct tls_ctx *make_tls(struct plane *plane)
{
	struct buf chain CLEANUP(buf_fini) = {0};
	struct buf key CLEANUP(buf_fini) = {0};
	const char *names[] = {"127.0.0.1"};
	struct err err;
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	if (!cert_store_issue_server(plane->store, names, 1, clock_wall_s(), &chain, &key, &err))
		die(&err);
	struct tls_config config = {
		.cert_pem = buf_str(&chain),
		.key_pem = buf_str(&key),
		.roots_pem = cert_store_roots(plane->store),
		.alpn = "h2",
		.peer = TLS_PEER_REQUESTED,
		.verify = cert_verifier_check,
		.verify_arg = &plane->verifier,
	};
	struct tls_ctx *tls = tls_server_create(&config, &err);
	if (tls == NULL)
		die(&err);
	return tls;
}

static void on_renewal(void *arg)
{
	struct plane *plane = arg;
	struct tls_ctx *tls = make_tls(plane);
	http_listener_set_tls(plane->listener, tls);
	tls_ctx_unref(tls);
	loop_timer_set(&plane->renewal, plane->ttl_s * 500);
}

/* --- life ------------------------------------------------------------------------------------- */

static struct xds_set *set_of_call(struct grpc_call *call, void *arg)
{
	struct cert_identity who;
	struct err err;
	return identify(call, &who, &err) ? set_of(arg, who.cluster) : NULL;
}

static void start_ads(struct plane *plane, const char *how)
{
	struct xds_ads_server_config ads = {.grpc = plane->grpc,
	                                    .on_open = on_open,
	                                    .on_node = on_node,
	                                    .on_outcome = on_outcome,
	                                    .on_close = on_stream_close,
	                                    .arg = plane};
	plane->broken = (struct ads_broken){.set_of = set_of_call, .arg = plane};
	if (how == NULL)
		plane->ads = xds_ads_server_create(&ads);
	else if (!ads_broken_add(&plane->broken, plane->grpc, how))
		UNREACHABLE("unfinished or miscounted");
}

static void start_services(struct plane *plane)
{
	struct cert_csr_service_config csr = {.grpc = plane->grpc,
	                                      .store = plane->store,
	                                      .review = on_review,
	                                      .cluster_may = cluster_may,
	                                      .gateway_exists = gateway_exists,
	                                      .on_decided = on_decided,
	                                      .arg = plane};
	plane->reports = (struct grpc_method){.path = "/fedway.report.v1.Reports/Stream",
	                                      .message_max = 1 << 20,
	                                      .on_open = on_report_open,
	                                      .on_message = on_report,
	                                      .on_half_close = on_report_end,
	                                      .on_gone = on_report_gone};
	grpc_server_add(plane->grpc, &plane->reports);
	IGNORE(cert_csr_service_create(&csr) == NULL);
}

static void listen_at(struct plane *plane, const char *address)
{
	struct err err;
	struct addr bound;
	char text[ADDR_TEXT_MAX];
	struct http_server_config config = {.loop = plane->loop,
	                                    .name = "test",
	                                    .on_request = grpc_server_on_request,
	                                    .arg = plane->grpc};
	int fd = net_listen_text(address, &bound, &err);
	if (fd < 0)
		die(&err);
	struct tls_ctx *tls = make_tls(plane);
	plane->listener = http_server_listen(http_server_create(&config), fd, tls);
	tls_ctx_unref(tls);
	log_info("test", "listening address=%s", addr_format(&bound, text));
}

static void open_store(struct plane *plane, const char *dir)
{
	struct err err;
	struct cert_store_config config = {
		.dir = dir, .trust_domain = TRUST_DOMAIN, .leaf_ttl_s = plane->ttl_s};
	plane->store = cert_store_open(&config, clock_wall_s(), &err);
	if (plane->store == NULL)
		die(&err);
}

int main(int argc, char **argv)
{
	static struct plane plane;
	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: fedway-ads-test DIR MESH.json ADDR:PORT TTL [HOW]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	plane.mesh_path = argv[2];
	plane.ttl_s = strtol(argv[4], NULL, 10);
	plane.verifier = (struct cert_verifier){
		.trust_domain = TRUST_DOMAIN,
		.kinds = 1u << CERT_GATEWAY,
	};
	plane.loop = loop_create();
	open_store(&plane, argv[1]);
	plane.grpc = grpc_server_create(plane.loop);
	start_ads(&plane, argv[5]);
	start_services(&plane);
	load(&plane);
	IGNORE(loop_signal_create(plane.loop, SIGHUP, on_hangup, &plane) == NULL);
	loop_timer_init(&plane.renewal, plane.loop, on_renewal, &plane);
	loop_timer_set(&plane.renewal, plane.ttl_s * 500);
	listen_at(&plane, argv[3]);
	loop_run(plane.loop);
	return 0;
}
