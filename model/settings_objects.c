/* SPDX-License-Identifier: Apache-2.0 */

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "model/settings.h"

enum {
	INSTANCES_MAX = 1000,
	GATEWAY_PORT = 15443
};

static char *text_at(const json_t *obj, const char *path, const char *dflt)
{
	return xstrdup(json_str_at(obj, path, dflt));
}

/* Name of a cluster-scoped object of ours. */
static bool check_name(const json_t *obj, const char *kind, struct err *err)
{
	const char *name = json_str_at(obj, "metadata.name", "");

	if (!str_is_dns_label(str_from(name)))
		return err_set(err, ERR_INVALID, "%s '%.100s': the name is no DNS label", kind,
		               name);
	return true;
}

bool cluster_spec_decode(const json_t *obj, struct cluster_spec *ret_spec, struct err *err)
{
	if (!check_name(obj, "Cluster", err))
		return false;
	*ret_spec = (struct cluster_spec){
		.name = text_at(obj, "metadata.name", ""),
		.uid = text_at(obj, "metadata.uid", ""),
		.created_s =
			clock_parse_rfc3339(json_str_at(obj, "metadata.creationTimestamp", "")),
		.deleting = json_at(obj, "metadata.deletionTimestamp") != NULL,
		.paused = json_bool_at(obj, "spec.paused", false),
		.secret_namespace = text_at(obj, "spec.kubeconfigSecretRef.namespace", ""),
		.secret_name = text_at(obj, "spec.kubeconfigSecretRef.name", ""),
		.secret_key = text_at(obj, "spec.kubeconfigSecretRef.key", "kubeconfig"),
		.network = text_at(obj, "spec.networkGroup", ""),
		.locality = locality_make(str_from(json_str_at(obj, "spec.locality.region", "")),
	                                  str_from(json_str_at(obj, "spec.locality.zone", "")),
	                                  str_from(json_str_at(obj, "spec.locality.subzone", ""))),
		.phase = text_at(obj, "status.phase", ""),
		.cluster_uid = text_at(obj, "status.uid", ""),
	};
	return true;
}

void cluster_spec_fini(struct cluster_spec *spec)
{
	free(spec->name);
	free(spec->uid);
	free(spec->secret_namespace);
	free(spec->secret_name);
	free(spec->secret_key);
	free(spec->network);
	free(spec->phase);
	free(spec->cluster_uid);
	*spec = (struct cluster_spec){0};
}

static bool decode_port(const json_t *obj, uint16_t *ret_port)
{
	int64_t port = json_int_at(obj, "port", GATEWAY_PORT);

	*ret_port = (uint16_t)port;
	return port >= 1 && port <= 65535;
}

static void addresses_fini(struct host_port *addresses, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(addresses[i].host);
	free(addresses);
}

static bool decode_addresses(const json_t *array, struct host_port **ret_addresses, size_t *ret_n,
                             struct err *err)
{
	size_t n = json_array_size(array), used = 0;

	if (n > SETTINGS_ADDRESSES_MAX)
		return err_set(err, ERR_TOO_LARGE, "%zu addresses, at most %d are taken", n,
		               SETTINGS_ADDRESSES_MAX);
	struct host_port *addresses = xcalloc(n + 1, sizeof(addresses[0]));

	for (size_t i = 0; i < n; i++) {
		const json_t *obj = json_array_get(array, i);
		const char *host = json_str_at(obj, "address", "");

		if (host[0] == '\0' || strlen(host) > 253 ||
		    !decode_port(obj, &addresses[used].port)) {
			addresses_fini(addresses, used);
			return err_set(err, ERR_INVALID, "addresses[%zu] has no address or port",
			               i);
		}
		addresses[used++].host = xstrdup(host);
	}
	*ret_addresses = addresses;
	*ret_n = used;
	return true;
}

static bool decode_ranges(const json_t *array, struct cidr **ret_ranges, size_t *ret_n,
                          struct err *err)
{
	size_t n = json_array_size(array);

	if (n > SETTINGS_RANGES_MAX)
		return err_set(
			err, ERR_TOO_LARGE,
			"spec.interconnect.sourceRanges has %zu entries, at most %d are taken", n,
			SETTINGS_RANGES_MAX);
	struct cidr *ranges = xcalloc(n + 1, sizeof(ranges[0]));

	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (text == NULL || !cidr_parse(str_from(text), &ranges[i])) {
			free(ranges);
			return err_set(err, ERR_INVALID,
			               "spec.interconnect.sourceRanges[%zu]: '%.100s' is no range",
			               i, text != NULL ? text : "");
		}
	}
	*ret_ranges = ranges;
	*ret_n = n;
	return true;
}

/* Those of the spec, or, if one is bad, the last good ones: what the status says is in force. */
static bool decode_source_ranges(const json_t *obj, struct group_spec *s, struct err *err)
{
	const json_t *spec = json_at(obj, "spec.interconnect.sourceRanges");
	const json_t *in_force = json_at(obj, "status.sourceRanges");
	struct err ignored;

	if (decode_ranges(spec, &s->source_ranges, &s->n_source_ranges, err)) {
		s->bad_range = xstrdup("");
		return true;
	}
	if (!json_is_array(in_force) ||
	    !decode_ranges(in_force, &s->source_ranges, &s->n_source_ranges, &ignored))
		return false;
	s->bad_range = xstrdup(err->msg);
	return true;
}

bool group_spec_decode(const json_t *obj, struct group_spec *ret_spec, struct err *err)
{
	struct group_spec s = {0};

	if (!check_name(obj, "NetworkGroup", err))
		return false;
	s.name = text_at(obj, "metadata.name", "");
	s.display_name = text_at(obj, "spec.displayName", "");
	s.deleting = json_at(obj, "metadata.deletionTimestamp") != NULL;
	s.joined = json_bool_at(obj, "spec.interconnect.joined", false);
	if (!decode_addresses(json_at(obj, "spec.interconnect.addresses"), &s.addresses,
	                      &s.n_addresses, err) ||
	    !decode_source_ranges(obj, &s, err)) {
		err_wrap(err, "NetworkGroup '%s'", s.name);
		group_spec_fini(&s);
		return false;
	}
	*ret_spec = s;
	return true;
}

void group_spec_fini(struct group_spec *spec)
{
	free(spec->name);
	free(spec->display_name);
	addresses_fini(spec->addresses, spec->n_addresses);
	free(spec->source_ranges);
	free(spec->bad_range);
	*spec = (struct group_spec){0};
}

/* What the controllers wrote; a broken row is left out. */
static void decode_status(const json_t *obj, struct gateway_spec *s)
{
	const json_t *addresses = json_at(obj, "status.addresses");
	const json_t *instances = json_at(obj, "status.instances");
	size_t n = json_array_size(addresses), k = json_array_size(instances);

	if (n > SETTINGS_ADDRESSES_MAX)
		n = SETTINGS_ADDRESSES_MAX;
	if (k > INSTANCES_MAX)
		k = INSTANCES_MAX;
	s->status_addresses = xcalloc(n + 1, sizeof(s->status_addresses[0]));
	for (size_t i = 0; i < n; i++) {
		const json_t *row = json_array_get(addresses, i);
		struct gateway_status_address *to = &s->status_addresses[s->n_status_addresses];

		if (json_str_at(row, "address", NULL) == NULL || !decode_port(row, &to->port))
			continue;
		to->host = text_at(row, "address", "");
		to->live = json_bool_at(row, "live", true); /* absent: nobody measured it */
		to->reason = text_at(row, "reason", "");
		s->n_status_addresses++;
	}
	s->instances = xcalloc(k + 1, sizeof(s->instances[0]));
	for (size_t i = 0; i < k; i++) {
		const json_t *row = json_array_get(instances, i);

		s->instances[s->n_instances++] = (struct gateway_instance){
			text_at(row, "name", ""), text_at(row, "version", ""),
			json_bool_at(row, "mark", false)};
	}
}

bool gateway_spec_decode(const json_t *obj, struct gateway_spec *ret_spec, struct err *err)
{
	struct gateway_spec s = {0};

	if (!check_name(obj, "EastWestGateway", err))
		return false;
	s.name = text_at(obj, "metadata.name", "");
	s.cluster = text_at(obj, "spec.cluster", "");
	s.deleting = json_at(obj, "metadata.deletionTimestamp") != NULL;
	if (!decode_addresses(json_at(obj, "spec.addresses"), &s.addresses, &s.n_addresses, err)) {
		err_wrap(err, "EastWestGateway '%s'", s.name);
		gateway_spec_fini(&s);
		return false;
	}
	decode_status(obj, &s);
	*ret_spec = s;
	return true;
}

void gateway_spec_fini(struct gateway_spec *spec)
{
	free(spec->name);
	free(spec->cluster);
	addresses_fini(spec->addresses, spec->n_addresses);
	for (size_t i = 0; i < spec->n_status_addresses; i++) {
		free(spec->status_addresses[i].host);
		free(spec->status_addresses[i].reason);
	}
	free(spec->status_addresses);
	for (size_t i = 0; i < spec->n_instances; i++) {
		free(spec->instances[i].name);
		free(spec->instances[i].version);
	}
	free(spec->instances);
	*spec = (struct gateway_spec){0};
}
