/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/mesh_copy.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "eastwest/mesh.h"
#include "xds/network.h"

#define MAGIC "fedway-gateway-mesh "
#define NAME  "mesh.copy"

enum {
	HEX_LEN = 2 * SHA256_DIGEST_LENGTH,
	HEAD_LEN = 1 + 2 + 1 + 4
};

static void hash(struct str body, char hex[HEX_LEN + 1])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)body.ptr, body.len, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* --- out -------------------------------------------------------------------------------------- */

static void put_number(struct buf *out, size_t value, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		buf_add_char(out, (char)(value >> 8 * i & 0xff));
}

static void put_resource(struct xds_resource *resource, void *arg)
{
	struct buf *out = arg;
	struct str version = str_from(resource->version);
	put_number(out, resource->type, 1);
	put_number(out, resource->name.len, 2);
	put_number(out, version.len, 1);
	put_number(out, resource->bytes.len, 4);
	buf_add_str(out, resource->name);
	buf_add_str(out, version);
	buf_add_str(out, resource->bytes);
}

void ew_mesh_copy_format(const struct xds_delta_client *client, struct buf *out)
{
	struct buf body CLEANUP(buf_fini) = {0};
	char hex[HEX_LEN + 1];
	buf_init(&body, EW_MESH_COPY_MAX);
	xds_delta_client_for_each(client, put_resource, &body);
	hash(buf_str(&body), hex);
	buf_printf(out, MAGIC "%d %s\n", EW_MESH_COPY_FORMAT, hex);
	buf_add_str(out, buf_str(&body));
	if (buf_failed(&body))
		out->failed = true;
}

/* --- in --------------------------------------------------------------------------------------- */

struct resources {
	struct xds_resource **list;
	size_t n;
};

static void resources_fini(struct resources *resources)
{
	for (size_t i = 0; i < resources->n; i++)
		xds_resource_unref(resources->list[i]);
	free(resources->list);
}

/* Takes n bytes from the front. */
static bool cut(struct str *rest, size_t n, struct str *ret_part)
{
	if (rest->len < n)
		return false;
	*ret_part = str_make(rest->ptr, n);
	*rest = str_make(rest->ptr + n, rest->len - n);
	return true;
}

static size_t number_at(struct str head, size_t at, size_t n_bytes)
{
	size_t value = 0;
	for (size_t i = 0; i < n_bytes; i++)
		value |= (size_t)(unsigned char)head.ptr[at + i] << 8 * i;
	return value;
}

static bool read_resource(struct str *rest, struct resources *resources, struct err *err)
{
	struct str head;
	struct str name;
	struct str version;
	struct str bytes;
	if (!cut(rest, HEAD_LEN, &head) || !cut(rest, number_at(head, 1, 2), &name) ||
	    !cut(rest, number_at(head, 3, 1), &version) ||
	    !cut(rest, number_at(head, 4, 4), &bytes))
		return err_set(err, ERR_INVALID, "ends in the middle of a resource");
	size_t type = number_at(head, 0, 1);
	if (type >= N_XDS_TYPES)
		return err_set(err, ERR_INVALID, "has a resource of type %zu", type);
	struct xds_resource *resource =
		xds_resource_create_versioned((enum xds_type)type, name, version, bytes, err);
	if (resource == NULL)
		return false;
	resources->list =
		xrealloc(resources->list, (resources->n + 1) * sizeof(struct xds_resource *));
	resources->list[resources->n++] = resource;
	return ew_burst_check(resource, NULL, err);
}

static bool check_end(const struct resources *resources, const char *cluster, struct err *err)
{
	struct xds_snapshot snapshot;
	const struct xds_resource *last =
		resources->n > 0 ? resources->list[resources->n - 1] : NULL;
	if (last == NULL || last->type != XDS_SNAPSHOT)
		return err_set(err, ERR_INVALID, "has no snapshot at its end");
	if (!xds_snapshot_decode(last->bytes, &snapshot, err))
		return false;
	bool ok = true;
	if (snapshot.left)
		ok = err_set(err, ERR_INVALID, "is of a cluster that has left");
	else if (snapshot.cluster == NULL || strcmp(snapshot.cluster, cluster) != 0)
		ok = err_set(err, ERR_INVALID, "is of cluster '%s', not of '%s'",
		             snapshot.cluster != NULL ? snapshot.cluster : "", cluster);
	xds_snapshot_fini(&snapshot);
	return ok;
}

static bool check_head(struct str head, struct str body, struct err *err)
{
	uint64_t number;
	struct str format;
	char hex[HEX_LEN + 1];
	if (!str_starts_with(head, STR_LIT(MAGIC)))
		return err_set(err, ERR_INVALID, "is not a copy of a gateway's mesh");
	head = str_make(head.ptr + sizeof(MAGIC) - 1, head.len - (sizeof(MAGIC) - 1));
	IGNORE(str_split(&head, ' ', &format)); /* head holds the checksum now */
	if (!str_to_u64(format, UINT32_MAX, &number) || number != EW_MESH_COPY_FORMAT)
		return err_set(err, ERR_INVALID, "has format '%.*s', not %d", STR_ARG(format),
		               EW_MESH_COPY_FORMAT);
	hash(body, hex);
	if (!str_is(head, hex))
		return err_set(err, ERR_INVALID, "is damaged: the checksum differs");
	return true;
}

bool ew_mesh_copy_parse(struct str text, const char *cluster, struct xds_delta_client *client,
                        struct err *err)
{
	struct resources resources CLEANUP(resources_fini) = {0};
	struct str rest = text;
	struct str head;
	if (!str_split(&rest, '\n', &head))
		return err_set(err, ERR_INVALID, "is empty");
	if (!check_head(head, rest, err))
		return false;
	while (rest.len > 0) {
		if (!read_resource(&rest, &resources, err))
			return false;
	}
	if (!check_end(&resources, cluster, err))
		return false;
	for (size_t i = 0; i < resources.n; i++)
		xds_delta_client_restore(client, resources.list[i]);
	return true;
}

/* --- the file --------------------------------------------------------------------------------- */

bool ew_mesh_copy_save(const char *dir, const struct xds_delta_client *client, struct err *err)
{
	struct buf text CLEANUP(buf_fini) = {0};
	char *path CLEANUP(free_ptr) = xasprintf("%s/" NAME, dir);
	buf_init(&text, EW_MESH_COPY_MAX);
	ew_mesh_copy_format(client, &text);
	if (buf_failed(&text))
		return err_set(err, ERR_TOO_LARGE, "%s would be larger than %d MiB", path,
		               EW_MESH_COPY_MAX >> 20);
	return file_make_dirs(dir, err) && file_save(path, buf_str(&text), 0600, err);
}

bool ew_mesh_copy_load(const char *dir, const char *cluster, struct xds_delta_client *client,
                       struct err *err)
{
	struct buf text CLEANUP(buf_fini) = {0};
	char *path CLEANUP(free_ptr) = xasprintf("%s/" NAME, dir);
	buf_init(&text, EW_MESH_COPY_MAX);
	if (!file_load(path, &text, err))
		return false;
	return ew_mesh_copy_parse(buf_str(&text), cluster, client, err) ||
	       err_wrap(err, "%s", path);
}

void ew_mesh_copy_remove(const char *dir)
{
	char *path CLEANUP(free_ptr) = xasprintf("%s/" NAME, dir);
	unlink(path);
}
