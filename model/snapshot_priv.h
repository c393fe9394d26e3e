/* SPDX-License-Identifier: Apache-2.0 */
/* How the builder and the loader make what is immutable afterwards. */
#pragma once

#include "model/snapshot.h"

/* References services. Counts are left to the caller. */
struct snapshot *snapshot_make(const char *cluster, const char *uid, const char *network,
                               struct tree *services);

/* Without labels and ports; the caller fills them in and then calls snap_service_finish. */
struct snap_service *snap_service_create(struct str ns, struct str name);
/* Sorts ports and endpoints and drops repeated addresses. */
void snap_service_finish(struct snap_service *service);
/* Adds to both. */
void snap_service_count(const struct snap_service *service, size_t *endpoints, size_t *ready);
