/* SPDX-License-Identifier: Apache-2.0 */
/*
 * istiod, from inside: shared by istiod.c (life, requests), istiod_feed.c (responses),
 * istiod_translate.c (resources) and istiod_burst.c (routes).
 */
#pragma once

#include <openssl/sha.h>

#include "base/map.h"
#include "uplink/istiod.h"
#include "uplink/istiod_listener.h"
#include "xds/answers.h"

enum istiod_kind {
	ISTIOD_CLUSTERS,
	ISTIOD_ASSIGNMENTS,
	ISTIOD_LISTENERS
};

enum {
	N_ISTIOD_KINDS = ISTIOD_LISTENERS + 1
};

/* The xds_type of a kind. */
extern const enum xds_type istiod_types[N_ISTIOD_KINDS];

/* A resource as we would have sent it ourselves, and what it came as: most come again and again
 * unchanged, and are not looked at twice. */
struct istiod_held {
	struct xds_resource *resource;
	unsigned char digest[SHA256_DIGEST_LENGTH];
};

struct ew_istiod {
	struct buf node;
	char *cluster;
	uint16_t port;
	char *version;

	struct map clusters;                /* name to struct istiod_held */
	size_t names_len;                   /* of clusters, with EW_ISTIOD_NAME_EXTRA each */
	struct map assignments;             /* the same */
	struct map listeners;               /* name to struct ew_exposed */
	struct map refused[N_ISTIOD_KINDS]; /* name to message */
	struct map unresolved;              /* names of clusters that are no list of endpoints */
	bool answered[N_ISTIOD_KINDS];
	bool complete;

	struct map changed; /* names of which a route may be another now */
	struct map routed;  /* names that the last burst left as routes */
	bool told_whole;

	/* of the stream */
	bool started;
	bool asked[N_ISTIOD_KINDS];
	struct map subscribe; /* assignments to ask for */
	struct map unsubscribe;
	struct xds_answers answers;
};

/* NULL is harmless. */
void istiod_free_held(void *held);

/* istiod.c: a cluster came or went. */
void istiod_want(struct ew_istiod *istiod, struct str name);
void istiod_unwant(struct ew_istiod *istiod, struct str name);

/* istiod_translate.c: bytes of a cluster (type EDS) or an assignment as a resource of ours, owned
 * by the caller. NULL: ERR_BAD_REQUEST (malformed), ERR_INVALID, ERR_TOO_LARGE. */
MUST_CHECK
struct xds_resource *istiod_translate_cluster(struct str name, struct str bytes, struct err *err);
MUST_CHECK
struct xds_resource *istiod_translate_assignment(struct str name, struct str bytes,
                                                 struct err *err);

/* istiod_burst.c */
void istiod_touch(struct ew_istiod *istiod, struct str name);
