/* SPDX-License-Identifier: Apache-2.0 */
#include "auth.h"

#include "core.h"
#include "token.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "certs/api_ca.h"

/* --- certificates ----------------------------------------------------------------------------- */

static void add_group(const char *group, void *arg)
{
	json_array_append_new(arg, json_string(group));
}

bool api_user_from_chain(STACK_OF(X509) * chain, struct api_user *ret_user)
{
	char name[256];
	json_t *groups = json_array();
	if (!cert_api_user_of_chain(chain, name, add_group, groups)) {
		json_decref(groups);
		return false;
	}
	json_array_append_new(groups, json_string("system:authenticated"));
	*ret_user = (struct api_user){.name = xstrdup(name), .groups = groups};
	return true;
}

void api_user_anonymous(struct api_user *ret_user)
{
	*ret_user = (struct api_user){
		.name = xstrdup("system:anonymous"),
		.groups = json_pack("[s]", "system:unauthenticated"),
	};
}

/* --- tokens ----------------------------------------------------------------------------------- */

static bool is_admin_token(const struct api_core *core, struct str token)
{
	return core->admin_token != NULL && token.len == strlen(core->admin_token) &&
	       CRYPTO_memcmp(core->admin_token, token.ptr, token.len) == 0;
}

static void set_admin(struct api_user *ret_user)
{
	*ret_user = (struct api_user){
		.name = xstrdup("admin"),
		.groups = json_pack("[s, s]", API_ADMIN_GROUP, "system:authenticated"),
	};
}

/* What a token is bound to must still be there, and the same. */
static bool is_alive(const struct api_core *core, const char *plural, const char *namespace_,
                     const json_t *ref)
{
	const struct api_resource *resource = api_kinds_find(&core->kinds, "", plural);
	struct api_object *object =
		api_index_find(&resource->index, namespace_, json_str_at(ref, "name", ""));
	return object != NULL &&
	       strcmp(api_object_uid(object), json_str_at(ref, "uid", "?")) == 0 &&
	       !api_object_is_deleting(object);
}

static json_t *intersect(const json_t *wanted, const json_t *have)
{
	json_t *both = json_array();
	for (size_t i = 0; i < json_array_size(wanted); i++) {
		for (size_t j = 0; j < json_array_size(have); j++) {
			if (json_equal(json_array_get(wanted, i), json_array_get(have, j)))
				json_array_append(both, json_array_get(wanted, i));
		}
	}
	return both;
}

static void set_account(const json_t *claims, struct api_user *ret_user)
{
	const json_t *bound = json_object_get(claims, "kubernetes.io");
	const char *namespace_ = json_str_at(bound, "namespace", "");
	const json_t *pod = json_object_get(bound, "pod");
	char *group = xasprintf("system:serviceaccounts:%s", namespace_);
	char *id = xasprintf("JTI=%s", json_str_at(claims, "jti", ""));
	*ret_user = (struct api_user){
		.name = xasprintf("system:serviceaccount:%s:%s", namespace_,
	                          json_str_at(bound, "serviceaccount.name", "")),
		.uid = xstrdup(json_str_at(bound, "serviceaccount.uid", "")),
		.groups = json_pack("[s, s, s]", "system:serviceaccounts", group,
	                            "system:authenticated"),
		.extra = json_pack("{s:[s]}", "authentication.kubernetes.io/credential-id", id),
	};
	if (pod != NULL) {
		json_object_set_new(ret_user->extra, "authentication.kubernetes.io/pod-name",
		                    json_pack("[s]", json_str_at(pod, "name", "")));
		json_object_set_new(ret_user->extra, "authentication.kubernetes.io/pod-uid",
		                    json_pack("[s]", json_str_at(pod, "uid", "")));
	}
	free(group);
	free(id);
}

static bool check_bound(const struct api_core *core, const json_t *claims, struct err *err)
{
	const json_t *bound = json_object_get(claims, "kubernetes.io");
	const char *namespace_ = json_str_at(bound, "namespace", "");
	const json_t *pod = json_object_get(bound, "pod");
	if (!is_alive(core, "serviceaccounts", namespace_,
	              json_object_get(bound, "serviceaccount")))
		return err_set(err, ERR_UNAUTHORIZED,
		               "invalid bearer token, service account has been deleted");
	if (pod != NULL && !is_alive(core, "pods", namespace_, pod))
		return err_set(err, ERR_UNAUTHORIZED, "invalid bearer token, pod has been deleted");
	return true;
}

static json_t *audiences_or_own(const json_t *audiences)
{
	if (json_array_size(audiences) > 0)
		return json_deep_copy(audiences);
	return json_pack("[s]", API_TOKEN_ISSUER);
}

bool api_user_from_token(const struct api_core *core, struct str token, const json_t *audiences,
                         struct api_user *ret_user, json_t **ret_audiences, struct err *err)
{
	json_t *wanted CLEANUP(json_cleanup) = audiences_or_own(audiences);
	if (is_admin_token(core, token)) {
		json_t *own = json_pack("[s]", API_TOKEN_ISSUER);
		*ret_audiences = intersect(wanted, own);
		json_decref(own);
		if (json_array_size(*ret_audiences) > 0) {
			set_admin(ret_user);
			return true;
		}
		json_decref(*ret_audiences);
		return err_set(err, ERR_UNAUTHORIZED, "invalid bearer token");
	}
	if (core->tokens == NULL)
		return err_set(err, ERR_UNAUTHORIZED, "invalid bearer token");
	json_t *claims CLEANUP(json_cleanup) =
		api_token_verify(core->tokens, token, core->now_s, err);
	if (claims == NULL || !check_bound(core, claims, err))
		return false;
	json_t *both = intersect(wanted, json_object_get(claims, "aud"));
	if (json_array_size(both) == 0) {
		json_decref(both);
		return err_set(err, ERR_UNAUTHORIZED,
		               "invalid bearer token, token audiences are invalid for the target "
		               "audiences");
	}
	set_account(claims, ret_user);
	*ret_audiences = both;
	return true;
}

bool api_authenticate(const struct api_core *core, const char *authorization,
                      STACK_OF(X509) * chain, struct api_user *ret_user, struct err *err)
{
	static const char scheme[] = "bearer ";
	if (strncasecmp(authorization, scheme, sizeof(scheme) - 1) == 0) {
		json_t *audiences;
		struct str token = str_trim(str_from(authorization + sizeof(scheme) - 1));
		if (!api_user_from_token(core, token, NULL, ret_user, &audiences, err))
			return false;
		json_decref(audiences);
		return true;
	}
	if (chain == NULL) {
		api_user_anonymous(ret_user);
		return true;
	}
	return api_user_from_chain(chain, ret_user) ||
	       err_set(err, ERR_UNAUTHORIZED, "the certificate has no common name");
}
