/* SPDX-License-Identifier: Apache-2.0 */
#include "ads_priv.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/net.h"

enum {
	PEM_MAX = 1 << 20,
	CONNECTIONS_MAX = 16384
};

/* --- the server's certificate -------------------------------------------------------------------
 */

static struct tls_ctx *make_tls(struct ads *ads, struct err *err)
{
	struct buf chain CLEANUP(buf_fini);
	struct buf key CLEANUP(buf_fini);
	buf_init(&chain, PEM_MAX);
	buf_init(&key, PEM_MAX);
	const char *const *names = (const char *const *)ads->names;
	if (!cert_store_issue_server(ads->store, names, ads->n_names, clock_wall_s(), &chain, &key,
	                             err))
		return NULL;
	struct tls_config config = {
		.cert_pem = buf_str(&chain),
		.key_pem = buf_str(&key),
		.roots_pem = cert_store_roots(ads->store),
		.alpn = "h2",
		.peer = TLS_PEER_REQUESTED,
		.verify = cert_verifier_check,
		.verify_arg = &ads->verifier,
	};
	return tls_server_create(&config, err);
}

static void on_renewal(void *arg)
{
	struct ads *ads = arg;
	struct err err;
	struct tls_ctx *tls = make_tls(ads, &err);
	if (tls != NULL) {
		http_listener_set_tls(ads->listener, tls);
		tls_ctx_unref(tls);
	} else {
		log_error("xds", "server certificate not renewed, the old one stays: %s", err.msg);
	}
	loop_timer_set(&ads->renewal, cert_store_leaf_ttl_s(ads->store) * 500);
}

/* --- certificates for others --------------------------------------------------------------------
 */

static void on_decided(const struct cert_identity *identity, const char *cluster,
                       const struct err *err, void *arg)
{
	struct ads *ads = arg;
	char uri[CERT_URI_MAX];
	if (identity != NULL) {
		metrics_add(ads->metrics.certificates, 1);
		log_info("certs", "certificate issued  identity=%s",
		         cert_identity_format(identity, uri));
	} else {
		metrics_add(ads->metrics.refused, 1);
		log_warn("certs", "certificate refused  cluster='%s': %s", cluster, err->msg);
	}
}

static void ask_review(struct cert_review *review, const char *cluster, const char *token,
                       void *arg)
{
	const struct ads_control *control = &((struct ads *)arg)->control;
	control->review(review, cluster, token, control->arg);
}

static bool cluster_may(const char *cluster, void *arg, struct err *err)
{
	const struct ads_control *control = &((struct ads *)arg)->control;
	return control->cluster_may(cluster, control->arg, err);
}

static bool gateway_exists(const char *cluster, const char *name, void *arg)
{
	const struct ads_control *control = &((struct ads *)arg)->control;
	return control->gateway_exists(cluster, name, control->arg);
}

static void start_csr(struct ads *ads)
{
	struct cert_csr_service_config config = {
		.grpc = ads->grpc,
		.store = ads->store,
		.review = ask_review,
		.cluster_may = cluster_may,
		.gateway_exists = gateway_exists,
		.on_decided = on_decided,
		.arg = ads,
	};
	ads->csr = cert_csr_service_create(&config);
}

/* --- life ---------------------------------------------------------------------------------------
 */

static void declare_metrics(struct ads *ads, struct metrics *metrics)
{
	struct metrics_family *sent =
		metrics_family(metrics, METRICS_COUNTER, "fedway_xds_resources_sent_total",
	                       "Resources that gateways acknowledged.", "type", N_XDS_TYPES + 1);
	for (int type = 0; type < N_XDS_TYPES; type++) {
		const char *value[] = {xds_type_name((enum xds_type)type)};
		ads->metrics.sent[type] = metrics_series(sent, value);
	}
	ads->metrics.streams =
		metrics_series(metrics_family(metrics, METRICS_GAUGE, "fedway_xds_streams",
	                                      "Gateways connected to this control plane.", "", 1),
	                       NULL);
	ads->metrics.nacks = metrics_series(
		metrics_family(metrics, METRICS_COUNTER, "fedway_config_rejects_total",
	                       "Responses that a gateway refused.", "", 1),
		NULL);
	ads->metrics.certificates = metrics_series(
		metrics_family(metrics, METRICS_COUNTER, "fedway_certificates_issued_total",
	                       "Certificates signed.", "", 1),
		NULL);
	ads->metrics.refused = metrics_series(
		metrics_family(metrics, METRICS_COUNTER, "fedway_certificates_refused_total",
	                       "Requests for a certificate that were refused.", "", 1),
		NULL);
}

static void copy_names(struct ads *ads, const struct ads_config *config)
{
	char text[IP_TEXT_MAX];
	ads->names = xcalloc(config->n_advertise + 1, sizeof(*ads->names));
	for (size_t i = 0; i < config->n_advertise; i++)
		ads->names[ads->n_names++] = xstrdup(config->advertise[i]);
	ads->names[ads->n_names++] = xstrdup(ip_format(&ads->addr.ip, text));
}

static bool listen_on(struct ads *ads, const struct ads_config *config, struct err *err)
{
	int fd = net_listen_text(config->listen, &ads->addr, err);
	if (fd < 0)
		return err_wrap(err, "xDS listener");
	copy_names(ads, config);
	struct tls_ctx *tls = make_tls(ads, err);
	if (tls == NULL) {
		close(fd);
		return err_wrap(err, "server certificate");
	}
	ads->listener = http_server_listen(ads->http, fd, tls);
	tls_ctx_unref(tls);
	return true;
}

struct ads *ads_create(const struct ads_config *config, struct err *err)
{
	struct ads *ads = xcalloc(1, sizeof(*ads));
	ads->loop = config->loop;
	ads->store = config->store;
	ads->control = config->control;
	ads->verifier = (struct cert_verifier){
		.trust_domain = cert_store_trust_domain(config->store),
		.kinds = 1u << CERT_GATEWAY | 1u << CERT_PROBE | 1u << CERT_WORKLOAD,
	};
	ads->grpc = grpc_server_create(ads->loop);
	struct http_server_config http = {
		.loop = ads->loop,
		.name = "xds",
		.on_request = grpc_server_on_request,
		.arg = ads->grpc,
		.connections_max = CONNECTIONS_MAX,
		.queue_max = GRPC_QUEUE_MAX,
	};
	ads->http = http_server_create(&http);
	declare_metrics(ads, config->metrics);
	ads_streams_start(ads);
	ads_reports_start(ads);
	start_csr(ads);
	loop_timer_init(&ads->renewal, ads->loop, on_renewal, ads);
	if (!listen_on(ads, config, err)) {
		ads_destroy(ads);
		return NULL;
	}
	loop_timer_set(&ads->renewal, cert_store_leaf_ttl_s(ads->store) * 500);
	return ads;
}

void ads_destroy(struct ads *ads)
{
	if (ads == NULL)
		return;
	http_server_destroy(ads->http);
	grpc_server_destroy(ads->grpc);
	xds_ads_server_destroy(ads->server);
	cert_csr_service_destroy(ads->csr);
	loop_timer_fini(&ads->tick);
	loop_timer_fini(&ads->renewal);
	mesh_unref(ads->mesh);
	map_fini(&ads->incomplete, NULL);
	for (size_t i = 0; i < ads->n_names; i++)
		free(ads->names[i]);
	free(ads->names);
	free(ads);
}

struct addr ads_addr(const struct ads *ads)
{
	return ads->addr;
}

struct grpc_server *ads_grpc(const struct ads *ads)
{
	return ads->grpc;
}

void ads_publish(struct ads *ads, struct mesh *mesh)
{
	struct mesh *old = ads->mesh;
	ads->mesh = mesh_ref(mesh);
	ads_streams_update(ads);
	mesh_unref(old);
}

void ads_expect(struct ads *ads, const char *cluster)
{
	map_set(&ads->incomplete, str_from(cluster), ads);
	ads_streams_review(ads);
}

void ads_set_complete(struct ads *ads, const char *cluster)
{
	if (map_remove(&ads->incomplete, str_from(cluster)) != NULL)
		ads_streams_review(ads);
}

void ads_forget(struct ads *ads, const char *cluster)
{
	ads_set_complete(ads, cluster);
}
