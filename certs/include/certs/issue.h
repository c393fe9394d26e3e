/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issue - which identity, if any, belongs to whoever asks for a certificate. Pure; any thread.
 * Source: contracts 4 (one row an audience; component rows first).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "certs/identity.h"

/* What a member's API server said of a token (TokenReview.status). Borrowed texts. */
struct cert_token_review {
	bool authenticated;
	const char *const *audiences;
	size_t n_audiences;
	const char *username; /* "system:serviceaccount:NS:SA" */
	const char *pod_name; /* extra["authentication.kubernetes.io/pod-name"][0], NULL: none */
	const char *error;    /* status.error, NULL: none */
};

struct cert_issue_context {
	const char *trust_domain;
	const char *cluster; /* the member that was asked: metadata clusterid */
	/* Is there an EastWestGateway of this name on that cluster? */
	bool (*gateway_exists)(const char *cluster, const char *name, void *arg);
	void *arg;
};

/* ERR_UNAUTHORIZED: the token is not good (not authenticated, no audience of ours, no service
 * account); ERR_FORBIDDEN: it is, but has no row (the message names the fix). */
MUST_CHECK
bool cert_issue_by_token(const struct cert_issue_context *context,
                         const struct cert_token_review *review, struct cert_identity *ret_identity,
                         struct err *err);

/* Renewal by the certificate it replaces: its identity again, if it still holds. ERR_FORBIDDEN:
 * another cluster than asked, the control plane, a gateway that is gone. */
MUST_CHECK
bool cert_issue_by_identity(const struct cert_issue_context *context,
                            const struct cert_identity *current, struct cert_identity *ret_identity,
                            struct err *err);
