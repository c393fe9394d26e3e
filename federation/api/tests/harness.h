/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness - a server in memory, asked without a transport. Bodies may be written with single
 * quotes.
 */
#pragma once

#include "auth.h"
#include "call.h"
#include "crd.h"
#include "lifecycle.h"
#include "unit.h"
#include "watcher.h"

#include <stdlib.h>

#include "base/alloc.h"

enum {
	NOW_S = 1795514400 /* 2026-11-24T10:00:00Z */
};

struct ask {
	enum api_method method;
	const char *path; /* may have a query */
	const char *body;
	const char *content_type;
	const char *accept;
	const char *user; /* NULL: an admin */
};

static inline char *with_double_quotes(const char *text)
{
	char *copy = xstrdup(text != NULL ? text : "");
	for (char *c = copy; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	return copy;
}

static inline void core_start(struct api_core *core)
{
	struct err err;
	if (!api_core_init(core, &err))
		fail_msg("%s", err.msg);
	core->now_s = NOW_S;
	core->now_ms = 1000;
	api_lifecycle_start(core);
	api_lifecycle_step(core);
}

/* The reply, for those who look at its fields. */
static inline void ask_reply(struct api_core *core, const struct ask *ask, struct api_reply *reply)
{
	char *body = with_double_quotes(ask->body);
	const char *query = strchr(ask->path, '?');
	struct api_request request = {
		.method = ask->method,
		.path = query != NULL ? str_make(ask->path, (size_t)(query - ask->path))
	                              : str_from(ask->path),
		.query = query != NULL ? str_from(query + 1) : STR_LIT(""),
		.accept = ask->accept != NULL ? ask->accept : "",
		.content_type = ask->content_type != NULL ? ask->content_type : "application/json",
		.if_none_match = "",
		.body = str_from(body),
	};
	request.user.name = xstrdup(ask->user != NULL ? ask->user : "admin");
	request.user.groups =
		json_pack("[s]", ask->user != NULL ? "system:authenticated" : "system:masters");
	api_reply_init(reply);
	api_handle(core, &request, reply);
	api_user_fini(&request.user);
	free(body);
}

/* The JSON of the answer, which must have that status. New. */
static inline json_t *ask_for(struct api_core *core, const struct ask *ask, int status)
{
	struct api_reply reply;
	ask_reply(core, ask, &reply);
	if (reply.status != status)
		fail_msg("%s: status %d, expected %d: %s", ask->path, reply.status, status,
		         buf_text(&reply.body));
	json_t *value = json_loadb(reply.body.ptr, reply.body.len, 0, NULL);
	api_reply_fini(&reply);
	return value;
}

/* As ask_for, for those who need no answer. */
static inline void ask_only(struct api_core *core, enum api_method method, const char *path,
                            const char *body, int status)
{
	struct ask ask = {.method = method, .path = path, .body = body};
	if (method == API_PATCH)
		ask.content_type = "application/merge-patch+json";
	json_decref(ask_for(core, &ask, status));
}

static inline json_t *get(struct api_core *core, const char *path)
{
	return ask_for(core, &(struct ask){.method = API_GET, .path = path}, 200);
}

static inline void assert_at(const json_t *obj, const char *path, const char *want)
{
	const json_t *value = json_at(obj, path);
	char *text =
		value != NULL ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : xstrdup("-");
	char *expected = with_double_quotes(want);
	if (strcmp(text, expected) != 0)
		fail_msg("%s is %s, expected %s", path, text, expected);
	free(expected);
	free(text);
}

static const char widget_crd[] =
	"{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition',"
	"'metadata':{'name':'widgets.example.com'},'spec':{'group':'example.com',"
	"'scope':'Namespaced','names':{'plural':'widgets','kind':'Widget','shortNames':['wd']},"
	"'versions':[{'name':'v1beta1','served':true,'storage':false,'deprecated':true,"
	"'schema':{'openAPIV3Schema':{'type':'object',"
	"'x-kubernetes-preserve-unknown-fields':true}}},"
	"{'name':'v1','served':true,'storage':true,'subresources':{'status':{}},"
	"'additionalPrinterColumns':[{'name':'Size','type':'integer','jsonPath':'.spec.size'}],"
	"'selectableFields':[{'jsonPath':'.spec.color'}],"
	"'schema':{'openAPIV3Schema':{'type':'object','properties':{'spec':{'type':'object',"
	"'required':['size'],'properties':{'size':{'type':'integer','minimum':1},"
	"'color':{'type':'string','default':'red','enum':['red','blue']}}},"
	"'status':{'type':'object','x-kubernetes-preserve-unknown-fields':true}}}}}]}}";

#define CRDS    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define WIDGETS "/apis/example.com/v1/namespaces/default/widgets"
#define CONFIGS "/api/v1/namespaces/default/configmaps"

static inline void core_start_with_widgets(struct api_core *core)
{
	core_start(core);
	ask_only(core, API_POST, CRDS, widget_crd, 201);
}
