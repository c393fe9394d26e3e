/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csr_service - IstioCertificateService/CreateCertificate on our gRPC server: finds out who asks
 * (verified client certificate, or a token that the member's API server reviews), and signs with
 * that cluster's intermediate. Loop thread.
 *
 * Metadata `clusterid` is needed; `authorization: Bearer TOKEN` unless a certificate is shown.
 * Answer: leaf, intermediate, root bundle.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/grpc.h"
#include "certs/issue.h"
#include "certs/store.h"

struct cert_csr_service;
struct cert_review;

struct cert_csr_service_config {
	struct grpc_server *grpc; /* borrowed */
	struct cert_store *store; /* borrowed */
	/* Starts a TokenReview on that member with audiences [fedway, istio-ca]; ends with exactly
	 * one cert_review_done() or cert_review_fail(), now or later. token is borrowed for the
	 * call and never logged. */
	void (*review)(struct cert_review *review, const char *cluster, const char *token,
	               void *arg);
	/* May this cluster have certificates (known, has not left)? Fills err if not. */
	bool (*cluster_may)(const char *cluster, void *arg, struct err *err);
	bool (*gateway_exists)(const char *cluster, const char *name, void *arg);
	/* Tells what was decided, for log and metrics; identity NULL: refused with err. May be
	 * NULL. */
	void (*on_decided)(const struct cert_identity *identity, const char *cluster,
	                   const struct err *err, void *arg);
	void *arg;
};

/* Adds the method. */
struct cert_csr_service *cert_csr_service_create(const struct cert_csr_service_config *config);
/* After the gRPC server. Reviews under way must have ended. */
void cert_csr_service_destroy(struct cert_csr_service *service);

/* status is borrowed for the call. The review is gone afterwards, and harmless if its caller is. */
void cert_review_done(struct cert_review *review, const struct cert_token_review *status);
/* The member could not be asked. */
void cert_review_fail(struct cert_review *review, const struct err *why);
