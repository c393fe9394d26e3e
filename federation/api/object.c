/* SPDX-License-Identifier: Apache-2.0 */
#include "object.h"

#include "request.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"

/* --- making ----------------------------------------------------------------------------------- */

static void add_value(struct buf *out, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	buf_add_text(out, text != NULL ? text : "null");
	free(text);
}

/* Everything behind the resourceVersion, with the comma that follows it. */
static void format_tail(const json_t *obj, struct buf *out)
{
	json_t *fields = json_copy((json_t *)(uintptr_t)obj);
	json_t *meta = json_copy(json_object_get(fields, "metadata"));
	json_object_del(meta, "resourceVersion");
	json_object_del(fields, "apiVersion");
	json_object_del(fields, "kind");
	json_object_del(fields, "metadata");
	add_value(out, meta);
	out->ptr[0] = ',';
	const char *key;
	json_t *value;
	json_object_foreach (fields, key, value) {
		json_t *name = json_string(key);
		buf_add_char(out, ',');
		add_value(out, name);
		buf_add_char(out, ':');
		add_value(out, value);
		json_decref(name);
	}
	buf_add_char(out, '}');
	json_decref(meta);
	json_decref(fields);
}

static struct api_object *make(uint64_t rev, uint64_t create_rev, const json_t *meta,
                               struct str tail)
{
	struct api_object *object = xcalloc(1, sizeof(*object));
	object->refs = 1;
	object->rev = rev;
	object->create_rev = create_rev;
	object->namespace_ = xstrdup(json_str_at(meta, "namespace", ""));
	object->name = xstrdup(json_str_at(meta, "name", ""));
	object->tail = tail;
	return object;
}

struct api_object *api_object_create(uint64_t rev, uint64_t create_rev, const json_t *obj)
{
	struct buf tail;
	buf_init(&tail, API_REPLY_MAX);
	format_tail(obj, &tail);
	size_t len = tail.len;
	return make(rev, create_rev, json_object_get(obj, "metadata"),
	            str_make(buf_take(&tail), len));
}

struct api_object *api_object_load(uint64_t rev, uint64_t create_rev, struct str text,
                                   struct err *err)
{
	json_t *obj = json_parse(text, err);
	if (obj == NULL)
		return NULL;
	struct api_object *object = NULL;
	if (json_is_object(json_object_get(obj, "metadata")))
		object = api_object_create(rev, create_rev, obj);
	else
		IGNORE(err_set(err, ERR_INVALID, "revision %" PRIu64 " has no metadata", rev));
	json_decref(obj);
	return object;
}

struct api_object *api_object_ref(struct api_object *object)
{
	object->refs++;
	return object;
}

void api_object_unref(struct api_object *object)
{
	if (object == NULL || --object->refs > 0)
		return;
	free(object->namespace_);
	free(object->name);
	free((char *)(uintptr_t)object->tail.ptr);
	json_decref(object->meta);
	free(object);
}

/* --- reading ---------------------------------------------------------------------------------- */

void api_object_format(const struct api_object *object, const char *api_version, const char *kind,
                       uint64_t rev, struct buf *out)
{
	struct str tail = object->tail;
	buf_printf(out, "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{", api_version, kind);
	if (rev > 0)
		buf_printf(out, "\"resourceVersion\":\"%" PRIu64 "\"", rev);
	else
		tail = str_make(tail.ptr + 1, tail.len - 1);
	buf_add_str(out, tail);
}

json_t *api_object_decode(const struct api_object *object, const char *api_version,
                          const char *kind)
{
	struct err err;
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, API_REPLY_MAX);
	api_object_format(object, api_version, kind, object->rev, &text);
	json_t *obj = json_parse(buf_str(&text), &err);
	if (obj == NULL)
		UNREACHABLE("a stored object does not parse");
	return obj;
}

/* Where the metadata ends inside the tail: its braces balance there. */
static size_t find_meta_end(struct str tail)
{
	int depth = 1;
	bool in_text = false;
	for (size_t i = 0; i < tail.len; i++) {
		char c = tail.ptr[i];
		if (in_text) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_text = false;
		} else if (c == '"') {
			in_text = true;
		} else if (c == '{') {
			depth++;
		} else if (c == '}' && --depth == 0) {
			return i + 1;
		}
	}
	UNREACHABLE("the metadata of a stored object has no end");
}

void api_object_format_meta(const struct api_object *object, struct buf *out)
{
	buf_printf(out, "{\"resourceVersion\":\"%" PRIu64 "\"", object->rev);
	buf_add(out, object->tail.ptr, find_meta_end(object->tail));
}

const json_t *api_object_meta(struct api_object *object)
{
	if (object->meta != NULL)
		return object->meta;
	struct err err;
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, API_REPLY_MAX);
	api_object_format_meta(object, &text);
	object->meta = json_parse(buf_str(&text), &err);
	return object->meta;
}

const json_t *api_object_labels(struct api_object *object)
{
	return json_object_get(api_object_meta(object), "labels");
}

const char *api_object_uid(struct api_object *object)
{
	return json_str_at(api_object_meta(object), "uid", "");
}

bool api_object_is_deleting(struct api_object *object)
{
	return json_object_get(api_object_meta(object), "deletionTimestamp") != NULL;
}

/* --- index ------------------------------------------------------------------------------------ */

static int compare(const struct api_object *object, const char *namespace_, const char *name)
{
	int order = strcmp(object->namespace_, namespace_);
	return order != 0 ? order : strcmp(object->name, name);
}

/* The first position whose object is not before the name. */
static size_t lower_bound(const struct api_index *index, const char *namespace_, const char *name)
{
	size_t first = 0;
	size_t end = index->n;
	while (first < end) {
		size_t middle = first + (end - first) / 2;
		if (compare(index->v[middle], namespace_, name) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

struct api_object *api_index_find(const struct api_index *index, const char *namespace_,
                                  const char *name)
{
	size_t at = lower_bound(index, namespace_, name);
	if (at < index->n && compare(index->v[at], namespace_, name) == 0)
		return index->v[at];
	return NULL;
}

void api_index_set(struct api_index *index, struct api_object *object)
{
	size_t at = lower_bound(index, object->namespace_, object->name);
	api_object_ref(object);
	if (at < index->n && compare(index->v[at], object->namespace_, object->name) == 0) {
		api_object_unref(index->v[at]);
		index->v[at] = object;
		return;
	}
	if (index->n == index->cap) {
		index->cap = index->cap > 0 ? index->cap * 2 : 16;
		index->v = xrealloc(index->v, index->cap * sizeof(*index->v));
	}
	memmove(&index->v[at + 1], &index->v[at], (index->n - at) * sizeof(*index->v));
	index->v[at] = object;
	index->n++;
}

void api_index_remove(struct api_index *index, const char *namespace_, const char *name)
{
	size_t at = lower_bound(index, namespace_, name);
	if (at == index->n || compare(index->v[at], namespace_, name) != 0)
		return;
	api_object_unref(index->v[at]);
	index->n--;
	memmove(&index->v[at], &index->v[at + 1], (index->n - at) * sizeof(*index->v));
}

void api_index_fini(struct api_index *index)
{
	for (size_t i = 0; i < index->n; i++)
		api_object_unref(index->v[i]);
	free(index->v);
	*index = (struct api_index){NULL, 0, 0};
}

void api_index_range(const struct api_index *index, const char *namespace_, size_t *ret_first,
                     size_t *ret_end)
{
	*ret_first = 0;
	*ret_end = index->n;
	if (namespace_ == NULL || namespace_[0] == '\0')
		return;
	size_t first = lower_bound(index, namespace_, "");
	size_t end = first;
	while (end < index->n && strcmp(index->v[end]->namespace_, namespace_) == 0)
		end++;
	*ret_first = first;
	*ret_end = end;
}
