/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/schema.h"

#include "schema_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

enum {
	PATH_MAX_LEN = 256,
	PATTERN_MAX_LEN = 8192
};

struct compiler {
	size_t n_nodes;
	struct err *err;
	char path[PATH_MAX_LEN];
};

const char *const schema_type_names[] = {
	[SCHEMA_ANY] = "",
	[SCHEMA_OBJECT] = "object",
	[SCHEMA_ARRAY] = "array",
	[SCHEMA_STRING] = "string",
	[SCHEMA_INTEGER] = "integer",
	[SCHEMA_NUMBER] = "number",
	[SCHEMA_BOOLEAN] = "boolean",
};

static struct schema *compile(struct compiler *compiler, json_t *source);

static bool refuse(struct compiler *compiler, const char *key, const char *why)
{
	return err_set(compiler->err, ERR_INVALID, "%s.%s: %s", compiler->path, key, why);
}

/* Compiles source[key] one step down the path, if it is there. */
static bool compile_child(struct compiler *compiler, json_t *source, const char *label,
                          struct schema **ret_child)
{
	if (source == NULL)
		return true;
	size_t len = strlen(compiler->path);
	int n = snprintf(compiler->path + len, sizeof(compiler->path) - len, ".%s", label);
	if (n < 0 || (size_t)n >= sizeof(compiler->path) - len)
		compiler->path[len] = '\0'; /* too deep to tell where; the parent must do */
	*ret_child = compile(compiler, source);
	compiler->path[len] = '\0';
	return *ret_child != NULL;
}

/* --- single keywords -------------------------------------------------------------------------- */

static bool read_type(struct compiler *compiler, struct schema *schema)
{
	json_t *type = json_object_get(schema->source, "type");
	if (type == NULL)
		return true;
	for (size_t i = 1; i < N_ELEMS(schema_type_names); i++) {
		if (json_is_string(type) &&
		    strcmp(json_string_value(type), schema_type_names[i]) == 0) {
			schema->type = (enum schema_type)i;
			return true;
		}
	}
	return refuse(compiler, "type",
	              "must be one of object, array, string, integer, number, boolean");
}

static bool read_count(struct compiler *compiler, json_t *source, const char *key,
                       struct schema_count *ret_count)
{
	json_t *value = json_object_get(source, key);
	if (value == NULL)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return refuse(compiler, key, "must be an integer, 0 or more");
	*ret_count = (struct schema_count){true, json_integer_value(value)};
	return true;
}

static bool read_counts(struct compiler *compiler, struct schema *schema)
{
	json_t *source = schema->source;
	return read_count(compiler, source, "minLength", &schema->min_len) &&
	       read_count(compiler, source, "maxLength", &schema->max_len) &&
	       read_count(compiler, source, "minItems", &schema->min_items) &&
	       read_count(compiler, source, "maxItems", &schema->max_items) &&
	       read_count(compiler, source, "minProperties", &schema->min_props) &&
	       read_count(compiler, source, "maxProperties", &schema->max_props);
}

static bool read_bound(struct compiler *compiler, struct schema *schema, const char *key,
                       const char *exclusive, struct schema_bound *ret_bound)
{
	json_t *value = json_object_get(schema->source, key);
	if (value == NULL)
		return true;
	if (!json_is_number(value))
		return refuse(compiler, key, "must be a number");
	ret_bound->has = true;
	ret_bound->value = value;
	ret_bound->exclusive = json_bool_at(schema->source, exclusive, false);
	return true;
}

static bool read_bounds(struct compiler *compiler, struct schema *schema)
{
	schema->multiple_of = json_object_get(schema->source, "multipleOf");
	if (schema->multiple_of != NULL && !(json_number_value(schema->multiple_of) > 0))
		return refuse(compiler, "multipleOf", "must be a number greater than 0");
	return read_bound(compiler, schema, "minimum", "exclusiveMinimum", &schema->minimum) &&
	       read_bound(compiler, schema, "maximum", "exclusiveMaximum", &schema->maximum);
}

static bool read_pattern(struct compiler *compiler, struct schema *schema)
{
	const char *text = json_str_at(schema->source, "pattern", NULL);
	if (text == NULL)
		return true;
	int code;
	size_t at;
	if (strlen(text) > PATTERN_MAX_LEN)
		return refuse(compiler, "pattern", "is longer than 8192 bytes");
	/* RE2's $ is the very end, and its \d, \w are ASCII: PCRE2_UTF without PCRE2_UCP. */
	schema->pattern = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
	                                PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
	                                &code, &at, NULL);
	schema->pattern_text = text;
	if (schema->pattern != NULL)
		return true;
	PCRE2_UCHAR why[128];
	pcre2_get_error_message(code, why, sizeof(why));
	return refuse(compiler, "pattern", (const char *)why);
}

static bool read_list_type(struct compiler *compiler, struct schema *schema)
{
	const char *text = json_str_at(schema->source, "x-kubernetes-list-type", "atomic");
	if (strcmp(text, "set") == 0)
		schema->list_type = SCHEMA_LIST_SET;
	else if (strcmp(text, "map") == 0)
		schema->list_type = SCHEMA_LIST_MAP;
	else if (strcmp(text, "atomic") != 0)
		return refuse(compiler, "x-kubernetes-list-type", "must be atomic, set or map");
	schema->list_keys = json_object_get(schema->source, "x-kubernetes-list-map-keys");
	if (schema->list_type == SCHEMA_LIST_MAP && json_array_size(schema->list_keys) == 0)
		return refuse(compiler, "x-kubernetes-list-map-keys",
		              "is needed for list type map");
	return true;
}

static void read_flags(struct schema *schema)
{
	json_t *source = schema->source;
	const char *strategy = json_str_at(source, "x-kubernetes-patch-strategy", "");
	schema->format = json_str_at(source, "format", NULL);
	schema->nullable = json_bool_at(source, "nullable", false);
	schema->preserve_unknown =
		json_is_true(json_object_get(source, "x-kubernetes-preserve-unknown-fields"));
	schema->int_or_string = json_is_true(json_object_get(source, "x-kubernetes-int-or-string"));
	schema->embedded = json_is_true(json_object_get(source, "x-kubernetes-embedded-resource"));
	schema->unique_items = json_bool_at(source, "uniqueItems", false);
	schema->merge_key = json_str_at(source, "x-kubernetes-patch-merge-key", NULL);
	schema->patch_merge = strstr(strategy, "merge") != NULL;
	schema->patch_retain_keys = strstr(strategy, "retainKeys") != NULL;
	schema->default_value = json_object_get(source, "default");
}

static bool read_arrays(struct compiler *compiler, struct schema *schema)
{
	schema->required = json_object_get(schema->source, "required");
	if (schema->required != NULL && !json_is_array(schema->required))
		return refuse(compiler, "required", "must be a list of names");
	schema->enumeration = json_object_get(schema->source, "enum");
	if (schema->enumeration != NULL && !json_is_array(schema->enumeration))
		return refuse(compiler, "enum", "must be a list of values");
	return true;
}

/* --- children --------------------------------------------------------------------------------- */

static bool read_properties(struct compiler *compiler, struct schema *schema)
{
	json_t *properties = json_object_get(schema->source, "properties");
	const char *key;
	json_t *value;
	if (properties != NULL && !json_is_object(properties))
		return refuse(compiler, "properties", "must be an object");
	json_object_foreach (properties, key, value) {
		struct schema *child = NULL;
		if (!compile_child(compiler, value, key, &child))
			return false;
		map_set(&schema->properties, str_from(key), child);
	}
	return true;
}

static bool read_additional(struct compiler *compiler, struct schema *schema)
{
	json_t *additional = json_object_get(schema->source, "additionalProperties");
	if (json_is_true(additional)) {
		schema->additional_any = true;
		return true;
	}
	if (additional == NULL || json_is_false(additional))
		return true;
	return compile_child(compiler, additional, "additionalProperties", &schema->additional);
}

static bool read_alternatives(struct compiler *compiler, json_t *source, const char *key,
                              struct schema_alternatives *ret_list)
{
	json_t *list = json_object_get(source, key);
	size_t at;
	json_t *value;
	if (list == NULL)
		return true;
	ret_list->v = xcalloc(json_array_size(list) + 1, sizeof(*ret_list->v));
	json_array_foreach (list, at, value) {
		if (!compile_child(compiler, value, key, &ret_list->v[ret_list->n]))
			return false;
		ret_list->n++;
	}
	return true;
}

static bool read_children(struct compiler *compiler, struct schema *schema)
{
	json_t *source = schema->source;
	return read_properties(compiler, schema) && read_additional(compiler, schema) &&
	       compile_child(compiler, json_object_get(source, "items"), "items", &schema->items) &&
	       compile_child(compiler, json_object_get(source, "not"), "not", &schema->not_of) &&
	       read_alternatives(compiler, source, "allOf", &schema->all_of) &&
	       read_alternatives(compiler, source, "anyOf", &schema->any_of) &&
	       read_alternatives(compiler, source, "oneOf", &schema->one_of);
}

static bool read_all(struct compiler *compiler, struct schema *schema)
{
	if (++compiler->n_nodes > SCHEMA_NODES_MAX)
		return refuse(compiler, "", "the schema is too large");
	if (!json_is_object(schema->source))
		return refuse(compiler, "", "must be an object");
	read_flags(schema);
	return read_type(compiler, schema) && read_counts(compiler, schema) &&
	       read_bounds(compiler, schema) && read_pattern(compiler, schema) &&
	       read_list_type(compiler, schema) && read_arrays(compiler, schema) &&
	       read_children(compiler, schema);
}

static struct schema *compile(struct compiler *compiler, json_t *source)
{
	struct schema *schema = xcalloc(1, sizeof(*schema));
	schema->source = json_incref(source);
	if (read_all(compiler, schema))
		return schema;
	schema_destroy(schema);
	return NULL;
}

struct schema *schema_create(const json_t *openapi, struct err *err)
{
	struct compiler compiler = {.err = err, .path = "openAPIV3Schema"};
	/* The copy is ours alone: what the caller does to his tree later is no matter. */
	json_t *source = json_deep_copy(openapi);
	struct schema *schema = compile(&compiler, source);
	json_decref(source);
	return schema;
}

static void destroy_alternatives(struct schema_alternatives *list)
{
	for (size_t i = 0; i < list->n; i++)
		schema_destroy(list->v[i]);
	free(list->v);
}

static void destroy_value(void *value)
{
	schema_destroy(value);
}

void schema_destroy(struct schema *schema)
{
	if (schema == NULL)
		return;
	map_fini(&schema->properties, destroy_value);
	schema_destroy(schema->additional);
	schema_destroy(schema->items);
	schema_destroy(schema->not_of);
	destroy_alternatives(&schema->all_of);
	destroy_alternatives(&schema->any_of);
	destroy_alternatives(&schema->one_of);
	pcre2_code_free(schema->pattern);
	json_decref(schema->source);
	free(schema);
}

/* --- walking ---------------------------------------------------------------------------------- */

const struct schema *schema_find_field(const struct schema *schema, const char *key)
{
	if (schema == NULL)
		return NULL;
	const struct schema *child = map_find_text(&schema->properties, key);
	return child != NULL ? child : schema->additional;
}

const struct schema *schema_find_items(const struct schema *schema)
{
	return schema != NULL ? schema->items : NULL;
}

const char *schema_find_merge_key(const struct schema *schema)
{
	return schema != NULL ? schema->merge_key : NULL;
}

bool schema_is_patch_merge(const struct schema *schema)
{
	return schema != NULL && schema->patch_merge;
}

bool schema_is_patch_retain_keys(const struct schema *schema)
{
	return schema != NULL && schema->patch_retain_keys;
}
