/* SPDX-License-Identifier: Apache-2.0 */
/*
 * istiod_listener - what a listener of istiod exposes: the SNI names of its AUTO_PASSTHROUGH filter
 * chains. Nothing else says what may be reached from other networks: the clusters stay when the
 * hosts of a Gateway are narrowed.
 *
 * A chain counts if it takes a connection by its server name alone and hands it, undecrypted, to
 * the cluster of that name. One that asks for more than we can judge (a source range), that ends
 * TLS, or whose filters may refuse (RBAC, put there by an EnvoyFilter) exposes nothing: default
 * deny. Other filters, as Istio's metrics, are passed over.
 *
 * Pure; any thread. Source: Istio's gateway listeners; envoy.config.listener.v3.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "base/map.h"
#include "base/str.h"

enum {
	EW_EXPOSED_MAX = 100000 /* names of one listener */
};

/* The form of the names: "outbound_.PORT_.SUBSET_.HOST". */
#define EW_ISTIOD_PREFIX "outbound_."

struct ew_exposed {
	struct map names;   /* name to itself: a set */
	size_t n_left_out;  /* chains for such names that expose nothing */
	const char *why;    /* of the last one; static */
	bool is_other_port; /* the listener is not on our port: nothing is exposed */
};

/* Listener bytes. port: of our own door. ERR_BAD_REQUEST (malformed), ERR_TOO_LARGE; ret_exposed is
 * empty then. Finish with ew_exposed_fini(). */
MUST_CHECK
bool ew_istiod_listener_read(struct str bytes, uint16_t port, struct ew_exposed *ret_exposed,
                             struct err *err);
/* Harmless on zeroed memory. */
void ew_exposed_fini(struct ew_exposed *exposed);
bool ew_exposed_has(const struct ew_exposed *exposed, struct str name);
