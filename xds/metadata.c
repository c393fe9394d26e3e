/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata_priv.h"
#include "pbc_priv.h"

#include <assert.h>

#include "xds/message.h"

static void pack(Google__StructField *fields, size_t n, struct buf *out)
{
	Google__StructField *list[METADATA_ITEMS_MAX];
	for (size_t i = 0; i < n; i++)
		list[i] = &fields[i];
	Google__Struct meta = GOOGLE__STRUCT__INIT;
	meta.fields = list;
	meta.n_fields = n;
	xds_message_pack(&meta.base, out);
}

void metadata_encode(const struct metadata_item *items, size_t n, struct buf *out)
{
	Google__StructField fields[METADATA_ITEMS_MAX];
	Google__Value values[METADATA_ITEMS_MAX];
	assert(n <= METADATA_ITEMS_MAX);
	for (size_t i = 0; i < n; i++) {
		google__value__init(&values[i]);
		google__struct_field__init(&fields[i]);
		fields[i].key = str_lend(items[i].key);
		fields[i].value = &values[i];
		if (items[i].text != NULL) {
			values[i].string_value = str_lend(items[i].text);
		} else {
			values[i].has_bool_value = true;
			values[i].bool_value = items[i].flag;
		}
	}
	pack(fields, n, out);
}

void metadata_encode_nested(const char *key, struct str inner, struct buf *out)
{
	Google__Value value = GOOGLE__VALUE__INIT;
	value.has_struct_value = true;
	value.struct_value = pbc_bytes(inner);
	Google__StructField field = GOOGLE__STRUCT_FIELD__INIT;
	field.key = str_lend(key);
	field.value = &value;
	pack(&field, 1, out);
}

Google__Struct *metadata_decode(struct str bytes, struct err *err)
{
	if (bytes.len > METADATA_BYTES_MAX) {
		err_set(err, ERR_TOO_LARGE, "metadata of %zu bytes, at most %d are taken",
		        bytes.len, METADATA_BYTES_MAX);
		return NULL;
	}
	return (Google__Struct *)xds_message_unpack(&google__struct__descriptor, bytes, err);
}

void metadata_free(Google__Struct *meta)
{
	if (meta != NULL)
		xds_message_free(&meta->base);
}

const Google__Value *metadata_find(const Google__Struct *meta, const char *key)
{
	for (size_t i = 0; meta != NULL && i < meta->n_fields; i++) {
		const Google__StructField *field = meta->fields[i];
		if (field->key != NULL && strcmp(field->key, key) == 0)
			return field->value;
	}
	return NULL;
}

const char *metadata_text(const Google__Struct *meta, const char *key)
{
	const Google__Value *value = metadata_find(meta, key);
	return value != NULL ? value->string_value : NULL;
}

bool metadata_flag(const Google__Struct *meta, const char *key)
{
	const Google__Value *value = metadata_find(meta, key);
	return value != NULL && value->has_bool_value && value->bool_value;
}

bool metadata_of(const Envoy__Metadata *metadata, Google__Struct **ret_meta, struct err *err)
{
	*ret_meta = NULL;
	for (size_t i = 0; metadata != NULL && i < metadata->n_filter_metadata; i++) {
		const Envoy__MetadataEntry *entry = metadata->filter_metadata[i];
		if (entry->key == NULL || strcmp(entry->key, METADATA_KEY) != 0)
			continue;
		*ret_meta = metadata_decode(pbc_str(entry->value), err);
		return *ret_meta != NULL;
	}
	return true;
}
