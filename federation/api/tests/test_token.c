/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"
#include "token.h"

#include "certs/api_ca.h"
#include "certs/key.h"

#define TOKENS  "/api/v1/namespaces/default/serviceaccounts/default/token"
#define REVIEWS "/apis/authentication.k8s.io/v1/tokenreviews"

static struct api_tokens *make_tokens(void)
{
	struct err err;
	struct buf key;
	EVP_PKEY *made = cert_key_create();
	buf_init(&key, CERT_PEM_MAX);
	cert_key_encode(made, &key);
	EVP_PKEY_free(made);
	struct api_tokens *tokens = api_tokens_create(buf_str(&key), &err);
	assert_non_null(tokens);
	buf_fini(&key);
	return tokens;
}

static json_t *review(struct api_core *core, const char *token, const char *audiences, bool ok)
{
	char *body = xasprintf("{'spec':{'token':'%s','audiences':%s}}", token, audiences);
	json_t *reply = ask_for(
		core, &(struct ask){.method = API_POST, .path = REVIEWS, .body = body}, 201);
	json_t *status = json_incref(json_object_get(reply, "status"));
	assert_int_equal(json_bool_at(status, "authenticated", false), ok);
	json_decref(reply);
	free(body);
	return status;
}

static char *request(struct api_core *core, const char *spec)
{
	char *body = xasprintf("{'spec':%s}", spec);
	json_t *reply =
		ask_for(core, &(struct ask){.method = API_POST, .path = TOKENS, .body = body}, 201);
	char *token = xstrdup(json_str_at(reply, "status.token", ""));
	json_decref(reply);
	free(body);
	return token;
}

static void a_token_speaks_for_its_account(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	struct api_tokens *tokens = make_tokens();
	core.tokens = tokens;
	char *token = request(&core, "{'audiences':['fedway','x'],'expirationSeconds':600}");
	json_t *status = review(&core, token, "['fedway','istio-ca']", true);
	assert_at(status, "audiences", "['fedway']");
	assert_at(status, "user.username", "'system:serviceaccount:default:default'");
	assert_at(status, "user.groups",
	          "['system:serviceaccounts','system:serviceaccounts:default',"
	          "'system:authenticated']");
	json_decref(status);
	status = review(&core, token, "['istio-ca']", false);
	assert_non_null(strstr(json_str_at(status, "error", ""), "audiences"));
	json_decref(status);
	core.now_s += 600;
	json_decref(review(&core, token, "['fedway']", false));
	core.now_s -= 600;
	ask_only(&core, API_DELETE, "/api/v1/namespaces/default/serviceaccounts/default", NULL,
	         200);
	json_decref(review(&core, token, "['fedway']", false));
	free(token);
	api_tokens_destroy(tokens);
	api_core_fini(&core);
}

static void a_token_bound_to_a_pod_dies_with_it(void **state)
{
	(void)state;
	struct api_core core;
	core_start(&core);
	struct api_tokens *tokens = make_tokens();
	core.tokens = tokens;
	ask_only(&core, API_POST, "/api/v1/namespaces/default/pods",
	         "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'c'}]}}", 201);
	char *token =
		request(&core, "{'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'p'}}");
	json_t *status = review(&core, token, "[]", true);
	const json_t *extra = json_at(status, "user.extra");
	assert_string_equal(
		json_string_value(json_array_get(
			json_object_get(extra, "authentication.kubernetes.io/pod-name"), 0)),
		"p");
	json_decref(status);
	ask_only(&core, API_DELETE, "/api/v1/namespaces/default/pods/p", NULL, 200);
	json_decref(review(&core, token, "[]", false));
	ask_only(&core, API_POST, TOKENS,
	         "{'spec':{'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'p'}}}", 404);
	ask_only(&core, API_POST, TOKENS, "{'spec':{'expirationSeconds':5}}", 422);
	free(token);
	api_tokens_destroy(tokens);
	api_core_fini(&core);
}

static void forged_tokens_are_refused(void **state)
{
	(void)state;
	struct err err;
	struct api_tokens *tokens = make_tokens();
	struct api_tokens *others = make_tokens();
	json_t *claims =
		json_pack("{s:s, s:i, s:[s]}", "iss", API_TOKEN_ISSUER, "exp", 2000, "aud", "a");
	char *token = api_token_sign(tokens, claims);
	json_t *back = api_token_verify(tokens, str_from(token), 1000, &err);
	assert_true(json_equal(back, claims));
	json_decref(back);
	assert_null(api_token_verify(others, str_from(token), 1000, &err));
	assert_int_equal(err.code, ERR_UNAUTHORIZED);
	assert_null(api_token_verify(tokens, str_from(token), 2000, &err));
	for (size_t cut = 0; cut < strlen(token); cut++)
		assert_null(api_token_verify(tokens, str_make(token, cut), 1000, &err));
	for (size_t at = 0; token[at] != '\0'; at++) {
		char before = token[at];
		token[at] = before == 'A' ? 'B' : 'A';
		back = api_token_verify(tokens, str_from(token), 1000, &err);
		/* The last character's low bits are not all significant. */
		if (back != NULL)
			assert_int_equal(token[at + 1], '\0');
		json_decref(back);
		token[at] = before;
	}
	/* {"alg":"none"} */
	assert_null(api_token_verify(tokens, STR_LIT("eyJhbGciOiJub25lIn0.e30."), 1000, &err));
	free(token);
	json_decref(claims);
	api_tokens_destroy(tokens);
	api_tokens_destroy(others);
}

static void bearer_tokens_decide_who_asks(void **state)
{
	(void)state;
	struct err err;
	struct api_user user;
	struct api_core core;
	core_start(&core);
	core.admin_token = xstrdup("0123456789abcdef");
	assert_true(api_authenticate(&core, "Bearer 0123456789abcdef", NULL, &user, &err));
	assert_true(api_user_has_group(&user, API_ADMIN_GROUP));
	api_user_fini(&user);
	assert_false(api_authenticate(&core, "Bearer wrong", NULL, &user, &err));
	assert_int_equal(err.code, ERR_UNAUTHORIZED);
	assert_true(api_authenticate(&core, "", NULL, &user, &err));
	assert_string_equal(user.name, "system:anonymous");
	api_user_fini(&user);
	api_core_fini(&core);
}

static void certificates_name_user_and_groups(void **state)
{
	(void)state;
	static const char *const groups[] = {"system:masters", "dev"};
	struct err err;
	struct api_user user;
	struct buf cert;
	struct buf key;
	struct cert_api_user alice = {.name = "alice", .groups = groups, .n_groups = 2};
	struct cert_ca *ca = cert_api_ca_create("ca", 3600, NOW_S);
	buf_init(&cert, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	assert_true(cert_api_ca_issue_client(ca, &alice, NOW_S, &cert, &key, &err));
	STACK_OF(X509) *chain = cert_x509_decode_all(buf_str(&cert), &err);
	assert_true(api_user_from_chain(chain, &user));
	assert_string_equal(user.name, "alice");
	assert_true(api_user_has_group(&user, "system:masters"));
	assert_true(api_user_has_group(&user, "dev"));
	assert_true(api_user_has_group(&user, "system:authenticated"));
	api_user_fini(&user);
	cert_x509_stack_free(chain);
	cert_ca_destroy(ca);
	buf_fini(&cert);
	buf_fini(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_speaks_for_its_account),
		cmocka_unit_test(a_token_bound_to_a_pod_dies_with_it),
		cmocka_unit_test(forged_tokens_are_refused),
		cmocka_unit_test(bearer_tokens_decide_who_asks),
		cmocka_unit_test(certificates_name_user_and_groups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
