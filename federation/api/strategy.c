/* SPDX-License-Identifier: Apache-2.0 */
#include "strategy.h"

#include "core.h"
#include "crd.h"
#include "kinds.h"
#include "lifecycle.h"
#include "strategy_service.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kube/meta.h"
#include "kube/status.h"

/* --- Namespace -------------------------------------------------------------------------------- */

static void prepare_namespace(struct api_core *core, json_t *obj, const json_t *old, json_t *causes)
{
	(void)core;
	(void)causes;
	kube_label_set(obj, "kubernetes.io/metadata.name", kube_name(obj));
	if (old == NULL) {
		json_object_set_new(obj, "spec", json_pack("{s:[s]}", "finalizers", "kubernetes"));
		json_object_set_new(obj, "status", json_pack("{s:s}", "phase", "Active"));
		return;
	}
	/* Only the life cycle takes the finalizer out. */
	json_object_set(obj, "spec", json_object_get(old, "spec"));
}

/* --- Secret, ConfigMap ------------------------------------------------------------------------ */

static const char config_key_rule[] =
	"a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
	"'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
	"'[-._a-zA-Z0-9]+')";

static bool is_config_key(const char *key)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	return key[0] != '\0' && strlen(key) <= 253 && strspn(key, allowed) == strlen(key) &&
	       strcmp(key, ".") != 0 && strcmp(key, "..") != 0;
}

static void check_keys(json_t *obj, const char *field, json_t *causes)
{
	const char *key;
	json_t *value;
	json_object_foreach (json_object_get(obj, field), key, value) {
		if (is_config_key(key))
			continue;
		char *where = xasprintf("%s[%s]", field, key);
		char *message = xasprintf("Invalid value: \"%s\": %s", key, config_key_rule);
		kube_status_add_cause(causes, "FieldValueInvalid", where, message);
		free(message);
		free(where);
	}
}

static bool is_same(const json_t *a, const json_t *b, const char *field)
{
	const json_t *x = json_object_get(a, field);
	const json_t *y = json_object_get(b, field);
	return x == NULL || y == NULL ? x == y : json_equal(x, y);
}

/* An object with immutable: true stays as it is. */
static void check_immutable(const json_t *obj, const json_t *old, const char *const *fields,
                            json_t *causes)
{
	if (old == NULL || !json_is_true(json_object_get(old, "immutable")))
		return;
	if (!json_is_true(json_object_get(obj, "immutable")))
		kube_status_add_cause(causes, "FieldValueForbidden", "immutable",
		                      "Forbidden: field is immutable when `immutable` is set");
	for (; *fields != NULL; fields++) {
		if (!is_same(obj, old, *fields))
			kube_status_add_cause(
				causes, "FieldValueForbidden", *fields,
				"Forbidden: field is immutable when `immutable` is set");
	}
}

static void encode_string_data(json_t *obj)
{
	json_t *plain = json_object_get(obj, "stringData");
	const char *key;
	json_t *value;
	json_object_foreach (plain, key, value) {
		size_t len = json_string_length(value);
		unsigned char *text = xmalloc(len / 3 * 4 + 5);
		EVP_EncodeBlock(text, (const unsigned char *)json_string_value(value), (int)len);
		if (!json_is_object(json_object_get(obj, "data")))
			json_object_set_new(obj, "data", json_object());
		json_object_set_new(json_object_get(obj, "data"), key, json_string((char *)text));
		free(text);
	}
	json_object_del(obj, "stringData");
}

/* Keys that a type of Secret cannot do without. */
static const struct {
	const char *type;
	const char *key;
} secret_keys[] = {
	{"kubernetes.io/tls", "tls.crt"},
	{"kubernetes.io/tls", "tls.key"},
	{"kubernetes.io/dockerconfigjson", ".dockerconfigjson"},
	{"kubernetes.io/dockercfg", ".dockercfg"},
	{"kubernetes.io/ssh-auth", "ssh-privatekey"},
};

static void check_secret_type(json_t *obj, const json_t *old, json_t *causes)
{
	const char *type = json_str_at(obj, "type", "");
	for (size_t i = 0; i < N_ELEMS(secret_keys); i++) {
		if (strcmp(secret_keys[i].type, type) != 0)
			continue;
		if (json_object_get(json_object_get(obj, "data"), secret_keys[i].key) != NULL)
			continue;
		char *field = xasprintf("data[%s]", secret_keys[i].key);
		kube_status_add_cause(causes, "FieldValueRequired", field, "Required value");
		free(field);
	}
	if (old != NULL && strcmp(type, json_str_at(old, "type", "")) != 0) {
		char *message = xasprintf("Invalid value: \"%s\": field is immutable", type);
		kube_status_add_cause(causes, "FieldValueInvalid", "type", message);
		free(message);
	}
}

static void prepare_secret(struct api_core *core, json_t *obj, const json_t *old, json_t *causes)
{
	static const char *const immutable[] = {"data", NULL};
	(void)core;
	encode_string_data(obj);
	if (json_str_at(obj, "type", "")[0] == '\0')
		json_object_set_new(
			obj, "type",
			json_string(old != NULL ? json_str_at(old, "type", "Opaque") : "Opaque"));
	check_keys(obj, "data", causes);
	check_secret_type(obj, old, causes);
	check_immutable(obj, old, immutable, causes);
}

static void prepare_config_map(struct api_core *core, json_t *obj, const json_t *old,
                               json_t *causes)
{
	static const char *const immutable[] = {"data", "binaryData", NULL};
	(void)core;
	check_keys(obj, "data", causes);
	check_keys(obj, "binaryData", causes);
	check_immutable(obj, old, immutable, causes);
}

/* --- Pod -------------------------------------------------------------------------------------- */

static void prepare_pod(struct api_core *core, json_t *obj, const json_t *old, json_t *causes)
{
	(void)core;
	(void)causes;
	json_t *spec = json_object_get(obj, "spec");
	if (spec != NULL && json_object_get(spec, "serviceAccountName") == NULL) {
		json_object_set_new(spec, "serviceAccountName", json_string("default"));
		json_object_set_new(spec, "serviceAccount", json_string("default"));
	}
	if (old == NULL)
		json_object_set_new(
			obj, "status",
			json_pack("{s:s, s:s}", "phase", "Pending", "qosClass", "BestEffort"));
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct api_strategy strategies[] = {
	{"", "namespaces", prepare_namespace, api_lifecycle_namespace_changed},
	{"", "secrets", prepare_secret, NULL},
	{"", "configmaps", prepare_config_map, NULL},
	{"", "services", api_service_prepare, NULL},
	{"", "pods", prepare_pod, NULL},
	{"apiextensions.k8s.io", "customresourcedefinitions", api_crd_prepare, api_crd_changed},
};

const struct api_strategy *api_strategy_find(const struct api_resource *resource)
{
	for (size_t i = 0; i < N_ELEMS(strategies); i++) {
		if (strcmp(strategies[i].group, resource->group) == 0 &&
		    strcmp(strategies[i].plural, resource->plural) == 0)
			return &strategies[i];
	}
	return NULL;
}
