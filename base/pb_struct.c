/* SPDX-License-Identifier: Apache-2.0 */
/*
 * google.protobuf.Struct: map<string, Value> fields = 1. Value: null 1, number 2, string 3, bool 4,
 * struct 5, list 6. ListValue: values 1. Recursion is bounded by PB_STRUCT_DEPTH_MAX.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"

enum {
	STRUCT_FIELDS = 1,
	ENTRY_KEY = 1,
	ENTRY_VALUE = 2,
	VALUE_NULL = 1,
	VALUE_NUMBER = 2,
	VALUE_STRING = 3,
	VALUE_BOOL = 4,
	VALUE_STRUCT = 5,
	VALUE_LIST = 6,
	LIST_VALUES = 1
};

static const double exact_integer_max = 9007199254740992.0; /* 2^53 */

/* One conversion: how deep it is, and how many values it has seen. */
struct walk {
	int depth;
	int n_values;
	struct err *err;
};

static bool enter(struct walk *walk)
{
	if (walk->depth >= PB_STRUCT_DEPTH_MAX)
		return err_set(walk->err, ERR_TOO_LARGE, "Struct nested over %d deep",
		               PB_STRUCT_DEPTH_MAX);
	walk->depth++;
	return true;
}

static bool count(struct walk *walk)
{
	if (walk->n_values >= PB_STRUCT_VALUES_MAX)
		return err_set(walk->err, ERR_TOO_LARGE, "Struct with over %d values",
		               PB_STRUCT_VALUES_MAX);
	walk->n_values++;
	return true;
}

/* --- decode ----------------------------------------------------------------------------------- */

static json_t *decode_struct(struct walk *walk, struct str message);
static json_t *decode_value(struct walk *walk, struct str message);

static json_t *make_number(double number)
{
	if (number > -exact_integer_max && number < exact_integer_max &&
	    (double)(json_int_t)number == number)
		return json_integer((json_int_t)number);
	return json_real(number); /* NULL for what JSON has no word for */
}

static json_t *make_string(struct str text)
{
	return json_stringn(text.ptr != NULL ? text.ptr : "", text.len);
}

static json_t *decode_list(struct walk *walk, struct str message)
{
	json_t *list = json_array();
	struct pb_reader reader;
	struct pb_field field;

	if (!enter(walk)) {
		json_decref(list);
		return NULL;
	}
	pb_reader_init(&reader, message);
	while (pb_next(&reader, &field)) {
		json_t *value;

		if (field.number != LIST_VALUES || field.wire != PB_BYTES)
			continue;
		value = decode_value(walk, field.bytes);
		if (value == NULL) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, value);
	}
	walk->depth--;
	if (!pb_reader_check(&reader, walk->err)) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *decode_kind(struct walk *walk, const struct pb_field *field)
{
	json_t *value = NULL;

	if (field->number == VALUE_STRUCT && field->wire == PB_BYTES)
		return decode_struct(walk, field->bytes);
	if (field->number == VALUE_LIST && field->wire == PB_BYTES)
		return decode_list(walk, field->bytes);
	if (field->number == VALUE_NULL && field->wire == PB_VARINT)
		value = json_null();
	else if (field->number == VALUE_NUMBER && field->wire == PB_FIXED64)
		value = make_number(pb_double(field));
	else if (field->number == VALUE_STRING && field->wire == PB_BYTES)
		value = make_string(field->bytes);
	else if (field->number == VALUE_BOOL && field->wire == PB_VARINT)
		value = json_boolean(field->value != 0);
	if (value == NULL)
		err_set(walk->err, ERR_BAD_REQUEST,
		        "Struct value %u: wrong wire type, bad UTF-8 or no finite number",
		        field->number);
	return value;
}

/* The last one given counts, as in every oneof. */
static json_t *decode_value(struct walk *walk, struct str message)
{
	json_t *value = NULL;
	struct pb_reader reader;
	struct pb_field field;

	if (!count(walk))
		return NULL;
	pb_reader_init(&reader, message);
	while (pb_next(&reader, &field)) {
		if (field.number > VALUE_LIST)
			continue;
		json_decref(value);
		value = decode_kind(walk, &field);
		if (value == NULL)
			return NULL;
	}
	if (!pb_reader_check(&reader, walk->err)) {
		json_decref(value);
		return NULL;
	}
	return value != NULL ? value : json_null();
}

static bool decode_entry(struct walk *walk, struct str message, json_t *object)
{
	struct str key = STR_LIT(""), value_bytes = STR_NULL;
	struct pb_reader reader;
	struct pb_field field;
	json_t *value;

	pb_reader_init(&reader, message);
	while (pb_next(&reader, &field)) {
		if (field.number == ENTRY_KEY && field.wire == PB_BYTES)
			key = field.bytes;
		else if (field.number == ENTRY_VALUE && field.wire == PB_BYTES)
			value_bytes = field.bytes;
	}
	if (!pb_reader_check(&reader, walk->err))
		return false;
	if (key.len > 0 && memchr(key.ptr, '\0', key.len) != NULL)
		return err_set(walk->err, ERR_BAD_REQUEST, "Struct key with NUL");
	if (json_object_getn(object, key.ptr, key.len) != NULL)
		return err_set(walk->err, ERR_BAD_REQUEST, "Struct key '%.*s' twice",
		               (int)(key.len < 100 ? key.len : 100), key.ptr);
	value = decode_value(walk, value_bytes);
	if (value == NULL)
		return false;
	/* jansson checks the key's UTF-8. */
	if (json_object_setn_new(object, key.ptr, key.len, value) != 0)
		return err_set(walk->err, ERR_BAD_REQUEST, "Struct key that is not UTF-8");
	return true;
}

static json_t *decode_struct(struct walk *walk, struct str message)
{
	json_t *object = json_object();
	struct pb_reader reader;
	struct pb_field field;
	bool ok = enter(walk);

	pb_reader_init(&reader, message);
	while (ok && pb_next(&reader, &field)) {
		if (field.number == STRUCT_FIELDS && field.wire == PB_BYTES)
			ok = decode_entry(walk, field.bytes, object);
	}
	walk->depth--;
	if (!ok || !pb_reader_check(&reader, walk->err)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *pb_struct_decode(struct str message, struct err *err)
{
	struct walk walk = {.err = err};

	if (message.len > PB_STRUCT_BYTES_MAX) {
		err_set(err, ERR_TOO_LARGE, "Struct of over %d bytes", PB_STRUCT_BYTES_MAX);
		return NULL;
	}
	return decode_struct(&walk, message);
}

/* --- encode ----------------------------------------------------------------------------------- */

static bool encode_fields(struct walk *walk, const json_t *object, struct buf *out);
static bool encode_value(struct walk *walk, const json_t *value, struct buf *out);

static bool encode_list(struct walk *walk, const json_t *list, struct buf *out)
{
	size_t i;
	const json_t *value;

	if (!enter(walk))
		return false;
	json_array_foreach (list, i, value) {
		size_t begun = pb_begin(out, LIST_VALUES);

		if (!encode_value(walk, value, out))
			return false;
		pb_end(out, begun);
	}
	walk->depth--;
	return true;
}

static bool encode_nested(struct walk *walk, const json_t *value, struct buf *out)
{
	bool is_object = json_is_object(value);
	size_t begun = pb_begin(out, is_object ? VALUE_STRUCT : VALUE_LIST);
	bool ok = is_object ? encode_fields(walk, value, out) : encode_list(walk, value, out);

	pb_end(out, begun);
	return ok;
}

static bool encode_value(struct walk *walk, const json_t *value, struct buf *out)
{
	if (!count(walk))
		return false;
	switch (json_typeof(value)) {
	case JSON_NULL:
		pb_put_varint(out, VALUE_NULL, 0);
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
		pb_put_bool(out, VALUE_BOOL, json_is_true(value));
		return true;
	case JSON_INTEGER:
	case JSON_REAL:
		pb_put_double(out, VALUE_NUMBER, json_number_value(value));
		return true;
	case JSON_STRING:
		pb_put_bytes(out, VALUE_STRING,
		             str_make(json_string_value(value), json_string_length(value)));
		return true;
	case JSON_OBJECT:
	case JSON_ARRAY:
		return encode_nested(walk, value, out);
	}
	UNREACHABLE("json_type");
}

static int compare_keys(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

static const char **sorted_keys(const json_t *object)
{
	const char **keys = xcalloc(json_object_size(object) + 1, sizeof(*keys));
	struct {
		json_t *object;
	} mutable_view;
	size_t n = 0;

	/* jansson's iterators want a non-const object and do not write. */
	memcpy(&mutable_view.object, &object, sizeof(object));
	for (void *it = json_object_iter(mutable_view.object); it != NULL;
	     it = json_object_iter_next(mutable_view.object, it))
		keys[n++] = json_object_iter_key(it);
	qsort(keys, n, sizeof(*keys), compare_keys);
	return keys;
}

static bool encode_fields(struct walk *walk, const json_t *object, struct buf *out)
{
	const char **keys;
	bool ok = true;

	if (!enter(walk))
		return false;
	keys = sorted_keys(object);
	for (size_t i = 0; ok && keys[i] != NULL; i++) {
		size_t entry = pb_begin(out, STRUCT_FIELDS);
		size_t value;

		pb_put_text(out, ENTRY_KEY, keys[i]);
		value = pb_begin(out, ENTRY_VALUE);
		ok = encode_value(walk, json_object_get(object, keys[i]), out);
		pb_end(out, value);
		pb_end(out, entry);
	}
	free(keys);
	walk->depth--;
	return ok;
}

bool pb_struct_encode(const json_t *object, struct buf *out, struct err *err)
{
	struct walk walk = {.err = err};
	size_t before = out->len;

	if (!json_is_object(object))
		return err_set(err, ERR_INVALID, "a Struct is made from a JSON object");
	if (!encode_fields(&walk, object, out))
		return false;
	if (buf_failed(out) || out->len - before > PB_STRUCT_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "Struct of over %d bytes", PB_STRUCT_BYTES_MAX);
	return true;
}
