/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grant - a certificate that was issued to us, with its key, and its file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "certs/identity.h"

struct grant {
	struct buf chain; /* PEM: leaf, then intermediates */
	struct buf key;   /* PEM */
	struct cert_identity identity;
	int64_t not_after_s; /* 0: not judged yet */
};

void grant_init(struct grant *grant);
/* Wipes the key. */
void grant_fini(struct grant *grant);

/* Fills identity and end from chain and key, which must belong together, to roots and to cluster.
 * Mere expiry is no fault. */
MUST_CHECK
bool grant_judge(struct grant *grant, struct str roots_pem, const char *cluster, int64_t now_wall_s,
                 struct err *err);

/* DIR/tls.pem, mode 0600. */
MUST_CHECK
bool grant_save(const struct grant *grant, const char *dir, struct err *err);
/* Fills chain and key. */
MUST_CHECK
bool grant_load(struct grant *grant, const char *dir, struct err *err);
