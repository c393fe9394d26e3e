/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_builder - keeps one member's decoded objects and turns them into snapshots, with work in
 * proportion to what changed. One thread at a time.
 */
#pragma once

#include "base/json.h"
#include "model/snapshot.h"

struct snapshot_builder;

struct snapshot_builder *snapshot_builder_create(const char *cluster);
void snapshot_builder_destroy(struct snapshot_builder *builder);

/*
 * Adds or replaces the object: Service, EndpointSlice, Node, Namespace, Pod (of these two metadata
 * is enough, also as PartialObjectMetadata: then kind tells which, since the object's own kind does
 * not). Objects may come in any order. Other kinds: ERR_BAD_REQUEST. An object that is refused
 * (ERR_INVALID, ERR_TOO_LARGE) leaves the one before in force.
 */
MUST_CHECK
bool snapshot_builder_put(struct snapshot_builder *builder, const char *kind, const json_t *obj,
                          struct err *err);
/* ns is "" for Nodes and Namespaces. Harmless when there is no such object. */
void snapshot_builder_remove(struct snapshot_builder *builder, const char *kind, const char *ns,
                             const char *name);

/*
 * A re-list: after start every object of kind that is not put again until end is removed. Nothing
 * is withdrawn before end; a second start begins anew.
 */
void snapshot_builder_start_list(struct snapshot_builder *builder, const char *kind);
void snapshot_builder_end_list(struct snapshot_builder *builder, const char *kind);

/* Something has changed since the last build. */
bool snapshot_builder_is_dirty(const struct snapshot_builder *builder);
/* The snapshot of what was put so far; the one of before if nothing differs. Owned (one reference).
 */
struct snapshot *snapshot_builder_build(struct snapshot_builder *builder);
