/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/macros.h"
#include "certs/csr_service.h"
#include "certs/key.h"
#include "xds/message.h"
#include "xds/proto/ca.pb-c.h"

#define BEARER "Bearer "

enum {
	REQUEST_MAX = 64 << 10,
	REVIEWS_MAX = 256, /* under way at a time: a crowd waits at its own side */
	TOKEN_MAX = 16 << 10
};

struct cert_csr_service {
	struct cert_csr_service_config config;
	struct grpc_method method;
	size_t n_reviews;
};

/* One request, from its arrival until it is answered; also what the reviewer holds. */
struct cert_review {
	struct cert_csr_service *service;
	struct grpc_call *call; /* NULL: the caller is gone */
	char *cluster;
	char *csr;
	int64_t ttl_s;
};

static void free_review(struct cert_review *review)
{
	free(review->cluster);
	free(review->csr);
	free(review);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void tell(const struct cert_review *review, const struct cert_identity *identity,
                 const struct err *err)
{
	const struct cert_csr_service_config *config = &review->service->config;
	if (config->on_decided != NULL)
		config->on_decided(identity, review->cluster, err, config->arg);
}

static void refuse(struct cert_review *review, const struct err *err)
{
	tell(review, NULL, err);
	if (review->call != NULL)
		grpc_call_end(review->call, grpc_status_of_err(err->code), err->msg);
	free_review(review);
}

/* Leaf, the rest of its chain, roots: what Istio's agents take apart again. */
static void answer(struct grpc_call *call, struct buf *chain, struct str roots)
{
	static const char end[] = "-----END CERTIFICATE-----\n";
	char *leaf_end = strstr(chain->ptr, end);
	if (leaf_end == NULL)
		UNREACHABLE("a chain without certificate");
	size_t leaf_len = (size_t)(leaf_end - chain->ptr) + sizeof(end) - 1;
	char *leaf = xstrndup(chain->ptr, leaf_len);
	char *root = str_dup(roots);
	char *parts[] = {leaf, chain->ptr + leaf_len, root};
	Istio__V1__Auth__IstioCertificateResponse msg =
		ISTIO__V1__AUTH__ISTIO_CERTIFICATE_RESPONSE__INIT;
	msg.cert_chain = parts;
	msg.n_cert_chain = N_ELEMS(parts);
	struct buf reply CLEANUP(buf_fini) = {0};
	buf_init(&reply, 2 * CERT_PEM_MAX);
	xds_message_pack(&msg.base, &reply);
	free(leaf);
	free(root);
	grpc_call_reply(call, buf_str(&reply));
}

static bool sign(const struct cert_review *review, const struct cert_identity *identity,
                 struct buf *chain, struct err *err)
{
	struct cert_store *store = review->service->config.store;
	int64_t now = clock_wall_s();
	int64_t most = cert_store_leaf_ttl_s(store);
	struct cert_sign_request request = {
		.csr_pem = str_from(review->csr),
		.identity = identity,
		.ttl_s = review->ttl_s > 0 && review->ttl_s < most ? review->ttl_s : most,
		.now_wall_s = now,
	};
	const struct cert_ca *ca = cert_store_cluster(store, review->cluster, now, err);
	return ca != NULL && cert_ca_sign(ca, &request, chain, err);
}

static void grant(struct cert_review *review, const struct cert_identity *identity)
{
	struct err err;
	struct buf chain CLEANUP(buf_fini) = {0};
	buf_init(&chain, CERT_PEM_MAX);
	if (!sign(review, identity, &chain, &err)) {
		refuse(review, &err);
		return;
	}
	tell(review, identity, NULL);
	if (review->call != NULL)
		answer(review->call, &chain, cert_store_roots(review->service->config.store));
	free_review(review);
}

static struct cert_issue_context context_of(const struct cert_review *review)
{
	const struct cert_csr_service_config *config = &review->service->config;
	return (struct cert_issue_context){
		.trust_domain = cert_store_trust_domain(config->store),
		.cluster = review->cluster,
		.gateway_exists = config->gateway_exists,
		.arg = config->arg,
	};
}

/* --- token reviews ---------------------------------------------------------------------------- */

void cert_review_done(struct cert_review *review, const struct cert_token_review *status)
{
	struct cert_issue_context context = context_of(review);
	struct cert_identity identity;
	struct err err;
	review->service->n_reviews--;
	/* it may have left while its API server was asked */
	if (review->service->config.cluster_may(review->cluster, review->service->config.arg,
	                                        &err) &&
	    cert_issue_by_token(&context, status, &identity, &err))
		grant(review, &identity);
	else
		refuse(review, &err);
}

void cert_review_fail(struct cert_review *review, const struct err *why)
{
	struct err err = *why;
	review->service->n_reviews--;
	err.code = ERR_UNAVAILABLE;
	IGNORE(err_wrap(&err, "the token could not be reviewed by cluster '%s'", review->cluster));
	refuse(review, &err);
}

static void start_review(struct cert_review *review, const char *authorization)
{
	struct cert_csr_service *service = review->service;
	struct err err;
	if (strncmp(authorization, BEARER, sizeof(BEARER) - 1) != 0 ||
	    strlen(authorization) > TOKEN_MAX) {
		err_set(&err, ERR_UNAUTHORIZED,
		        "metadata 'authorization' is not of the form 'Bearer TOKEN'");
		refuse(review, &err);
		return;
	}
	if (service->n_reviews >= REVIEWS_MAX) {
		err_set(&err, ERR_TOO_MANY, "%d tokens are being reviewed; try again", REVIEWS_MAX);
		refuse(review, &err);
		return;
	}
	service->n_reviews++;
	service->config.review(review, review->cluster, authorization + sizeof(BEARER) - 1,
	                       service->config.arg);
}

/* --- requests --------------------------------------------------------------------------------- */

static void decide_by_certificate(struct cert_review *review, STACK_OF(X509) * chain)
{
	struct cert_issue_context context = context_of(review);
	struct cert_identity current;
	struct cert_identity identity;
	struct err err;
	if (cert_identity_of_chain(chain, context.trust_domain, &current, &err) &&
	    cert_issue_by_identity(&context, &current, &identity, &err))
		grant(review, &identity);
	else
		refuse(review, &err);
}

static void decide(struct cert_review *review)
{
	STACK_OF(X509) *chain = http_exchange_peer_chain(grpc_call_exchange(review->call));
	const char *authorization = grpc_call_metadata(review->call, "authorization");
	struct err err;
	if (authorization != NULL) {
		start_review(review, authorization);
	} else if (chain != NULL) {
		decide_by_certificate(review, chain);
	} else {
		err_set(&err, ERR_UNAUTHORIZED,
		        "neither a token in metadata 'authorization' nor a client certificate");
		refuse(review, &err);
	}
}

static bool read_cluster(const struct cert_csr_service *service, struct grpc_call *call,
                         const char **ret_cluster, struct err *err)
{
	const char *cluster = grpc_call_metadata(call, "clusterid");
	if (cluster == NULL)
		return err_set(err, ERR_BAD_REQUEST,
		               "metadata 'clusterid' is missing; it names the Cluster");
	if (!str_is_dns_label(str_from(cluster)))
		return err_set(err, ERR_BAD_REQUEST,
		               "metadata 'clusterid' is '%.80s', no name of "
		               "a Cluster",
		               cluster);
	*ret_cluster = cluster;
	return service->config.cluster_may(cluster, service->config.arg, err);
}

static void on_call(struct grpc_call *call, struct str request, void *arg)
{
	struct cert_csr_service *service = arg;
	const char *cluster = NULL;
	struct err err;
	ProtobufCMessage *message = xds_message_unpack(
		&istio__v1__auth__istio_certificate_request__descriptor, request, &err);
	if (message == NULL || !read_cluster(service, call, &cluster, &err)) {
		xds_message_free(message);
		if (service->config.on_decided != NULL)
			service->config.on_decided(NULL, cluster, &err, service->config.arg);
		grpc_call_end(call, grpc_status_of_err(err.code), err.msg);
		return;
	}
	const Istio__V1__Auth__IstioCertificateRequest *msg =
		(const Istio__V1__Auth__IstioCertificateRequest *)message;
	struct cert_review *review = xcalloc(1, sizeof(*review));
	review->service = service;
	review->call = call;
	review->cluster = xstrdup(cluster);
	review->csr = xstrdup(msg->csr != NULL ? msg->csr : "");
	review->ttl_s = msg->validity_duration;
	xds_message_free(message);
	grpc_call_set_data(call, review);
	decide(review);
}

static void on_gone(struct grpc_call *call, const struct err *why, void *arg)
{
	struct cert_review *review = grpc_call_data(call);
	(void)why;
	(void)arg;
	if (review != NULL)
		review->call = NULL; /* its reviewer will free it */
}

struct cert_csr_service *cert_csr_service_create(const struct cert_csr_service_config *config)
{
	struct cert_csr_service *service = xcalloc(1, sizeof(*service));
	service->config = *config;
	service->method = (struct grpc_method){
		.path = "/istio.v1.auth.IstioCertificateService/CreateCertificate",
		.message_max = REQUEST_MAX,
		.arg = service,
		.on_call = on_call,
		.on_gone = on_gone,
	};
	grpc_server_add(config->grpc, &service->method);
	return service;
}

void cert_csr_service_destroy(struct cert_csr_service *service)
{
	free(service);
}
