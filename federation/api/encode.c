/* SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void api_encoder_init(struct api_encoder *encoder, const struct api_resource *resource,
                      const struct api_version *version, enum api_form form)
{
	*encoder = (struct api_encoder){.resource = resource, .version = version, .form = form};
	api_group_version(resource->group, version->name, encoder->group_version);
}

enum api_include api_include_parse(const char *text)
{
	if (strcmp(text, "None") == 0)
		return API_INCLUDE_NONE;
	return strcmp(text, "Object") == 0 ? API_INCLUDE_OBJECT : API_INCLUDE_METADATA;
}

static void add_partial(const struct api_object *object, struct buf *out)
{
	buf_add_text(out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\","
	                  "\"metadata\":");
	api_object_format_meta(object, out);
	buf_add_char(out, '}');
}

static void add_json(const json_t *value, struct buf *out)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	buf_add_text(out, text != NULL ? text : "null");
	free(text);
}

/* --- tables ----------------------------------------------------------------------------------- */

static void add_row(const struct api_encoder *encoder, const struct api_object *object,
                    uint64_t rev, struct buf *out)
{
	json_t *tree = api_object_decode(object, encoder->group_version, encoder->resource->kind);
	json_t *cells = printer_cells(encoder->version->printer, tree, encoder->now_s);
	buf_add_text(out, "{\"cells\":");
	add_json(cells, out);
	buf_add_text(out, ",\"object\":");
	if (encoder->include == API_INCLUDE_NONE)
		buf_add_text(out, "null");
	else if (encoder->include == API_INCLUDE_OBJECT)
		api_object_format(object, encoder->group_version, encoder->resource->kind, rev,
		                  out);
	else
		add_partial(object, out);
	buf_add_char(out, '}');
	json_decref(cells);
	json_decref(tree);
}

static void open_table(const struct api_encoder *encoder, bool with_columns, struct buf *out)
{
	buf_add_text(out, "\"columnDefinitions\":");
	if (with_columns)
		add_json(printer_definitions(encoder->version->printer), out);
	else
		buf_add_text(out, "null");
	buf_add_text(out, ",\"rows\":[");
}

static void add_table(const struct api_encoder *encoder, const struct api_object *object,
                      uint64_t rev, bool with_columns, struct buf *out)
{
	buf_printf(out,
	           "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{"
	           "\"resourceVersion\":\"%" PRIu64 "\"},",
	           rev);
	open_table(encoder, with_columns, out);
	add_row(encoder, object, rev, out);
	buf_add_text(out, "]}");
}

void api_encode_object(const struct api_encoder *encoder, const struct api_object *object,
                       uint64_t rev, bool with_columns, struct buf *out)
{
	switch (encoder->form) {
	case API_FORM_TABLE:
		add_table(encoder, object, rev, with_columns, out);
		break;
	case API_FORM_PARTIAL:
		add_partial(object, out);
		break;
	case API_FORM_OBJECT:
	case API_FORM_DISCOVERY_V2:
		api_object_format(object, encoder->group_version, encoder->resource->kind, rev,
		                  out);
		break;
	}
}

/* --- lists ------------------------------------------------------------------------------------ */

static void add_list_head(const struct api_encoder *encoder, const struct api_list_meta *meta,
                          struct buf *out)
{
	switch (encoder->form) {
	case API_FORM_TABLE:
		buf_add_text(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\"");
		break;
	case API_FORM_PARTIAL:
		buf_add_text(out, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":"
		                  "\"meta.k8s.io/v1\"");
		break;
	case API_FORM_OBJECT:
	case API_FORM_DISCOVERY_V2:
		buf_printf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\"",
		           encoder->resource->list_kind, encoder->group_version);
		break;
	}
	buf_printf(out, ",\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"", meta->rev);
	if (meta->continue_token != NULL)
		buf_printf(out, ",\"continue\":\"%s\"", meta->continue_token);
	if (meta->remaining > 0)
		buf_printf(out, ",\"remainingItemCount\":%" PRId64, meta->remaining);
	buf_add_text(out, "},");
}

void api_encode_list(const struct api_encoder *encoder, struct api_object *const *objects, size_t n,
                     const struct api_list_meta *meta, struct buf *out)
{
	bool table = encoder->form == API_FORM_TABLE;
	add_list_head(encoder, meta, out);
	if (table)
		open_table(encoder, true, out);
	else
		buf_add_text(out, "\"items\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		if (table)
			add_row(encoder, objects[i], objects[i]->rev, out);
		else
			api_encode_object(encoder, objects[i], objects[i]->rev, false, out);
	}
	buf_add_text(out, "]}");
}

void api_encode_bookmark(const struct api_encoder *encoder, uint64_t rev, bool initial_end,
                         struct buf *out)
{
	const char *annotations =
		initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "";
	const char *kind = encoder->resource->kind;
	const char *group_version = encoder->group_version;
	const char *rest = "";
	if (encoder->form == API_FORM_PARTIAL) {
		kind = "PartialObjectMetadata";
		group_version = "meta.k8s.io/v1";
	} else if (encoder->form == API_FORM_TABLE) {
		kind = "Table";
		group_version = "meta.k8s.io/v1";
		rest = ",\"columnDefinitions\":null,\"rows\":[]";
	}
	buf_printf(out,
	           "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":"
	           "\"%" PRIu64 "\"%s}%s}",
	           kind, group_version, rev, annotations, rest);
}
