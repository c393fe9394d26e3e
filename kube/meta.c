/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/meta.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define X(constant, g, v, p, k, n)                                                                 \
	const struct kube_resource constant = {                                                    \
		.group = g, .version = v, .plural = p, .kind = k, .namespaced = n};
KUBE_RESOURCES(X)
#undef X

void kube_api_version(const struct kube_resource *resource, struct buf *out)
{
	if (resource->group[0] != '\0')
		buf_printf(out, "%s/", resource->group);
	buf_add_text(out, resource->version);
}

/* --- paths ------------------------------------------------------------------------------------ */

/* What apimachinery takes as a path segment, and nothing that would need an escape: names in URLs
 * must mean the same to every proxy on the way. */
static bool is_segment(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len == 0 || len > max || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c >= 0x7f || strchr("/%?#\\\"<>^`{|}", c) != NULL)
			return false;
	}
	return true;
}

static bool check_ref(const struct kube_ref *ref, struct err *err)
{
	const char *plural = ref->resource->plural;

	if (ref->namespace_ != NULL && !ref->resource->namespaced)
		return err_set(err, ERR_INVALID, "%s are not in namespaces, but '%s' was given",
		               plural, ref->namespace_);
	if (ref->namespace_ != NULL && !is_segment(ref->namespace_, KUBE_NAMESPACE_MAX))
		return err_set(err, ERR_INVALID, "'%s' cannot be a namespace", ref->namespace_);
	if (ref->name != NULL && ref->resource->namespaced && ref->namespace_ == NULL)
		return err_set(err, ERR_INVALID, "%s '%s' needs a namespace", plural, ref->name);
	if (ref->name != NULL && !is_segment(ref->name, KUBE_NAME_MAX))
		return err_set(err, ERR_INVALID, "'%s' cannot be a name", ref->name);
	if (ref->subresource != NULL && (ref->name == NULL || !is_segment(ref->subresource, 63)))
		return err_set(err, ERR_INVALID, "'%s' cannot be a subresource here",
		               ref->subresource);
	return true;
}

bool kube_path_format(const struct kube_ref *ref, struct buf *out, struct err *err)
{
	if (!check_ref(ref, err))
		return false;
	buf_add_text(out, ref->resource->group[0] != '\0' ? "/apis/" : "/api/");
	kube_api_version(ref->resource, out);
	if (ref->namespace_ != NULL)
		buf_printf(out, "/namespaces/%s", ref->namespace_);
	buf_printf(out, "/%s", ref->resource->plural);
	if (ref->name != NULL)
		buf_printf(out, "/%s", ref->name);
	if (ref->subresource != NULL)
		buf_printf(out, "/%s", ref->subresource);
	if (buf_failed(out))
		return err_set(err, ERR_TOO_LARGE, "path of %s is too long", ref->resource->plural);
	return true;
}

/* --- metadata --------------------------------------------------------------------------------- */

/* Label and annotation keys have dots, so json_at() cannot walk them. */
static const char *text_in(const json_t *obj, const char *path, const char *key)
{
	return json_string_value(json_object_get(json_at(obj, path), key));
}

static void set_text_in(json_t *obj, const char *path, const char *key, const char *value)
{
	if (!json_is_object(json_at(obj, path)))
		json_set_at(obj, path, json_object());
	json_object_set_new(json_at(obj, path), key, json_string(value));
}

const char *kube_name(const json_t *obj)
{
	return json_str_at(obj, "metadata.name", "");
}

const char *kube_namespace(const json_t *obj)
{
	return json_str_at(obj, "metadata.namespace", "");
}

const char *kube_uid(const json_t *obj)
{
	return json_str_at(obj, "metadata.uid", "");
}

const char *kube_resource_version(const json_t *obj)
{
	return json_str_at(obj, "metadata.resourceVersion", "");
}

int64_t kube_generation(const json_t *obj)
{
	return json_int_at(obj, "metadata.generation", 0);
}

bool kube_is_deleting(const json_t *obj)
{
	return json_is_string(json_at(obj, "metadata.deletionTimestamp"));
}

bool kube_is_ownerless(const json_t *obj)
{
	return json_array_size(json_at(obj, "metadata.ownerReferences")) == 0;
}

const char *kube_label_find(const json_t *obj, const char *key)
{
	return text_in(obj, "metadata.labels", key);
}

const char *kube_annotation_find(const json_t *obj, const char *key)
{
	return text_in(obj, "metadata.annotations", key);
}

void kube_label_set(json_t *obj, const char *key, const char *value)
{
	set_text_in(obj, "metadata.labels", key, value);
}

void kube_annotation_set(json_t *obj, const char *key, const char *value)
{
	set_text_in(obj, "metadata.annotations", key, value);
}

/* Index of the finalizer, or -1. */
static int finalizer_at(const json_t *obj, const char *finalizer)
{
	const json_t *finalizers = json_at(obj, "metadata.finalizers");
	size_t i;
	json_t *item;

	json_array_foreach (finalizers, i, item) {
		const char *text = json_string_value(item);

		if (text != NULL && strcmp(text, finalizer) == 0)
			return (int)i;
	}
	return -1;
}

bool kube_finalizer_has(const json_t *obj, const char *finalizer)
{
	return finalizer_at(obj, finalizer) >= 0;
}

bool kube_finalizer_add(json_t *obj, const char *finalizer)
{
	if (finalizer_at(obj, finalizer) >= 0)
		return false;
	if (!json_is_array(json_at(obj, "metadata.finalizers")))
		json_set_at(obj, "metadata.finalizers", json_array());
	json_array_append_new(json_at(obj, "metadata.finalizers"), json_string(finalizer));
	return true;
}

bool kube_finalizer_remove(json_t *obj, const char *finalizer)
{
	int at = finalizer_at(obj, finalizer);

	if (at < 0)
		return false;
	json_array_remove(json_at(obj, "metadata.finalizers"), (size_t)at);
	return true;
}

json_t *kube_object_create(const struct kube_ref *ref)
{
	struct buf CLEANUP(buf_fini) api_version;
	json_t *metadata = json_object();
	json_t *obj = json_object();

	buf_init(&api_version, KUBE_PATH_MAX);
	kube_api_version(ref->resource, &api_version);
	json_object_set_new(obj, "apiVersion", json_string(buf_text(&api_version)));
	json_object_set_new(obj, "kind", json_string(ref->resource->kind));
	if (ref->namespace_ != NULL)
		json_object_set_new(metadata, "namespace", json_string(ref->namespace_));
	if (ref->name != NULL)
		json_object_set_new(metadata, "name", json_string(ref->name));
	json_object_set_new(obj, "metadata", metadata);
	return obj;
}

void kube_managed_fields_drop(json_t *obj)
{
	json_object_del(json_at(obj, "metadata"), "managedFields");
}

/* --- keys and versions ------------------------------------------------------------------------ */

bool kube_key_make(struct str namespace_, struct str name, char ret_key[KUBE_KEY_MAX])
{
	char *end = ret_key;

	if (name.len == 0 || name.len > KUBE_NAME_MAX || namespace_.len > KUBE_NAMESPACE_MAX)
		return false;
	if (namespace_.len > 0) {
		memcpy(end, namespace_.ptr, namespace_.len);
		end += namespace_.len;
		*end++ = '/';
	}
	memcpy(end, name.ptr, name.len);
	end[name.len] = '\0';
	return true;
}

bool kube_key_format(const json_t *obj, char ret_key[KUBE_KEY_MAX])
{
	return kube_key_make(str_from(kube_namespace(obj)), str_from(kube_name(obj)), ret_key);
}

void kube_key_split(struct str key, struct str *ret_namespace, struct str *ret_name)
{
	const char *slash = key.len > 0 ? memchr(key.ptr, '/', key.len) : NULL;

	if (slash == NULL) {
		*ret_namespace = STR_LIT("");
		*ret_name = key;
		return;
	}
	size_t head = (size_t)(slash - key.ptr);

	*ret_namespace = str_make(key.ptr, head);
	*ret_name = str_make(slash + 1, key.len - head - 1);
}

static bool is_decimal(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return s.len > 0;
}

static struct str without_zeros(struct str s)
{
	while (s.len > 1 && s.ptr[0] == '0')
		s = str_make(s.ptr + 1, s.len - 1);
	return s;
}

int kube_rv_cmp(struct str a, struct str b)
{
	bool a_ok = is_decimal(a);
	bool b_ok = is_decimal(b);

	if (!a_ok || !b_ok)
		return (int)a_ok - (int)b_ok;
	a = without_zeros(a);
	b = without_zeros(b);
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return memcmp(a.ptr, b.ptr, a.len);
}
