/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TokenReview in the member whose token it is, with our audiences. The token is in the request body
 * only, never in a log line. A member that does not answer keeps only so many waiting that others
 * are not kept from asking theirs.
 */
#include "control_priv.h"

#include "base/alloc.h"
#include "base/json.h"

enum {
	AUDIENCES_MAX = 8,
	REVIEWS_MAX = 32 /* under way in one member */
};

/* One review under way. */
struct asked {
	struct list link;
	struct cert_review *review;
	struct kube_call *call;
	const struct kube_client *client;
};

static void on_reviewed(json_t *answer, const struct err *err, void *arg)
{
	struct asked *asked = arg;
	struct cert_review *review = asked->review;
	list_remove(&asked->link);
	free(asked);
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

static size_t count(const struct control *control, const struct kube_client *client)
{
	size_t n = 0;
	list_for_each (it, &control->reviews)
		n += LIST_ENTRY(it, struct asked, link)->client == client ? 1 : 0;
	return n;
}

static struct kube_client *find_client(const struct control *control, const char *cluster,
                                       struct err *err)
{
	const struct member *member = world_member(&control->world, cluster);
	struct kube_client *client = member != NULL ? control_member_client(member) : NULL;
	if (client == NULL)
		err_set(err, ERR_UNAVAILABLE, "cluster '%s' cannot be asked about its token",
		        cluster);
	else if (count(control, client) >= REVIEWS_MAX)
		err_set(err, ERR_TOO_MANY, "cluster '%s' has %d other tokens to review first",
		        cluster, REVIEWS_MAX);
	else
		return client;
	return NULL;
}

void control_review(struct cert_review *review, const char *cluster, const char *token, void *arg)
{
	struct control *control = arg;
	struct err err;
	struct kube_client *client = find_client(control, cluster, &err);
	if (client == NULL) {
		cert_review_fail(review, &err);
		return;
	}
	struct asked *asked = xcalloc(1, sizeof(*asked));
	list_init(&asked->link);
	list_append(&control->reviews, &asked->link);
	asked->review = review;
	asked->client = client;
	json_t *body =
		json_pack("{ss ss s{ss s[ss]}}", "apiVersion", "authentication.k8s.io/v1", "kind",
	                  "TokenReview", "spec", "token", token, "audiences", "fedway", "istio-ca");
	struct kube_ref ref = {.resource = &KUBE_TOKEN_REVIEWS};
	asked->call = kube_client_create_object(client, &ref, body, on_reviewed, asked);
	json_decref(body);
}

void control_reviews_end(struct control *control, const struct kube_client *client)
{
	struct err err;
	err_set(&err, ERR_UNAVAILABLE, "the control plane no longer follows it");
	list_for_each_safe (it, &control->reviews) {
		struct asked *asked = LIST_ENTRY(it, struct asked, link);
		if (client != NULL && asked->client != client)
			continue;
		list_remove(&asked->link);
		kube_call_cancel(asked->call);
		cert_review_fail(asked->review, &err);
		free(asked);
	}
}
