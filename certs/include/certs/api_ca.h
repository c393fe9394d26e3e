/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_ca - the two CAs of the hosted API, apart from the mesh root: one for its serving
 * certificate, one for client certificates (user = CN, groups = O, as Kubernetes reads them).
 * Neither signs nor trusts mesh leaves. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "certs/ca.h"

enum {
	CERT_API_TTL_S = 365 * 24 * 3600
};

/* Self-signed, `CN=fedway-api-serving` or any other name. Never NULL. */
struct cert_ca *cert_api_ca_create(const char *common_name, int64_t ttl_s, int64_t now_wall_s);

/* Serving certificate for DNS names and IP literals. */
MUST_CHECK
bool cert_api_ca_issue_serving(const struct cert_ca *ca, const char *const *names, size_t n_names,
                               int64_t now_wall_s, struct buf *cert_pem, struct buf *key_pem,
                               struct err *err);

struct cert_api_user {
	const char *name;
	const char *const *groups;
	size_t n_groups;
	int64_t ttl_s; /* 0: CERT_API_TTL_S */
};
/* A fresh key and its client certificate. */
MUST_CHECK
bool cert_api_ca_issue_client(const struct cert_ca *ca, const struct cert_api_user *user,
                              int64_t now_wall_s, struct buf *cert_pem, struct buf *key_pem,
                              struct err *err);

/* The user of a verified chain: CN into name (at least 256 bytes), O values to on_group. False: no
 * CN. */
bool cert_api_user_of_chain(STACK_OF(X509) * chain, char name[256],
                            void (*on_group)(const char *group, void *arg), void *arg);
