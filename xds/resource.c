/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/resource.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

static const struct {
	const char *url;
	const char *name;
} types[N_XDS_TYPES] = {
	[XDS_CLUSTER] = {"type.googleapis.com/envoy.config.cluster.v3.Cluster", "cluster"},
	[XDS_NETWORK] = {"type.googleapis.com/fedway.xds.v1.Network", "network"},
	[XDS_PEERS] = {"type.googleapis.com/fedway.xds.v1.Peers", "peers"},
	[XDS_ASSIGNMENT] = {"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
                            "assignment"},
	[XDS_LISTENER] = {"type.googleapis.com/envoy.config.listener.v3.Listener", "listener"},
	[XDS_SNAPSHOT] = {"type.googleapis.com/fedway.xds.v1.Snapshot", "snapshot"},
};

const char *xds_type_url(enum xds_type type)
{
	return types[type].url;
}

const char *xds_type_name(enum xds_type type)
{
	return types[type].name;
}

bool xds_type_parse(struct str url, enum xds_type *ret_type)
{
	for (size_t i = 0; i < N_XDS_TYPES; i++) {
		if (str_is(url, types[i].url)) {
			*ret_type = (enum xds_type)i;
			return true;
		}
	}
	return false;
}

/* One allocation: the public part, then name NUL bytes. */
struct shared {
	struct xds_resource pub;
	atomic_uint refs;
	char data[];
};

static void hash_version(struct str bytes, char version[XDS_VERSION_MAX + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	if (EVP_Digest(bytes.ptr, bytes.len, digest, &len, EVP_sha256(), NULL) != 1 || len < 16)
		UNREACHABLE("SHA-256 is always there");
	for (size_t i = 0; i < 16; i++)
		snprintf(version + 2 * i, 3, "%02x", digest[i]);
}

static struct shared *create(enum xds_type type, struct str name, struct str bytes, struct err *err)
{
	if (name.len == 0 || name.len > XDS_NAME_MAX) {
		err_set(err, ERR_INVALID, "the name of a %s must have 1 to %d bytes, not %zu",
		        xds_type_name(type), XDS_NAME_MAX, name.len);
		return NULL;
	}
	if (bytes.len > XDS_RESOURCE_MAX) {
		err_set(err, ERR_TOO_LARGE,
		        "%s '%.*s' has %zu bytes, at most %d go into one message; "
		        "split the service or lower its number of endpoints",
		        xds_type_name(type), STR_ARG(name), bytes.len, XDS_RESOURCE_MAX);
		return NULL;
	}
	struct shared *shared = xmalloc(sizeof(*shared) + name.len + 1 + bytes.len);
	*shared = (struct shared){.pub.type = type};
	atomic_init(&shared->refs, 1);
	memcpy(shared->data, name.ptr, name.len);
	shared->data[name.len] = '\0';
	if (bytes.len > 0)
		memcpy(shared->data + name.len + 1, bytes.ptr, bytes.len);
	shared->pub.name = str_make(shared->data, name.len);
	shared->pub.bytes = str_make(shared->data + name.len + 1, bytes.len);
	return shared;
}

struct xds_resource *xds_resource_create(enum xds_type type, struct str name, struct str bytes,
                                         struct err *err)
{
	struct shared *shared = create(type, name, bytes, err);
	if (shared == NULL)
		return NULL;
	hash_version(shared->pub.bytes, shared->pub.version);
	return &shared->pub;
}

struct xds_resource *xds_resource_create_versioned(enum xds_type type, struct str name,
                                                   struct str version, struct str bytes,
                                                   struct err *err)
{
	if (version.len > XDS_VERSION_MAX) {
		err_set(err, ERR_INVALID, "the version of %s '%.*s' is longer than %d bytes",
		        xds_type_name(type), STR_ARG(name), XDS_VERSION_MAX);
		return NULL;
	}
	struct shared *shared = create(type, name, bytes, err);
	if (shared == NULL)
		return NULL;
	if (version.len > 0)
		memcpy(shared->pub.version, version.ptr, version.len);
	return &shared->pub;
}

struct xds_resource *xds_resource_ref(struct xds_resource *resource)
{
	struct shared *shared = CONTAINER_OF(resource, struct shared, pub);
	atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
	return resource;
}

void xds_resource_unref(struct xds_resource *resource)
{
	if (resource == NULL)
		return;
	struct shared *shared = CONTAINER_OF(resource, struct shared, pub);
	if (atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) == 1)
		free(shared);
}

bool xds_resource_eq(const struct xds_resource *a, const struct xds_resource *b)
{
	return a == b || (a->type == b->type && str_eq(a->name, b->name) &&
	                  strcmp(a->version, b->version) == 0);
}
