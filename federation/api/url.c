/* SPDX-License-Identifier: Apache-2.0 */
#include "url.h"

#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/http_fields.h"

/* --- path ------------------------------------------------------------------------------------- */

/* Nothing else can stand in JSON, and so in no name. */
static bool is_utf8(const char *text)
{
	json_t *value = json_string(text);
	bool ok = value != NULL;
	json_decref(value);
	return ok;
}

struct segments {
	char *v[API_SEGMENTS_MAX];
	size_t n;
};

static void fini_segments(struct segments *segments)
{
	for (size_t i = 0; i < segments->n; i++)
		free(segments->v[i]);
}

static bool split_path(struct str path, struct segments *segments, struct err *err)
{
	struct str item;
	while (str_split(&path, '/', &item)) {
		if (item.len == 0)
			continue;
		if (segments->n == API_SEGMENTS_MAX)
			return err_set(err, ERR_NOT_FOUND, "404 page not found");
		char *text = http_unescape(item, false);
		if (text == NULL)
			return err_set(err, ERR_BAD_REQUEST, "the path has a bad escape");
		segments->v[segments->n++] = text;
		if (!is_utf8(text))
			return err_set(err, ERR_BAD_REQUEST, "the path is not UTF-8");
		if (strlen(text) > API_SEGMENT_MAX)
			return err_set(err, ERR_BAD_REQUEST,
			               "a part of the path is longer than %d bytes",
			               API_SEGMENT_MAX);
	}
	return true;
}

/* Both are at most API_SEGMENT_MAX long. */
static void put(char *dst, const char *src)
{
	memcpy(dst, src, strlen(src) + 1);
}

/* What stands behind the version: [namespaces NS] RESOURCE [NAME [SUB]]. */
static void parse_resource(struct segments *s, size_t at, struct api_route *route)
{
	size_t n = s->n - at;
	route->kind = API_ROUTE_RESOURCE;
	/* namespaces/NS/status and finalize belong to the namespace itself. */
	if (n >= 3 && strcmp(s->v[at], "namespaces") == 0 &&
	    !(n == 3 &&
	      (strcmp(s->v[at + 2], "status") == 0 || strcmp(s->v[at + 2], "finalize") == 0))) {
		put(route->namespace_, s->v[at + 1]);
		at += 2;
		n -= 2;
	}
	put(route->resource, s->v[at]);
	if (n > 1)
		put(route->name, s->v[at + 1]);
	if (n > 2)
		put(route->subresource, s->v[at + 2]);
	if (n > 3)
		route->kind = API_ROUTE_NONE;
}

static void parse_core(struct segments *s, size_t at, struct api_route *route)
{
	if (s->n == at) {
		route->kind = API_ROUTE_API;
		return;
	}
	put(route->version, s->v[at]);
	if (s->n == at + 1)
		route->kind = API_ROUTE_VERSION;
	else
		parse_resource(s, at + 1, route);
}

static void parse_groups(struct segments *s, size_t at, struct api_route *route)
{
	if (s->n == at) {
		route->kind = API_ROUTE_APIS;
		return;
	}
	put(route->group, s->v[at]);
	if (s->n == at + 1) {
		route->kind = API_ROUTE_GROUP;
		return;
	}
	put(route->version, s->v[at + 1]);
	if (s->n == at + 2)
		route->kind = API_ROUTE_VERSION;
	else
		parse_resource(s, at + 2, route);
}

static void parse_plain(struct segments *s, size_t at, struct api_route *route)
{
	size_t len = 0;
	route->kind = API_ROUTE_PLAIN;
	for (size_t i = at; i < s->n; i++) {
		size_t part = strlen(s->v[i]);
		if (len + part + 2 > sizeof(route->path)) {
			route->kind = API_ROUTE_NONE;
			return;
		}
		route->path[len++] = '/';
		memcpy(route->path + len, s->v[i], part + 1);
		len += part;
	}
}

bool api_route_parse(struct str path, struct api_route *ret_route, struct err *err)
{
	struct segments s = {.n = 0};
	struct api_route route = {.kind = API_ROUTE_NONE};
	size_t at = 0;
	if (!split_path(path, &s, err)) {
		fini_segments(&s);
		return false;
	}
	if (s.n >= 2 && strcmp(s.v[0], "clusters") == 0 && strlen(s.v[1]) < sizeof(route.cluster)) {
		put(route.cluster, s.v[1]);
		at = 2;
	}
	if (s.n > at && strcmp(s.v[at], "api") == 0)
		parse_core(&s, at + 1, &route);
	else if (s.n > at && strcmp(s.v[at], "apis") == 0)
		parse_groups(&s, at + 1, &route);
	else
		parse_plain(&s, at, &route);
	fini_segments(&s);
	*ret_route = route;
	return true;
}

/* --- query ------------------------------------------------------------------------------------ */

/* Kubernetes' rule: everything but absent, "0" and "false" is true. */
static bool is_true(const char *value)
{
	return strcmp(value, "0") != 0 && strcasecmp(value, "false") != 0;
}

static void keep_short(char *dst, size_t size, const char *value)
{
	snprintf(dst, size, "%s", value);
}

static void keep(char **dst, const char *value)
{
	free(*dst);
	*dst = xstrdup(value);
}

static bool to_count(const char *key, const char *value, int64_t *ret_count, struct err *err)
{
	uint64_t count;
	if (!str_to_u64(str_from(value), INT64_MAX, &count))
		return err_set(err, ERR_BAD_REQUEST,
		               "strconv.ParseInt: parsing \"%s\": invalid syntax (%s)", value, key);
	*ret_count = (int64_t)count;
	return true;
}

static bool set_selector(struct selector *selector, const char *value, bool labels, struct err *err)
{
	struct selector parsed;
	bool ok = labels ? selector_parse_labels(str_from(value), &parsed, err)
	                 : selector_parse_fields(str_from(value), &parsed, err);
	if (!ok)
		return false;
	selector_fini(selector);
	*selector = parsed;
	return true;
}

static void set_validation(struct api_params *params, const char *value)
{
	if (strcmp(value, "Strict") == 0)
		params->field_validation = API_FIELDS_STRICT;
	else if (strcmp(value, "Ignore") == 0)
		params->field_validation = API_FIELDS_IGNORE;
	else if (strcmp(value, "Warn") != 0 && value[0] != '\0')
		keep(&params->bad_field_validation, value);
}

static void set_initial_events(struct api_params *params, const char *value)
{
	params->has_send_initial_events = true;
	params->send_initial_events = is_true(value);
}

static void set_dry_run(struct api_params *params, const char *value)
{
	if (strcmp(value, "All") == 0)
		params->dry_run = true;
	else if (value[0] != '\0')
		keep(&params->bad_dry_run, value);
}

static bool set_param(struct api_params *p, const char *key, const char *value, struct err *err)
{
	if (strcmp(key, "watch") == 0)
		p->watch = is_true(value);
	else if (strcmp(key, "labelSelector") == 0)
		return set_selector(&p->labels, value, true, err);
	else if (strcmp(key, "fieldSelector") == 0)
		return set_selector(&p->fields, value, false, err);
	else if (strcmp(key, "resourceVersion") == 0)
		keep_short(p->resource_version, sizeof(p->resource_version), value);
	else if (strcmp(key, "resourceVersionMatch") == 0)
		keep_short(p->resource_version_match, sizeof(p->resource_version_match), value);
	else if (strcmp(key, "sendInitialEvents") == 0)
		set_initial_events(p, value);
	else if (strcmp(key, "allowWatchBookmarks") == 0)
		p->allow_bookmarks = is_true(value);
	else if (strcmp(key, "timeoutSeconds") == 0)
		return to_count(key, value, &p->timeout_s, err);
	else if (strcmp(key, "limit") == 0)
		return to_count(key, value, &p->limit, err);
	else if (strcmp(key, "continue") == 0 && value[0] != '\0')
		keep(&p->continue_token, value);
	else if (strcmp(key, "dryRun") == 0)
		set_dry_run(p, value);
	else if (strcmp(key, "fieldValidation") == 0)
		set_validation(p, value);
	else if (strcmp(key, "force") == 0)
		p->force = is_true(value);
	else if (strcmp(key, "propagationPolicy") == 0)
		keep_short(p->propagation, sizeof(p->propagation), value);
	else if (strcmp(key, "gracePeriodSeconds") == 0)
		return to_count(key, value, &p->grace_s, err);
	else if (strcmp(key, "includeObject") == 0)
		keep_short(p->include_object, sizeof(p->include_object), value);
	return true;
}

static bool set_pair(struct api_params *params, struct str item, struct err *err)
{
	struct str key_text;
	struct str value_text = item;
	IGNORE(str_split(&value_text, '=', &key_text)); /* an item always has a head */
	char *key = http_unescape(key_text, true);
	char *value = value_text.ptr != NULL ? http_unescape(value_text, true) : xstrdup("");
	bool ok = key != NULL && value != NULL && is_utf8(value)
	                  ? set_param(params, key, value, err)
	                  : err_set(err, ERR_BAD_REQUEST,
	                            "the query has a bad escape, or is not UTF-8");
	free(key);
	free(value);
	return ok;
}

bool api_params_parse(struct str query, struct api_params *ret_params, struct err *err)
{
	struct str item;
	*ret_params = (struct api_params){.grace_s = -1};
	while (query.ptr != NULL && str_split(&query, '&', &item)) {
		if (item.len > 0 && !set_pair(ret_params, item, err))
			return false;
	}
	return true;
}

void api_params_fini(struct api_params *params)
{
	selector_fini(&params->labels);
	selector_fini(&params->fields);
	free(params->continue_token);
	free(params->bad_dry_run);
	free(params->bad_field_validation);
	*params = (struct api_params){0};
}
