/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta_client, from inside: shared by delta_client.c (requests, reading) and delta_burst.c
 * (responses).
 *
 * Three layers a type: `held` is in force, `refused` are names in force only at the server (their
 * resource was bad), `staged` is what the burst under way will do to both at its Snapshot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "xds/answers.h"
#include "xds/delta_client.h"

enum {
	N_CLIENT_TYPES = 5
};

/* What a gateway asks for, in this order: the server plans its first burst when the last one has
 * come. */
extern const enum xds_type client_types[N_CLIENT_TYPES];

/* What the burst does to one name: takes a resource, refuses one, or removes. */
struct staged {
	struct xds_resource *resource; /* shared */
	char *refusal;                 /* owned */
};

struct xds_delta_client {
	struct buf node_bytes;
	xds_check_cb check;
	void *check_arg;
	struct map held[N_XDS_TYPES];    /* name to struct xds_resource */
	struct map refused[N_XDS_TYPES]; /* name to message */
	struct map staged[N_XDS_TYPES];  /* name to struct staged */
	struct xds_resource *snapshot_resource;
	struct xds_snapshot snapshot;
	bool has_snapshot;
	bool with_versions; /* the subscriptions name what is held */
	bool replacing;     /* ... or not: the first burst is the whole truth */
	size_t subscribed;  /* how many of client_types were asked on this stream */
	bool started;
	struct xds_answers answers;
	struct xds_change *changes;
	size_t n_changes;
};

void client_free_staged(void *value);
void client_forget_staged(struct xds_delta_client *client);
void client_forget_changes(struct xds_delta_client *client);
void client_forget_held(struct xds_delta_client *client);
void client_put_held(struct xds_delta_client *client, struct xds_resource *resource);
/* Takes the snapshot's texts. */
void client_put_snapshot(struct xds_delta_client *client, struct xds_resource *resource,
                         const struct xds_snapshot *snapshot);
