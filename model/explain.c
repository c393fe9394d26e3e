/* SPDX-License-Identifier: Apache-2.0 */
#include "model/explain.h"

#include "explain_priv.h"
#include "view_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "model/sni.h"

enum {
	SENTENCE_MAX = 1024
};

bool explain_parse_service(struct str text, struct explain_request *ret_request, struct err *err)
{
	struct explain_request r = {0};
	struct str rest = text, head, tail;
	uint64_t port = 0;
	bool slash = text.len > 0 && memchr(text.ptr, '/', text.len) != NULL;

	str_split(&rest, ':', &head);
	bool ok = rest.ptr == NULL || (str_to_u64(rest, 65535, &port) && port > 0);

	tail = head;
	ok = ok && str_split(&tail, slash ? '/' : '.', &head) && str_is_dns_label(head) &&
	     str_is_dns_label(tail);
	if (!ok)
		return err_set(
			err, ERR_BAD_REQUEST,
			"'%.*s' is no service; write NAMESPACE/NAME:PORT or NAME.NAMESPACE:PORT",
			(int)(text.len < 200 ? text.len : 200), text.ptr);
	r.ns = slash ? head : tail;
	r.name = slash ? tail : head;
	r.port = (uint16_t)port;
	*ret_request = r;
	return true;
}

static bool find_port(struct explaining *ex, const struct explain_request *request, struct err *err)
{
	CLEANUP(buf_fini) struct buf list;
	static const struct mesh_port any = {"", 0};

	buf_init(&list, SENTENCE_MAX);
	ex->port = ex->service->n_ports > 0 ? &ex->service->ports[0] : &any;
	if (ex->service->n_ports == 0 || request->port == 0)
		return true;
	for (size_t i = 0; i < ex->service->n_ports; i++) {
		ex->port = &ex->service->ports[i];
		if (ex->port->number == request->port)
			return true;
		buf_printf(&list, "%s%u", i > 0 ? ", " : "", ex->port->number);
	}
	return err_set(err, ERR_NOT_FOUND, "service '%s' has no port %u; it has %s",
	               ex->service->key, request->port, buf_text(&list));
}

static bool find_subset(struct explaining *ex, struct str want, struct err *err)
{
	const struct policy *policy = ex->service->policy;

	ex->subset = "";
	if (want.len == 0)
		return true;
	for (size_t i = 0; policy != NULL && i < policy->n_subsets; i++) {
		ex->subset = policy->subsets[i].name;
		if (str_is(want, ex->subset))
			return true;
	}
	return err_set(err, ERR_NOT_FOUND, "service '%s' has no subset '%.*s'", ex->service->key,
	               (int)(want.len < 200 ? want.len : 200), want.ptr);
}

static bool find_service(struct explaining *ex, const struct explain_request *request,
                         struct err *err)
{
	CLEANUP(free_ptr)
	char *key = xasprintf("%.*s/%.*s", STR_ARG(request->ns), STR_ARG(request->name));

	ex->service = mesh_find_service(ex->view->mesh, key);
	if (ex->service == NULL)
		return err_set(err, ERR_NOT_FOUND, "no member cluster has a service '%.300s'", key);
	return find_port(ex, request, err) && find_subset(ex, request->subset, err);
}

static void say(json_t *sentences, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(json_t *sentences, const char *fmt, ...)
{
	char text[SENTENCE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_array_append_new(sentences, json_string(text));
}

static void say_levels(const struct explaining *ex, json_t *sentences)
{
	for (uint32_t i = 0; i < ex->route->n_priorities; i++) {
		const struct lb_level *level = &ex->levels[i];

		if (level->panic)
			say(sentences, "priority %u has under %u %% healthy: panic, all are tried",
			    i, ex->route->panic_percent);
		else if (level->total > 0)
			say(sentences,
			    "priority %u: %llu of %llu healthy, times 1.4 is %u %%; it takes %u %%",
			    i, (unsigned long long)level->healthy, (unsigned long long)level->total,
			    level->health, level->load);
	}
}

/* Also where they are called all the same, as nothing else is ready. */
static void say_outages(const struct explaining *ex, json_t *sentences)
{
	const struct mesh_outages *outages = &ex->service->outages;

	for (size_t i = 0; i < outages->n; i++) {
		if (strcmp(outages->list[i].sni, ex->route->sni) == 0 &&
		    strcmp(outages->list[i].network, ex->view->network) != 0)
			say(sentences, "endpoints of network %s are %s (FED-132)",
			    outages->list[i].network, outages->list[i].why);
	}
}

static json_t *because(const struct explaining *ex)
{
	json_t *sentences = json_array();
	const struct view_route *r = ex->route;

	if (r == NULL) {
		say(sentences, "%s sees nothing of this service%s%s", ex->view->cluster,
		    ex->service->left_out != MESH_USED ? ": " : "",
		    mesh_left_out_text(ex->service->left_out));
		return sentences;
	}
	if (r->policy_source[0] == '\0')
		say(sentences, "no locality policy is in force");
	else
		say(sentences, "%s of %s is in force: %s", r->policy_field, r->policy_source,
		    view_mode_text(r->mode));
	if (r->mode == VIEW_MODE_NONE && ex->in_force.policy.locality.present &&
	    ex->in_force.policy.locality.enabled)
		say(sentences, "the order is off: the Mesh has failover OutlierDetection and the "
		               "policy has no "
		               "outlierDetection (FED-202)");
	say_outages(ex, sentences);
	say_levels(ex, sentences);
	if (!ex->usable)
		say(sentences, "nothing is healthy: calls are refused");
	return sentences;
}

static json_t *priorities(const struct explaining *ex)
{
	json_t *array = json_array();

	for (uint32_t i = 0; ex->route != NULL && i < ex->route->n_priorities; i++)
		json_array_append_new(array, json_pack("{s:i, s:i, s:i}", "priority", (int)i,
		                                       "healthPercent", (int)ex->levels[i].health,
		                                       "loadPercent",
		                                       ex->usable ? (int)ex->levels[i].load : 0));
	return array;
}

static json_t *answer(const struct explaining *ex, const char *sni, const char *revision,
                      const char *observed_at)
{
	const struct view *v = ex->view;
	char number[32];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)v->mesh->revision);
	json_t *obj = json_pack(
		"{s:s, s:s, s:{s:s, s:s, s:i, s:s}, s:{s:s, s:s, s:s}, s:s, s:s,"
		" s:{s:s, s:s, s:s}, s:o, s:O, s:o}",
		"apiVersion", "answers.fedway.io/v1alpha1", "kind", "RouteExplanation", "service",
		"namespace", ex->service->ns, "name", ex->service->name, "port",
		(int)ex->port->number, "sni", sni, "from", "cluster", v->cluster, "network",
		v->network, "locality", v->locality->text, "revision",
		revision[0] != '\0' ? revision : number, "observedAt", observed_at, "policy",
		"source", ex->in_force.policy_source, "field", ex->in_force.policy_field, "mode",
		view_mode_text(ex->in_force.mode), "priorities", priorities(ex), "candidates",
		ex->candidates, "because", because(ex));

	if (ex->n_dropped > 0)
		json_object_set_new(obj, "candidatesDropped",
		                    json_integer((json_int_t)ex->n_dropped));
	return obj;
}

json_t *explain_route(const struct view *view, const struct explain_request *request,
                      const char *revision, const char *observed_at, struct err *err)
{
	struct explaining ex = {.view = view};
	char sni[SNI_MAX + 1];

	if (!find_service(&ex, request, err))
		return NULL;
	if (!sni_format(ex.port->number, str_from(ex.subset), str_from(ex.service->host), sni)) {
		err_set(err, ERR_INVALID, "the SNI name of service '%s' is over %d bytes",
		        ex.service->key, SNI_MAX);
		return NULL;
	}
	ex.route = view_find_route(view, sni);
	ex.in_force.port = ex.port->number;
	ex.in_force.subset = ex.subset;
	view_policy_choose(view->mesh, ex.service, &ex.in_force);
	ex.usable = ex.route != NULL && health_spread(view, ex.route, ex.levels);
	ex.candidates = json_array();
	explain_add_offered(&ex);
	explain_add_left_out(&ex);
	json_t *obj = answer(&ex, sni, revision, observed_at);

	json_decref(ex.candidates);
	free(ex.in_force.policy_source);
	return obj;
}
