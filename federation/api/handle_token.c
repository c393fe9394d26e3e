/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TokenRequest and TokenReview: asked for by POST, never stored.
 */
#include "auth.h"
#include "call.h"
#include "failure.h"
#include "token.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "kube/meta.h"
#include "kube/status.h"

/* --- TokenRequest ----------------------------------------------------------------------------- */

static bool check_age(struct api_call *call, int64_t age_s)
{
	const char *why = NULL;
	if (age_s < API_TOKEN_AGE_MIN_S)
		why = "may not specify a duration less than 10 minutes";
	else if (age_s > API_TOKEN_AGE_MAX_S)
		why = "may not specify a duration larger than 2^27 seconds";
	if (why == NULL)
		return true;
	json_t *causes = json_array();
	char *message = xasprintf("Invalid value: %lld: %s", (long long)age_s, why);
	kube_status_add_cause(causes, "FieldValueInvalid", "spec.expirationSeconds", message);
	free(message);
	return api_fail_invalid(call->reply, call->resource, "", causes);
}

/* The claim of the Pod that the token is bound to, new; *ret_pod NULL: not bound. */
static bool bind_pod(struct api_call *call, const json_t *ref, json_t **ret_pod)
{
	const char *name = json_str_at(ref, "name", "");
	*ret_pod = NULL;
	if (ref == NULL || json_is_null(ref))
		return true;
	if (strcmp(json_str_at(ref, "kind", ""), "Pod") != 0)
		return api_fail(call->reply, ERR_BAD_REQUEST,
		                "cannot bind token to object of kind %s: only Pod is supported",
		                json_str_at(ref, "kind", ""));
	struct api_resource *pods = api_kinds_find(&call->core->kinds, "", "pods");
	struct api_object *object = api_index_find(&pods->index, call->route.namespace_, name);
	if (object == NULL)
		return api_fail_not_found(call->reply, pods, name);
	const char *uid = json_str_at(ref, "uid", "");
	if (uid[0] != '\0' && strcmp(uid, api_object_uid(object)) != 0)
		return api_fail_conflict(
			call->reply, pods, name,
			"the UID in the bound object reference does not match the "
			"UID in record. The object might have been deleted and then "
			"recreated");
	json_t *pod = api_object_decode(object, "v1", "Pod");
	bool same = strcmp(json_str_at(pod, "spec.serviceAccountName", "default"),
	                   call->route.name) == 0;
	json_decref(pod);
	if (!same)
		return api_fail(call->reply, ERR_BAD_REQUEST,
		                "cannot bind token for serviceaccount \"%s\" to pod running with "
		                "different serviceaccount name.",
		                call->route.name);
	*ret_pod = json_pack("{s:s, s:s}", "name", name, "uid", api_object_uid(object));
	return true;
}

static json_t *claims_of(const struct api_call *call, struct api_object *account, json_t *audiences,
                         int64_t age_s)
{
	char id[37];
	json_int_t now = (json_int_t)call->core->now_s;
	char *subject =
		xasprintf("system:serviceaccount:%s:%s", account->namespace_, account->name);
	api_uid_make(id);
	json_t *claims = json_pack(
		"{s:O, s:I, s:I, s:s, s:s, s:I, s:s, s:{s:s, s:{s:s, s:s}}}", "aud", audiences,
		"exp", now + (json_int_t)age_s, "iat", now, "iss", API_TOKEN_ISSUER, "jti", id,
		"nbf", now, "sub", subject, "kubernetes.io", "namespace", account->namespace_,
		"serviceaccount", "name", account->name, "uid", api_object_uid(account));
	free(subject);
	return claims;
}

static void reply_token(struct api_call *call, const json_t *claims, const json_t *ref)
{
	char expires[32];
	char *token = api_token_sign(call->core->tokens, claims);
	json_int_t exp = (json_int_t)json_int_at(claims, "exp", 0);
	clock_format_rfc3339(exp, expires);
	json_t *reply = json_pack("{s:s, s:s, s:{s:s, s:s, s:o}, s:{s:O, s:I}, s:{s:s, s:s}}",
	                          "kind", "TokenRequest", "apiVersion", "authentication.k8s.io/v1",
	                          "metadata", "name", call->route.name, "namespace",
	                          call->route.namespace_, "creationTimestamp", api_now(call->core),
	                          "spec", "audiences", json_object_get(claims, "aud"),
	                          "expirationSeconds", exp - (json_int_t)call->core->now_s,
	                          "status", "token", token, "expirationTimestamp", expires);
	if (json_is_object(ref))
		json_set_at(reply, "spec.boundObjectRef", json_deep_copy(ref));
	api_reply_json(call->reply, 201, reply);
	json_decref(reply);
	free(token);
}

static bool request_token(struct api_call *call, struct api_object *account, const json_t *body)
{
	json_t *pod;
	int64_t age_s = json_int_at(body, "spec.expirationSeconds", API_TOKEN_AGE_DEFAULT_S);
	const json_t *ref = json_at(body, "spec.boundObjectRef");
	if (!check_age(call, age_s) || !bind_pod(call, ref, &pod))
		return false;
	json_t *audiences = json_at(body, "spec.audiences");
	audiences = json_array_size(audiences) > 0 ? json_incref(audiences)
	                                           : json_pack("[s]", API_TOKEN_ISSUER);
	json_t *claims = claims_of(call, account, audiences, age_s);
	if (pod != NULL)
		json_object_set_new(json_object_get(claims, "kubernetes.io"), "pod", pod);
	reply_token(call, claims, ref);
	json_decref(claims);
	json_decref(audiences);
	return true;
}

bool api_handle_token_request(struct api_call *call)
{
	struct api_object *account = api_find_object(call);
	if (account == NULL)
		return false;
	json_t *body = api_parse_body(call);
	if (body == NULL)
		return false;
	bool ok = request_token(call, account, body);
	json_decref(body);
	return ok;
}

/* --- TokenReview ------------------------------------------------------------------------------ */

static json_t *user_of(const struct api_user *user)
{
	json_t *result = json_pack("{s:s, s:O}", "username", user->name, "groups", user->groups);
	if (user->uid != NULL)
		json_object_set_new(result, "uid", json_string(user->uid));
	if (user->extra != NULL)
		json_object_set(result, "extra", user->extra);
	return result;
}

static json_t *review(const struct api_core *core, const json_t *spec)
{
	struct err err;
	struct api_user user;
	json_t *audiences;
	const char *token = json_str_at(spec, "token", "");
	if (!api_user_from_token(core, str_from(token), json_object_get(spec, "audiences"), &user,
	                         &audiences, &err))
		return json_pack("{s:{}, s:s}", "user", "error", err.msg);
	json_t *status = json_pack("{s:b, s:o, s:o}", "authenticated", true, "user", user_of(&user),
	                           "audiences", audiences);
	api_user_fini(&user);
	return status;
}

bool api_handle_token_review(struct api_call *call)
{
	json_t *obj = api_decode_body(call);
	if (obj == NULL)
		return false;
	json_t *status = review(call->core, json_object_get(obj, "spec"));
	json_object_set_new(obj, "status", status);
	api_reply_json(call->reply, 201, obj);
	json_decref(obj);
	return true;
}
