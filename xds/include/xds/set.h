/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set - the resources that one group of consumers shall hold (one view), with a journal of changes,
 * so that bringing a stream up to date costs in proportion to what changed.
 *
 *   seq 1 ─ entry ─ entry ─ tombstone ─ entry ─▶ seq n      (a list a type, by last change)
 *                     ▲ cursor of a stream: it holds everything up to here
 *
 * Refcounted, but mutable by its owner; loop thread only. Changing it sends nothing: the owner
 * calls xds_ads_server_flush() when a consistent state is reached.
 *
 * Complete or nothing: while a set is not complete, a name that a stream holds and the set lacks is
 * not removed there; an entry put with hold is sent only to streams that do not hold its name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "xds/resource.h"

struct xds_set;

/* What the Snapshot at the end of each burst says besides the counts. Copied. */
struct xds_set_info {
	bool left; /* state LEFT: the cluster has left; the consumer drops everything */
	const char *network;
	const char *cluster;
	const char *locality;             /* "region/zone/subzone" */
	const struct cidr *source_ranges; /* at most XDS_SOURCE_RANGES_MAX; none: any */
	size_t n_source_ranges;
};

/* Empty and not complete. One reference. */
struct xds_set *xds_set_create(void);
struct xds_set *xds_set_ref(struct xds_set *set);
void xds_set_unref(struct xds_set *set);

/* Adds or replaces; takes a reference of its own. Nothing happens (false) when the set holds the
 * same version with the same hold. Snapshot resources are made by the stream, never put. */
bool xds_set_put(struct xds_set *set, struct xds_resource *resource, bool hold);
/* False: was not there. */
bool xds_set_remove(struct xds_set *set, enum xds_type type, struct str name);
/* Makes content and holds equal to other's, touching only what differs. Returns the number of
 * changes. */
size_t xds_set_replace(struct xds_set *set, const struct xds_set *other);
void xds_set_set_complete(struct xds_set *set, bool complete);
/* Returns true if it says something else now. */
bool xds_set_describe(struct xds_set *set, const struct xds_set_info *info);

bool xds_set_is_complete(const struct xds_set *set);
/* Borrowed until the next change; NULL: not there. */
struct xds_resource *xds_set_find(const struct xds_set *set, enum xds_type type, struct str name);
size_t xds_set_len(const struct xds_set *set, enum xds_type type);
/* Hash over type, name and version of all resources and the info: equal content, equal version. */
const char *xds_set_version(const struct xds_set *set);

/* A change between two sets: resource NULL means removed. All borrowed from the sets. */
typedef void (*xds_set_diff_cb)(enum xds_type type, struct str name, struct xds_resource *resource,
                                void *arg);
/* Calls cb for everything in which to differs from from. */
void xds_set_diff(const struct xds_set *from, const struct xds_set *to, xds_set_diff_cb cb,
                  void *arg);
