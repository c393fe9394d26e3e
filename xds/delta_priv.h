/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta_server, from inside: the stream's state, shared by delta_server.c (requests, responses) and
 * delta_plan.c (what to send).
 */
#pragma once

#include "set_priv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xds/delta_server.h"

/* One type on one stream. */
struct delta_sub {
	bool active;      /* a request of this type has come */
	bool wildcard;    /* `*`: every name */
	bool fresh;       /* `held` says what the stream holds; else the cursor does */
	bool answered;    /* stock Envoy waits for a first answer, be it empty */
	struct map names; /* subscribed by name */
	struct map asked; /* of these, those that wait for an answer */
	struct map held;  /* name to version (heap text), while fresh */
	struct map owed;  /* names held in a state other than the set's, on purpose */
};

enum delta_verb {
	DELTA_SEND,
	DELTA_REMOVE,
	DELTA_EMPTY, /* an answer without anything */
};

struct delta_item {
	enum xds_type type;
	enum delta_verb verb;
	bool is_held;                  /* the stream had the name when this was planned */
	struct xds_resource *resource; /* shared; of a removal only the name counts */
};

struct delta_items {
	struct delta_item *v;
	size_t n;
	size_t cap;
};

/* What one plan sent, until the last response is answered. Refcounted by responses. */
struct delta_burst {
	unsigned refs;
	bool failed;
	char version[XDS_VERSION_MAX + 1];
};

struct delta_sent {
	uint64_t nonce;
	enum xds_type type;
	struct delta_burst *burst; /* shared */
	struct xds_resource **resources;
	size_t n_resources;
};

struct xds_delta_server {
	struct xds_set *set; /* shared; NULL before set_set */
	struct set_reader reader;
	bool known; /* the first request has come */
	enum xds_role role;
	struct xds_node node;
	struct delta_sub subs[N_XDS_TYPES];
	bool dirty;                                 /* a request may have changed what is due */
	uint64_t planned_generation;                /* of the set */
	char snapshot_version[XDS_VERSION_MAX + 1]; /* of the Snapshot sent last */
	struct delta_items plan;
	size_t plan_next; /* sent up to here */
	struct delta_burst *burst;
	struct delta_sent sent[XDS_OUTSTANDING_MAX];
	size_t n_sent;
	struct delta_sent answered; /* what the last outcome lent out */
	char answered_version[XDS_VERSION_MAX + 1];
	struct xds_outcome outcome;
	char nack[XDS_NACK_MESSAGE_MAX + 1];
	uint64_t nonce;
	struct xds_delta_stats stats;
};

/* Fills the plan with what is due now. False: nothing. */
bool delta_plan_make(struct xds_delta_server *server);
/* Before the stream follows another set: turns cursors (and what is still in the plan) into `held`,
 * and empties the plan. */
void delta_plan_detach(struct xds_delta_server *server);
void delta_items_fini(struct delta_items *items);
/* Frees a `held` map and its versions; leaves it empty. */
void delta_held_fini(struct map *held);
