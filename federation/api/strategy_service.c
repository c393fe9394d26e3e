/* SPDX-License-Identifier: Apache-2.0 */
#include "strategy_service.h"

#include "core.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "kube/meta.h"
#include "kube/status.h"

enum {
	ADDRESSES = 1 << 16,
	FIRST_ADDRESS = 10 /* the first few are left to whoever wants a fixed one */
};

static void set_default(json_t *obj, const char *key, const char *value)
{
	if (json_object_get(obj, key) == NULL)
		json_object_set_new(obj, key, json_string(value));
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool is_in_use(struct api_core *core, const char *address)
{
	const struct api_resource *services = api_kinds_find(&core->kinds, "", "services");
	for (size_t i = 0; i < services->index.n; i++) {
		/* A text search in the stored bytes: no tree for each Service. */
		struct str tail = services->index.v[i]->tail;
		if (memmem(tail.ptr, tail.len, address, strlen(address)) != NULL)
			return true;
	}
	return false;
}

/* From a hash of the name, so that a Service that is made again gets its address again. */
static char *allocate(struct api_core *core, const json_t *obj)
{
	uint32_t hash = 2166136261u;
	const char *texts[] = {kube_namespace(obj), "/", kube_name(obj)};
	for (size_t i = 0; i < N_ELEMS(texts); i++) {
		for (const char *c = texts[i]; *c != '\0'; c++)
			hash = (hash ^ (unsigned char)*c) * 16777619u;
	}
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		uint32_t at = (hash + i) % ADDRESSES;
		if (at < FIRST_ADDRESS || at % 256 == 255)
			continue;
		char *address = xasprintf("10.96.%u.%u", at / 256, at % 256);
		char *quoted = xasprintf("\"clusterIP\":\"%s\"", address);
		bool used = is_in_use(core, quoted);
		free(quoted);
		if (!used)
			return address;
		free(address);
	}
	return NULL;
}

static void set_address(struct api_core *core, json_t *obj, json_t *spec, json_t *causes)
{
	if (json_str_at(spec, "clusterIP", "")[0] == '\0') {
		char *address = allocate(core, obj);
		if (address == NULL) {
			kube_status_add_cause(
				causes, "FieldValueInvalid", "spec.clusterIP",
				"Invalid value: \"\": no address of 10.96.0.0/16 is free");
			return;
		}
		json_object_set_new(spec, "clusterIP", json_string(address));
		free(address);
	}
	if (json_object_get(spec, "clusterIPs") == NULL)
		json_object_set_new(spec, "clusterIPs",
		                    json_pack("[s]", json_str_at(spec, "clusterIP", "")));
	if (json_object_get(spec, "ipFamilies") == NULL)
		json_object_set_new(spec, "ipFamilies", json_pack("[s]", "IPv4"));
	set_default(spec, "ipFamilyPolicy", "SingleStack");
}

/* --- ports ------------------------------------------------------------------------------------ */

static void prepare_ports(json_t *spec, json_t *causes)
{
	json_t *ports = json_object_get(spec, "ports");
	size_t at;
	json_t *port;
	json_array_foreach (ports, at, port) {
		set_default(port, "protocol", "TCP");
		if (json_object_get(port, "targetPort") == NULL &&
		    json_object_get(port, "port") != NULL)
			json_object_set(port, "targetPort", json_object_get(port, "port"));
		if (json_array_size(ports) < 2 || json_str_at(port, "name", "")[0] != '\0')
			continue;
		char *field = xasprintf("spec.ports[%zu].name", at);
		kube_status_add_cause(causes, "FieldValueRequired", field, "Required value");
		free(field);
	}
	bool external = strcmp(json_str_at(spec, "type", ""), "ExternalName") == 0;
	bool headless = strcmp(json_str_at(spec, "clusterIP", ""), "None") == 0;
	if (json_array_size(ports) == 0 && !external && !headless)
		kube_status_add_cause(causes, "FieldValueRequired", "spec.ports", "Required value");
}

/* What an update leaves out of the address stays. */
static void keep_address(json_t *spec, const json_t *old, json_t *causes)
{
	const char *before = json_str_at(old, "spec.clusterIP", "");
	const char *now = json_str_at(spec, "clusterIP", "");
	if (before[0] == '\0' || strcmp(json_str_at(old, "spec.type", ""), "ExternalName") == 0)
		return;
	if (now[0] == '\0') {
		json_object_set_new(spec, "clusterIP", json_string(before));
		json_object_set(spec, "clusterIPs", json_at(old, "spec.clusterIPs"));
	} else if (strcmp(now, before) != 0) {
		char *message = xasprintf("Invalid value: \"%s\": field is immutable", now);
		kube_status_add_cause(causes, "FieldValueInvalid", "spec.clusterIP", message);
		free(message);
	}
}

void api_service_prepare(struct api_core *core, json_t *obj, const json_t *old, json_t *causes)
{
	json_t *spec = json_object_get(obj, "spec");
	if (!json_is_object(spec)) {
		kube_status_add_cause(causes, "FieldValueRequired", "spec", "Required value");
		return;
	}
	set_default(spec, "type", "ClusterIP");
	set_default(spec, "sessionAffinity", "None");
	bool external = strcmp(json_str_at(spec, "type", ""), "ExternalName") == 0;
	if (old != NULL && !external)
		keep_address(spec, old, causes);
	prepare_ports(spec, causes);
	if (!external) {
		set_default(spec, "internalTrafficPolicy", "Cluster");
		set_address(core, obj, spec, causes);
	}
	if (old == NULL)
		json_object_set_new(obj, "status", json_pack("{s:{}}", "loadBalancer"));
}
