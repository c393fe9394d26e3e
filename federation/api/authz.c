/* SPDX-License-Identifier: Apache-2.0 */
#include "authz.h"

#include "call.h"
#include "failure.h"

#include <string.h>

#include "base/macros.h"

#define ADMINS        "system:masters"
#define AUTHENTICATED "system:authenticated"

const char *api_verb_name(const struct api_call *call)
{
	bool named = call->route.name[0] != '\0';
	switch (call->request->method) {
	case API_GET:
		if (call->params.watch)
			return "watch";
		return named ? "get" : "list";
	case API_POST:
		return "create";
	case API_PUT:
		return "update";
	case API_PATCH:
		return "patch";
	case API_DELETE:
		return named ? "delete" : "deletecollection";
	case API_OTHER:
		break;
	}
	return "get";
}

static bool is_public(const char *path)
{
	static const char *const paths[] = {"/version", "/healthz", "/livez", "/readyz"};
	for (size_t i = 0; i < N_ELEMS(paths); i++) {
		size_t len = strlen(paths[i]);
		if (strncmp(path, paths[i], len) == 0 && (path[len] == '\0' || path[len] == '/'))
			return true;
	}
	return false;
}

static bool is_discovery(const struct api_route *route)
{
	switch (route->kind) {
	case API_ROUTE_API:
	case API_ROUTE_APIS:
	case API_ROUTE_GROUP:
	case API_ROUTE_VERSION:
	case API_ROUTE_NONE:
		return true;
	case API_ROUTE_PLAIN:
		return strncmp(route->path, "/openapi", 8) == 0 ||
		       strncmp(route->path, "/.well-known", 12) == 0;
	case API_ROUTE_RESOURCE:
		break;
	}
	return false;
}

static bool forbid_path(struct api_call *call)
{
	return api_fail(call->reply, ERR_FORBIDDEN,
	                "forbidden: User \"%s\" cannot %s path \"%.*s\"", call->request->user.name,
	                api_verb_name(call), STR_ARG(call->request->path));
}

static bool forbid_resource(struct api_call *call)
{
	const struct api_route *route = &call->route;
	const char *dot = route->group[0] != '\0' ? "." : "";
	const char *slash = route->subresource[0] != '\0' ? "/" : "";
	char name[API_SEGMENT_MAX + 8] = "";
	char scope[API_SEGMENT_MAX + 32] = "at the cluster scope";
	if (route->name[0] != '\0')
		snprintf(name, sizeof(name), "\"%s\" ", route->name);
	if (route->namespace_[0] != '\0')
		snprintf(scope, sizeof(scope), "in the namespace \"%s\"", route->namespace_);
	api_fail(call->reply, ERR_FORBIDDEN,
	         "%s%s%s %sis forbidden: User \"%s\" cannot %s resource \"%s%s%s\" in API group "
	         "\"%s\" %s",
	         route->resource, dot, route->group, name, call->request->user.name,
	         api_verb_name(call), route->resource, slash, route->subresource, route->group,
	         scope);
	return false;
}

bool api_authorize(struct api_call *call)
{
	const struct api_user *user = &call->request->user;
	if (api_user_has_group(user, ADMINS))
		return true;
	bool get = call->request->method == API_GET;
	if (get && call->route.kind == API_ROUTE_PLAIN && is_public(call->route.path))
		return true;
	if (get && is_discovery(&call->route) && api_user_has_group(user, AUTHENTICATED))
		return true;
	return call->route.kind == API_ROUTE_RESOURCE ? forbid_resource(call) : forbid_path(call);
}
