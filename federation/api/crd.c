/* SPDX-License-Identifier: Apache-2.0 */
#include "crd.h"

#include "core.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/meta.h"
#include "kube/status.h"

#define CLEANUP_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

/* --- to the table's form ---------------------------------------------------------------------- */

static json_t *fields_of(const json_t *version)
{
	json_t *fields = json_array();
	for (size_t i = 0; i < json_array_size(json_object_get(version, "selectableFields")); i++) {
		const json_t *field =
			json_array_get(json_object_get(version, "selectableFields"), i);
		json_array_append_new(fields, json_string(json_str_at(field, "jsonPath", "")));
	}
	return fields;
}

static json_t *version_of(const json_t *source)
{
	json_t *version = json_object();
	static const char *const copied[] = {"name", "served", "storage", "deprecated",
	                                     "deprecationWarning"};
	for (size_t i = 0; i < N_ELEMS(copied); i++) {
		json_t *value = json_object_get(source, copied[i]);
		if (value != NULL)
			json_object_set(version, copied[i], value);
	}
	json_t *schema = json_at(source, "schema.openAPIV3Schema");
	if (schema != NULL)
		json_object_set(version, "schema", schema);
	json_t *columns = json_object_get(source, "additionalPrinterColumns");
	if (columns != NULL)
		json_object_set(version, "columns", columns);
	json_object_set_new(version, "status",
	                    json_boolean(json_at(source, "subresources.status") != NULL));
	json_object_set_new(version, "fields", fields_of(source));
	return version;
}

/* Higher stability first, then the higher number: v2, v1, v1beta2, v1alpha1 (KEP "version
 * priority"). */
static long priority(const char *name)
{
	long major;
	long minor = 0;
	char *rest;
	if (name[0] != 'v' || name[1] < '1' || name[1] > '9')
		return -1;
	major = strtol(name + 1, &rest, 10);
	if (*rest == '\0')
		return 2000000 + major * 1000;
	bool beta = strncmp(rest, "beta", 4) == 0;
	bool alpha = strncmp(rest, "alpha", 5) == 0;
	if (!beta && !alpha)
		return -1;
	minor = strtol(rest + (beta ? 4 : 5), NULL, 10);
	return (beta ? 1000000 : 0) + major * 1000 + minor;
}

static json_t *versions_of(const json_t *obj)
{
	const json_t *sources = json_at(obj, "spec.versions");
	json_t *versions = json_array();
	for (size_t i = 0; i < json_array_size(sources); i++) {
		json_t *version = version_of(json_array_get(sources, i));
		long rank = priority(json_str_at(version, "name", ""));
		size_t at = 0;
		while (at < json_array_size(versions) &&
		       priority(json_str_at(json_array_get(versions, at), "name", "")) >= rank)
			at++;
		json_array_insert_new(versions, at, version);
	}
	return versions;
}

static json_t *definition_of(const json_t *obj)
{
	static const char *const copied[] = {"plural",   "singular",   "kind",
	                                     "listKind", "shortNames", "categories"};
	json_t *definition = json_object();
	json_object_set(definition, "group", json_at(obj, "spec.group"));
	for (size_t i = 0; i < N_ELEMS(copied); i++) {
		json_t *value = json_object_get(json_at(obj, "spec.names"), copied[i]);
		if (value != NULL)
			json_object_set(definition, copied[i], value);
	}
	bool namespaced = strcmp(json_str_at(obj, "spec.scope", ""), "Namespaced") == 0;
	json_object_set_new(definition, "namespaced", json_boolean(namespaced));
	json_object_set_new(definition, "generation", json_true());
	json_object_set_new(definition, "versions", versions_of(obj));
	return definition;
}

/* --- checks ----------------------------------------------------------------------------------- */

static void add(json_t *causes, const char *reason, const char *field, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void add(json_t *causes, const char *reason, const char *field, const char *fmt, ...)
{
	va_list args;
	char *message;
	va_start(args, fmt);
	if (vasprintf(&message, fmt, args) < 0)
		abort();
	va_end(args);
	kube_status_add_cause(causes, reason, field, message);
	free(message);
}

static void check_name(const json_t *obj, json_t *causes)
{
	char *want = xasprintf("%s.%s", json_str_at(obj, "spec.names.plural", ""),
	                       json_str_at(obj, "spec.group", ""));
	if (strcmp(want, kube_name(obj)) != 0)
		add(causes, "FieldValueInvalid", "metadata.name",
		    "Invalid value: \"%s\": must be spec.names.plural+\".\"+spec.group",
		    kube_name(obj));
	if (strchr(json_str_at(obj, "spec.group", ""), '.') == NULL)
		add(causes, "FieldValueInvalid", "spec.group",
		    "Invalid value: \"%s\": should be a domain with at least one dot",
		    json_str_at(obj, "spec.group", ""));
	free(want);
}

static void check_versions(const json_t *obj, json_t *causes)
{
	const json_t *versions = json_at(obj, "spec.versions");
	size_t n_storage = 0;
	for (size_t i = 0; i < json_array_size(versions); i++) {
		const json_t *version = json_array_get(versions, i);
		char field[64];
		n_storage += json_bool_at(version, "storage", false);
		if (json_at(version, "schema.openAPIV3Schema") != NULL)
			continue;
		snprintf(field, sizeof(field), "spec.versions[%zu].schema.openAPIV3Schema", i);
		add(causes, "FieldValueRequired", field, "Required value: schemas are required");
	}
	if (n_storage != 1)
		add(causes, "FieldValueInvalid", "spec.versions",
		    "Invalid value: must have exactly one version marked as storage version");
}

static void check_unchanged(const json_t *obj, const json_t *old, json_t *causes)
{
	static const char *const fields[] = {"spec.group", "spec.scope", "spec.names.plural",
	                                     "spec.names.kind"};
	for (size_t i = 0; old != NULL && i < N_ELEMS(fields); i++) {
		const char *now = json_str_at(obj, fields[i], "");
		if (strcmp(now, json_str_at(old, fields[i], "")) != 0)
			add(causes, "FieldValueInvalid", fields[i],
			    "Invalid value: \"%s\": field is immutable", now);
	}
}

/* Compiles it in a table of its own, only to see whether it would. */
static void check_compiles(const json_t *definition, json_t *causes)
{
	struct api_kinds trial;
	struct err err;
	api_kinds_init(&trial);
	if (api_kinds_define(&trial, definition, &err) == NULL)
		add(causes, "FieldValueInvalid", "spec.versions", "Invalid value: %s", err.msg);
	api_kinds_fini(&trial);
}

/* The kind belongs to another definition of the group? */
static bool is_taken(struct api_core *core, const json_t *obj)
{
	const char *plural = json_str_at(obj, "spec.names.plural", "");
	const char *group = json_str_at(obj, "spec.group", "");
	for (const struct api_resource *it = core->kinds.first; it != NULL; it = it->next) {
		if (it->served && strcmp(it->group, group) == 0 &&
		    strcmp(it->plural, plural) != 0 &&
		    strcmp(it->kind, json_str_at(obj, "spec.names.kind", "")) == 0)
			return true;
	}
	return false;
}

/* --- completion ------------------------------------------------------------------------------- */

static void complete_names(json_t *obj)
{
	json_t *names = json_at(obj, "spec.names");
	const char *kind = json_str_at(names, "kind", "");
	if (json_str_at(names, "listKind", "")[0] == '\0') {
		char *list_kind = xasprintf("%sList", kind);
		json_object_set_new(names, "listKind", json_string(list_kind));
		free(list_kind);
	}
	if (json_str_at(names, "singular", "")[0] == '\0') {
		char *singular = xstrdup(kind);
		for (char *c = singular; *c != '\0'; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
		json_object_set_new(names, "singular", json_string(singular));
		free(singular);
	}
	if (json_at(obj, "spec.conversion") == NULL)
		json_set_at(obj, "spec.conversion", json_pack("{s:s}", "strategy", "None"));
}

static void set_stored_versions(json_t *obj)
{
	json_t *stored = json_at(obj, "status.storedVersions");
	const json_t *versions = json_at(obj, "spec.versions");
	if (stored == NULL) {
		stored = json_array();
		json_set_at(obj, "status.storedVersions", stored);
	}
	for (size_t i = 0; i < json_array_size(versions); i++) {
		const json_t *version = json_array_get(versions, i);
		if (!json_bool_at(version, "storage", false))
			continue;
		json_t *name = json_object_get(version, "name");
		bool known = false;
		for (size_t j = 0; j < json_array_size(stored); j++)
			known = known || json_equal(json_array_get(stored, j), name);
		if (!known)
			json_array_append(stored, name);
	}
}

/* The controller's part of the status is known at once: definitions are served immediately. */
static void set_status(struct api_core *core, json_t *obj)
{
	bool taken = is_taken(core, obj);
	struct kube_condition accepted = {
		.type = "NamesAccepted",
		.status = taken ? "False" : "True",
		.reason = taken ? "KindConflict" : "NoConflicts",
		.message = taken ? "another definition of the group has this kind"
	                         : "no conflicts found",
	};
	struct kube_condition established = {
		.type = "Established",
		.status = taken ? "False" : "True",
		.reason = taken ? "NotAccepted" : "InitialNamesAccepted",
		.message = taken ? "not all names are accepted"
	                         : "the initial names have been accepted",
	};
	if (!json_is_array(json_at(obj, "status.conditions")))
		json_set_at(obj, "status.conditions", json_array());
	json_t *conditions = json_at(obj, "status.conditions");
	kube_condition_set(conditions, &accepted, core->now_s);
	kube_condition_set(conditions, &established, core->now_s);
	json_set_at(obj, "status.acceptedNames", json_deep_copy(json_at(obj, "spec.names")));
	set_stored_versions(obj);
}

static bool has_form(const json_t *obj)
{
	return json_str_at(obj, "spec.group", NULL) != NULL &&
	       json_str_at(obj, "spec.names.kind", NULL) != NULL &&
	       json_str_at(obj, "spec.names.plural", NULL) != NULL &&
	       json_is_array(json_at(obj, "spec.versions"));
}

void api_crd_prepare(struct api_core *core, json_t *obj, const json_t *old, json_t *causes)
{
	if (!has_form(obj))
		return; /* the schema says what is missing */
	complete_names(obj);
	check_name(obj, causes);
	check_versions(obj, causes);
	check_unchanged(obj, old, causes);
	if (strcmp(json_str_at(obj, "spec.conversion.strategy", "None"), "None") != 0)
		add(causes, "FieldValueNotSupported", "spec.conversion.strategy",
		    "Unsupported value: \"%s\": supported values: \"None\"",
		    json_str_at(obj, "spec.conversion.strategy", ""));
	json_t *definition = definition_of(obj);
	check_compiles(definition, causes);
	json_decref(definition);
	if (old == NULL || !kube_is_deleting(old))
		kube_finalizer_add(obj, CLEANUP_FINALIZER);
	set_status(core, obj);
}

/* --- serving ---------------------------------------------------------------------------------- */

static bool serve(struct api_core *core, const json_t *obj, struct err *err)
{
	json_t *definition = definition_of(obj);
	bool ok = api_kinds_define(&core->kinds, definition, err) != NULL;
	json_decref(definition);
	return ok || err_wrap(err, "definition %s", kube_name(obj));
}

void api_crd_changed(struct api_core *core, const json_t *obj, const json_t *old)
{
	struct err err;
	const json_t *some = obj != NULL ? obj : old;
	if (obj != NULL && kube_is_deleting(obj))
		core->has_chores = true;
	if (obj != NULL && kube_condition_is_true(obj, "Established")) {
		if (!serve(core, obj, &err))
			log_error("api", "%s", err.msg);
		return;
	}
	struct api_resource *resource =
		api_kinds_find(&core->kinds, json_str_at(some, "spec.group", ""),
	                       json_str_at(some, "spec.names.plural", ""));
	if (resource == NULL || resource->builtin)
		return;
	api_kinds_hide(&core->kinds, resource);
	api_hub_end(&core->hub, resource);
}

bool api_crd_load_all(struct api_core *core, struct err *err)
{
	const struct api_resource *crds =
		api_kinds_find(&core->kinds, "apiextensions.k8s.io", "customresourcedefinitions");
	for (size_t i = 0; i < crds->index.n; i++) {
		json_t *obj CLEANUP(json_cleanup) = api_object_decode(
			crds->index.v[i], "apiextensions.k8s.io/v1", "CustomResourceDefinition");
		if (kube_condition_is_true(obj, "Established") && !serve(core, obj, err))
			return false;
		core->has_chores = core->has_chores || kube_is_deleting(obj);
	}
	return true;
}
