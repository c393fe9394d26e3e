/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TokenReview in the member whose token it is, with our audiences. The token is in the request body
 * only, never in a log line.
 */
#include "control_priv.h"

#include "base/alloc.h"
#include "base/json.h"

enum {
	AUDIENCES_MAX = 8
};

static void on_reviewed(json_t *answer, const struct err *err, void *arg)
{
	struct cert_review *review = arg;
	if (err != NULL) {
		cert_review_fail(review, err);
		return;
	}
	const char *audiences[AUDIENCES_MAX];
	size_t n = 0;
	size_t i;
	json_t *item;
	json_array_foreach (json_at(answer, "status.audiences"), i, item) {
		if (n < AUDIENCES_MAX && json_is_string(item))
			audiences[n++] = json_string_value(item);
	}
	const json_t *extra = json_at(answer, "status.user.extra");
	const json_t *pods = json_object_get(extra, "authentication.kubernetes.io/pod-name");
	struct cert_token_review status = {
		.authenticated = json_bool_at(answer, "status.authenticated", false),
		.audiences = audiences,
		.n_audiences = n,
		.username = json_str_at(answer, "status.user.username", ""),
		.pod_name = json_string_value(json_array_get(pods, 0)),
		.error = json_str_at(answer, "status.error", NULL),
	};
	cert_review_done(review, &status);
}

void control_review(struct cert_review *review, const char *cluster, const char *token, void *arg)
{
	struct control *control = arg;
	const struct member *member = world_member(&control->world, cluster);
	struct kube_client *client = member != NULL ? control_member_client(member) : NULL;
	if (client == NULL) {
		struct err err;
		err_set(&err, ERR_UNAVAILABLE, "cluster '%s' cannot be asked about its token",
		        cluster);
		cert_review_fail(review, &err);
		return;
	}
	json_t *body =
		json_pack("{ss ss s{ss s[ss]}}", "apiVersion", "authentication.k8s.io/v1", "kind",
	                  "TokenReview", "spec", "token", token, "audiences", "fedway", "istio-ca");
	struct kube_ref ref = {.resource = &KUBE_TOKEN_REVIEWS};
	kube_client_create_object(client, &ref, body, on_reviewed, review);
	json_decref(body);
}
