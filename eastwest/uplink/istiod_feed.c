/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An istiod sends every cluster and the whole listener again whenever anything has changed, with no
 * versions, and assignments of names that nobody asks for any more. So everything is compared with
 * what is held, and what is not wanted is passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "uplink/istiod_priv.h"
#include "xds/assignment.h"

enum {
	NACK_MAX = 4096,
	/* envoy.service.discovery.v3 */
	RESPONSE_VERSION = 1,
	RESPONSE_RESOURCES = 2,
	RESPONSE_TYPE = 4,
	RESPONSE_NONCE = 5,
	RESPONSE_REMOVED = 6,
	RESOURCE_ANY = 2,
	RESOURCE_NAME = 3,
	ANY_TYPE = 1,
	ANY_VALUE = 2,
	/* envoy.config.cluster.v3 */
	CLUSTER_TYPE = 2,
	CLUSTER_TYPE_EDS = 3,
	VERSION_LEN_MAX = 256,
	NONCE_LEN_MAX = 1024
};

/* --- what is held ----------------------------------------------------------------------------- */

static void digest_of(struct str bytes, unsigned char digest[SHA256_DIGEST_LENGTH])
{
	SHA256((const unsigned char *)bytes.ptr, bytes.len, digest);
}

static bool is_held(const struct map *held, struct str name, struct str bytes)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	const struct istiod_held *old = map_find(held, name);
	if (old == NULL)
		return false;
	digest_of(bytes, digest);
	return memcmp(old->digest, digest, sizeof(digest)) == 0;
}

/* Takes resource, which came as bytes. False: it is bad, and what is held stays. */
static bool hold(struct ew_istiod *istiod, struct map *held, struct xds_resource *resource,
                 struct str bytes, struct err *err)
{
	if (!ew_burst_check(resource, NULL, err)) {
		xds_resource_unref(resource);
		return false;
	}
	struct istiod_held *fresh = xcalloc(1, sizeof(*fresh));
	fresh->resource = resource;
	digest_of(bytes, fresh->digest);
	struct istiod_held *old = map_set(held, resource->name, fresh);
	if (old == NULL || !xds_resource_eq(old->resource, resource))
		istiod_touch(istiod, resource->name);
	istiod_free_held(old);
	return true;
}

static void drop(struct ew_istiod *istiod, struct map *held, struct str name)
{
	struct istiod_held *old = map_remove(held, name);
	if (old != NULL)
		istiod_touch(istiod, name);
	istiod_free_held(old);
}

/* --- clusters --------------------------------------------------------------------------------- */

static void remove_cluster(struct ew_istiod *istiod, struct str name)
{
	map_remove(&istiod->unresolved, name);
	if (map_find(&istiod->clusters, name) == NULL)
		return;
	istiod->names_len -= name.len + EW_ISTIOD_NAME_EXTRA;
	drop(istiod, &istiod->clusters, name);
	drop(istiod, &istiod->assignments, name);
	free(map_remove(&istiod->refused[ISTIOD_ASSIGNMENTS], name));
	istiod_unwant(istiod, name);
}

static bool take_cluster(struct ew_istiod *istiod, struct str name, struct str bytes,
                         struct err *err)
{
	if (!str_starts_with(name, STR_LIT(EW_ISTIOD_PREFIX)) ||
	    is_held(&istiod->clusters, name, bytes))
		return true;
	if (!pb_check(bytes, "the cluster", err))
		return false;
	if (pb_find_value(bytes, CLUSTER_TYPE, 0) != CLUSTER_TYPE_EDS) {
		/* host names behind a ServiceEntry: no fault of the istiod's */
		remove_cluster(istiod, name);
		map_add(&istiod->unresolved, name);
		return true;
	}
	bool is_new = map_find(&istiod->clusters, name) == NULL;
	size_t names_len = istiod->names_len + name.len + EW_ISTIOD_NAME_EXTRA;
	if (is_new && names_len > EW_ISTIOD_NAMES_MAX)
		return err_set(err, ERR_TOO_LARGE, "the names of all clusters take over %d bytes",
		               EW_ISTIOD_NAMES_MAX);
	struct xds_resource *resource = istiod_translate_cluster(name, bytes, err);
	if (resource == NULL || !hold(istiod, &istiod->clusters, resource, bytes, err))
		return false;
	map_remove(&istiod->unresolved, name);
	if (!is_new)
		return true;
	istiod->names_len = names_len;
	istiod_want(istiod, name);
	return true;
}

/* --- assignments ------------------------------------------------------------------------------ */

static bool take_assignment(struct ew_istiod *istiod, struct str name, struct str bytes,
                            struct err *err)
{
	if (map_find(&istiod->clusters, name) == NULL || is_held(&istiod->assignments, name, bytes))
		return true;
	struct xds_resource *resource = istiod_translate_assignment(name, bytes, err);
	return resource != NULL && hold(istiod, &istiod->assignments, resource, bytes, err);
}

/* A name that the istiod knows nothing of: the same as one without endpoints, and an answer. */
static void take_no_assignment(struct ew_istiod *istiod, struct str name)
{
	struct err err;
	if (map_find(&istiod->clusters, name) == NULL)
		return;
	struct xds_resource *empty = xds_assignment_encode_empty(name, &err);
	if (empty == NULL || !hold(istiod, &istiod->assignments, empty, STR_NULL, &err))
		drop(istiod, &istiod->assignments, name);
}

/* --- listeners -------------------------------------------------------------------------------- */

/* Names of one that the other has not. */
static void touch_difference(struct ew_istiod *istiod, const struct ew_exposed *one,
                             const struct ew_exposed *other)
{
	if (one == NULL)
		return;
	map_for_each (it, &one->names) {
		if (other == NULL || !ew_exposed_has(other, map_key(it)))
			istiod_touch(istiod, map_key(it));
	}
}

/* exposed NULL: the listener is gone. Else taken. */
static void set_listener(struct ew_istiod *istiod, struct str name, struct ew_exposed *exposed)
{
	struct ew_exposed *old = exposed != NULL ? map_set(&istiod->listeners, name, exposed)
	                                         : map_remove(&istiod->listeners, name);
	touch_difference(istiod, old, exposed);
	touch_difference(istiod, exposed, old);
	if (old != NULL)
		ew_exposed_fini(old);
	free(old);
}

static bool take_listener(struct ew_istiod *istiod, struct str name, struct str bytes,
                          struct err *err)
{
	struct ew_exposed exposed;
	if (map_find(&istiod->listeners, name) == NULL &&
	    map_len(&istiod->listeners) >= EW_ISTIOD_LISTENERS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d listeners",
		               EW_ISTIOD_LISTENERS_MAX);
	if (!ew_istiod_listener_read(bytes, istiod->port, &exposed, err))
		return false;
	set_listener(istiod, name, xmemdup(&exposed, sizeof(exposed)));
	return true;
}

/* --- responses -------------------------------------------------------------------------------- */

static bool take(struct ew_istiod *istiod, enum istiod_kind kind, struct str name, struct str bytes,
                 struct err *err)
{
	switch (kind) {
	case ISTIOD_CLUSTERS:
		return take_cluster(istiod, name, bytes, err);
	case ISTIOD_ASSIGNMENTS:
		return take_assignment(istiod, name, bytes, err);
	case ISTIOD_LISTENERS:
		return take_listener(istiod, name, bytes, err);
	}
	return true;
}

static void forget(struct ew_istiod *istiod, enum istiod_kind kind, struct str name)
{
	free(map_remove(&istiod->refused[kind], name));
	switch (kind) {
	case ISTIOD_CLUSTERS:
		remove_cluster(istiod, name);
		break;
	case ISTIOD_ASSIGNMENTS:
		take_no_assignment(istiod, name);
		break;
	case ISTIOD_LISTENERS:
		set_listener(istiod, name, NULL);
		break;
	}
}

static bool read_resource(enum istiod_kind kind, struct str resource, struct str *ret_bytes,
                          struct err *err)
{
	struct str any = pb_find(resource, RESOURCE_ANY);
	if (!str_is(pb_find(any, ANY_TYPE), xds_type_url(istiod_types[kind])))
		return err_set(err, ERR_INVALID, "it is of another type than the response");
	*ret_bytes = pb_find(any, ANY_VALUE);
	return true;
}

static void take_resource(struct ew_istiod *istiod, enum istiod_kind kind, struct str resource,
                          struct buf *nack)
{
	struct str name = pb_find(resource, RESOURCE_NAME);
	struct str bytes;
	struct err err;
	bool named = name.len > 0 && name.len <= XDS_NAME_MAX;
	if (named && read_resource(kind, resource, &bytes, &err) &&
	    take(istiod, kind, name, bytes, &err)) {
		free(map_remove(&istiod->refused[kind], name));
		return;
	}
	if (!named) {
		err_set(&err, ERR_INVALID, "a name has 1 to %d bytes, not %zu", XDS_NAME_MAX,
		        name.len);
		name = STR_LIT("");
	}
	/* what does not fit is cut; /status has the last one */
	IGNORE(buf_printf(nack, "%s%.*s: %s", nack->len > 0 ? "; " : "", STR_ARG(name), err.msg));
	free(map_set(&istiod->refused[kind], name, xstrdup(err.msg)));
}

static void take_all(struct ew_istiod *istiod, enum istiod_kind kind, struct str response,
                     struct buf *nack)
{
	struct pb_reader reader;
	struct pb_field field;
	pb_reader_init(&reader, response);
	while (pb_next(&reader, &field)) {
		if (field.wire != PB_BYTES)
			continue;
		if (field.number == RESPONSE_RESOURCES)
			take_resource(istiod, kind, field.bytes, nack);
		else if (field.number == RESPONSE_REMOVED)
			forget(istiod, kind, field.bytes);
	}
}

static void set_version(struct ew_istiod *istiod, struct str version)
{
	if (version.len > VERSION_LEN_MAX)
		version.len = VERSION_LEN_MAX;
	free(istiod->version);
	istiod->version = str_dup(version);
}

/* Each cluster has its assignment, if only a bad one. */
static bool has_all(const struct ew_istiod *istiod)
{
	const struct map *refused = &istiod->refused[ISTIOD_ASSIGNMENTS];
	if (!istiod->answered[ISTIOD_CLUSTERS] || !istiod->answered[ISTIOD_LISTENERS])
		return false;
	map_for_each (it, &istiod->clusters) {
		if (map_find(&istiod->assignments, map_key(it)) == NULL &&
		    map_find(refused, map_key(it)) == NULL)
			return false;
	}
	return true;
}

static bool find_kind(struct str url, enum istiod_kind *ret_kind)
{
	for (size_t i = 0; i < N_ISTIOD_KINDS; i++) {
		if (!str_is(url, xds_type_url(istiod_types[i])))
			continue;
		*ret_kind = (enum istiod_kind)i;
		return true;
	}
	return false;
}

bool ew_istiod_feed(struct ew_istiod *istiod, struct str response, struct err *err)
{
	struct buf nack CLEANUP(buf_fini) = {0};
	enum istiod_kind kind;
	if (!pb_check(response, "the response", err))
		return false;
	struct str url = pb_find(response, RESPONSE_TYPE);
	struct str nonce = pb_find(response, RESPONSE_NONCE);
	if (!find_kind(url, &kind))
		return err_set(err, ERR_PROTOCOL,
		               "a response of type '%.*s', which was not asked for",
		               (int)(url.len < 100 ? url.len : 100), url.ptr);
	if (nonce.len == 0 || nonce.len > NONCE_LEN_MAX)
		return err_set(err, ERR_PROTOCOL, "a response with a nonce of %zu bytes",
		               nonce.len);
	if (!xds_answers_have_room(&istiod->answers, err))
		return false;
	buf_init(&nack, NACK_MAX);
	take_all(istiod, kind, response, &nack);
	set_version(istiod, pb_find(response, RESPONSE_VERSION));
	istiod->answered[kind] = true;
	istiod->complete = istiod->complete || has_all(istiod);
	bool refused = nack.len > 0 || buf_failed(&nack);
	xds_answers_add(&istiod->answers, istiod_types[kind], nonce,
	                refused ? buf_text(&nack) : NULL);
	return true;
}
