/* SPDX-License-Identifier: Apache-2.0 */
#include "gather.h"
#include "plans.h"

#include "base/alloc.h"
#include "base/list.h"
#include "model/plan.h"

static const struct kube_resource resources[] = {
	{"fedway.io", "v1alpha1", "clusters", "Cluster", false},
	{"fedway.io", "v1alpha1", "networkgroups", "NetworkGroup", false},
	{"fedway.io", "v1alpha1", "eastwestgateways", "EastWestGateway", false},
	{"fedway.io", "v1alpha1", "meshservices", "MeshService", true},
};

struct plans {
	struct kube_client *api;
	struct list asked;
	size_t n_asked;
};

/* One plan in the making. */
struct asked {
	struct list link;
	struct plans *plans;
	struct answer *answer;
	json_t *spec;
	struct gather *gather;
};

struct plans *plans_create(struct kube_client *api)
{
	struct plans *plans = xcalloc(1, sizeof(*plans));
	plans->api = api;
	list_init(&plans->asked);
	return plans;
}

static void asked_free(struct asked *asked)
{
	list_remove(&asked->link);
	asked->plans->n_asked--;
	gather_destroy(asked->gather);
	json_decref(asked->spec);
	free(asked);
}

void plans_destroy(struct plans *plans)
{
	struct err err;
	if (plans == NULL)
		return;
	err_set(&err, ERR_UNAVAILABLE, "the control plane stops");
	list_for_each_safe (it, &plans->asked) {
		struct asked *asked = LIST_ENTRY(it, struct asked, link);
		answer_fail(asked->answer, &err);
		asked_free(asked);
	}
	free(plans);
}

static void on_objects(void *arg)
{
	struct asked *asked = arg;
	struct err err;
	const struct err *failed = gather_err(asked->gather);
	struct plan_input input = {
		.clusters = gather_at(asked->gather, 0)->value,
		.groups = gather_at(asked->gather, 1)->value,
		.gateways = gather_at(asked->gather, 2)->value,
		.services = gather_at(asked->gather, 3)->value,
	};
	json_t *plan = failed == NULL ? plan_make(&input, asked->spec, &err) : NULL;
	if (plan != NULL)
		answer_reply(asked->answer, plan);
	else
		answer_fail(asked->answer, failed != NULL ? failed : &err);
	asked_free(asked);
}

void plans_answer(struct plans *plans, struct answer *answer, const json_t *body)
{
	struct err err;
	if (plans->n_asked == PLANS_MAX) {
		err_set(&err, ERR_TOO_MANY, "%d other plans are being made", PLANS_MAX);
		answer_fail(answer, &err);
		return;
	}
	struct asked *asked = xcalloc(1, sizeof(*asked));
	list_init(&asked->link);
	list_append(&plans->asked, &asked->link);
	plans->n_asked++;
	asked->plans = plans;
	asked->answer = answer;
	asked->spec = json_incref(json_object_get(body, "spec"));
	asked->gather = gather_create(N_ELEMS(resources), on_objects, asked);
	for (size_t i = 0; i < N_ELEMS(resources); i++)
		gather_list(asked->gather, i, plans->api, &resources[i]);
}
