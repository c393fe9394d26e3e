/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "METHOD PATH?QUERY" as the admin socket gets it: there is one answer, it has a status of ours,
 * and what calls itself JSON is.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "control/admin_routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct http_exchange {
	struct http_request request;
	int n_replies;
};

/* In place of those of a server. */
const struct http_request *http_exchange_request(const struct http_exchange *ex)
{
	return &ex->request;
}

void http_exchange_reply(struct http_exchange *ex, int status, const char *content_type,
                         struct str body)
{
	ex->n_replies++;
	assert(status == 200 || status == 202 || status == 400 || status == 404 || status == 405);
	assert(body.len > 0);
	if (strcmp(content_type, "application/json") != 0)
		return;
	struct err err;
	json_t *tree = json_parse(body, &err);
	assert(tree != NULL);
	json_decref(tree);
}

/* And of the process that is asked about. */
uint32_t ew_control_connections(const struct ew_control *control)
{
	(void)control;
	return 7;
}

void ew_control_drain(struct ew_control *control)
{
	(void)control;
}

json_t *ew_plane_status(const struct ew_plane *plane)
{
	(void)plane;
	return json_object();
}

static void fill_recorder(struct ew_recorder *recorder)
{
	const struct ew_event event = {.kind = EW_EVENT_REFUSED,
	                               .sni = STR_LIT("a.b"),
	                               .reason = EW_CLOSE_UNKNOWN_NAME,
	                               .alert = EW_ALERT_UNRECOGNIZED_NAME};
	for (int i = 0; i < 3; i++)
		ew_recorder_add(recorder, 1000 * i, &event);
}

/* Some of everything that an answer may be about. */
static void fill(struct ew_control *control)
{
	const struct ew_endpoint_spec endpoint = {
		.addr = {.port = 80}, .cluster = STR_LIT("c1"), .weight = 1, .healthy = true};
	const struct ew_route_spec route = {
		.sni = STR_LIT("a.b"), .exposed = true, .endpoints = &endpoint, .n_endpoints = 1};
	struct err err;
	control->registry = ew_health_registry_create();
	control->stats = ew_stats_create();
	control->recorder = ew_recorder_create();
	struct ew_table_builder *builder = ew_table_builder_create(NULL, control->registry);
	assert(ew_table_builder_set_route(builder, &route, &err));
	control->table = ew_table_builder_finish(builder);
	control->loop = loop_create();
	fill_recorder(control->recorder);
}

static struct ew_control *control(void)
{
	static struct ew_control made;
	if (made.loop == NULL)
		fill(&made);
	return &made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* an exact copy, so that a read past the end is seen */
	char *exact = xmemdup(data, size);
	struct str rest = str_make(exact, size);
	struct str method = STR_NULL;
	struct str path = STR_NULL;
	IGNORE(str_split(&rest, ' ', &method) && str_split(&rest, '?', &path));
	struct http_exchange ex = {.request = {.method = method, .path = path, .query = rest}};
	ew_admin_on_admin(&ex, control());
	assert(ex.n_replies == 1);
	log_set_level(LOG_ERROR);
	free(exact);
	return 0;
}
