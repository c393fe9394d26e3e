/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_copy - what a gateway holds of the control plane's resources, on disk: it starts from there
 * when the control plane does not answer.
 *
 *   fedway-gateway-mesh FORMAT SHA256-HEX\n
 *   one record a resource: type (1 byte), lengths of name (2), version (1) and bytes (4), little
 *   endian, then these; the Snapshot is the last one
 *
 * Written beside and renamed (0600). A copy whose head, format, checksum or cluster is wrong counts
 * as none.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "xds/delta_client.h"

enum {
	EW_MESH_COPY_FORMAT = 1,
	EW_MESH_COPY_MAX = 1 << 30
};

/* DIR/mesh.copy. client has a snapshot. ERR_IO, ERR_TOO_LARGE. */
MUST_CHECK
bool ew_mesh_copy_save(const char *dir, const struct xds_delta_client *client, struct err *err);
/* Restores client, which is fresh; on false it is as it was. ERR_NOT_FOUND; ERR_INVALID (damaged,
 * of another cluster; the message says what). */
MUST_CHECK
bool ew_mesh_copy_load(const char *dir, const char *cluster, struct xds_delta_client *client,
                       struct err *err);
void ew_mesh_copy_remove(const char *dir);

/* The pure part: appends the text of the file; and back. */
void ew_mesh_copy_format(const struct xds_delta_client *client, struct buf *out);
MUST_CHECK
bool ew_mesh_copy_parse(struct str text, const char *cluster, struct xds_delta_client *client,
                        struct err *err);
