/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ads/ads.h"
#include "ads/program.h"
#include "base/list.h"
#include "base/map.h"
#include "xds/ads_server_io.h"

/* A program and how many streams follow it. */
struct ads_program {
	struct list link;
	struct program *program;
	size_t n_streams;
};

/* One stream of a gateway; made when it opens, in the list once its node is known. */
struct ads_stream {
	struct list link;
	struct ads *ads;
	struct xds_ads_stream *stream;
	struct ads_program *program; /* NULL: no node yet, or its cluster has left */
	char *cluster;
	char *gateway;
	char *instance;
	char *version;
	char *left_version; /* of the set with state LEFT, NULL while it has not left */
	const struct locality *narrowed; /* what the node said; none: the gateway's */
	enum view_role role;
	bool mark;
	int64_t cert_not_after_s;
	int64_t connected_ms;
};

struct ads_metrics {
	struct metrics_value *streams;
	struct metrics_value *nacks;
	struct metrics_value *sent[N_XDS_TYPES];
	struct metrics_value *certificates;
	struct metrics_value *refused;
};

struct ads {
	struct loop *loop;
	struct cert_store *store;
	struct ads_control control;
	char **names; /* in the server certificate */
	size_t n_names;
	struct addr addr;
	struct http_server *http;
	struct http_listener *listener;
	struct grpc_server *grpc;
	struct xds_ads_server *server;
	struct cert_csr_service *csr;
	struct grpc_method reports;
	uint64_t n_reporters; /* that ever came */
	struct cert_verifier verifier;
	struct mesh *mesh;     /* NULL before the first publish */
	struct map incomplete; /* cluster → itself */
	struct list programs;
	struct list streams;
	struct loop_timer tick;    /* weight changes that wait */
	struct loop_timer renewal; /* of the server certificate */
	struct ads_metrics metrics;
};

/* streams_io.c: delta ADS */
void ads_streams_start(struct ads *ads);
/* Follows the mesh with every program, and moves streams whose gateway stands elsewhere now. */
void ads_streams_update(struct ads *ads);
void ads_streams_review(struct ads *ads);
struct ads_instance ads_stream_describe(const struct ads_stream *stream);

/* reports_io.c */
void ads_reports_start(struct ads *ads);
/* The gateway that a call's certificate names. False with err: none. */
bool ads_call_gateway(struct ads *ads, const struct grpc_call *call,
                      struct cert_identity *ret_identity, int64_t *ret_not_after_s,
                      struct err *err);
