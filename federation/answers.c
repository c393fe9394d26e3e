/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "model/explain.h"

/* --- RouteExplanation: {spec: {service: "NS/NAME:PORT", from: {cluster}}} -----------------------
 */

static bool find_key(struct mesh *mesh, const json_t *body, struct view_key *ret_key,
                     struct err *err)
{
	const char *name = json_str_at(body, "spec.from.cluster", "");
	const struct mesh_cluster *cluster = mesh_find_cluster(mesh, name);
	if (cluster == NULL)
		return err_set(err, ERR_NOT_FOUND,
		               "spec.from.cluster: the mesh has no cluster '%s'", name);
	const char *locality = json_str_at(body, "spec.from.locality", NULL);
	*ret_key = (struct view_key){
		.network = cluster->network,
		.cluster = cluster->name,
		.locality =
			locality != NULL ? locality_parse(str_from(locality)) : cluster->locality,
		.role = VIEW_GATEWAY,
	};
	return true;
}

static json_t *explain(struct mesh *mesh, const json_t *body, struct err *err)
{
	struct explain_request request;
	struct view_key key;
	char now[32];
	const char *service = json_str_at(body, "spec.service", "");
	if (!explain_parse_service(str_from(service), &request, err) ||
	    !find_key(mesh, body, &key, err))
		return NULL;
	request.subset = str_from(json_str_at(body, "spec.subset", ""));
	struct view *view = view_create(mesh, &key);
	json_t *answer =
		explain_route(view, &request, "", clock_format_rfc3339(clock_wall_s(), now), err);
	view_unref(view);
	return answer;
}

static void refuse_early(struct answer *answer)
{
	struct err err;
	err_set(&err, ERR_UNAVAILABLE, "the control plane is still reading its objects");
	answer_fail(answer, &err);
}

static void on_explain(struct answers *answers, struct answer *answer, const json_t *body)
{
	struct err err;
	struct mesh *mesh = answers->control != NULL ? control_mesh(answers->control) : NULL;
	json_t *obj = mesh != NULL ? explain(mesh, body, &err) : NULL;
	if (obj != NULL)
		answer_reply(answer, obj);
	else if (mesh != NULL)
		answer_fail(answer, &err);
	else
		refuse_early(answer);
}

/* --- those with a file of their own -------------------------------------------------------------
 */

static void on_matrix(struct answers *answers, struct answer *answer, const json_t *body)
{
	if (answers->connectivity != NULL)
		connectivity_answer(answers->connectivity, answer, body);
	else
		refuse_early(answer);
}

static void on_plan(struct answers *answers, struct answer *answer, const json_t *body)
{
	if (answers->plans != NULL)
		plans_answer(answers->plans, answer, body);
	else
		refuse_early(answer);
}

static void on_preflight(struct answers *answers, struct answer *answer, const json_t *body)
{
	if (answers->preflights != NULL)
		preflights_answer(answers->preflights, answer, body);
	else
		refuse_early(answer);
}

const struct answers_kind answers_kinds[N_ANSWERS] = {
	{"routeexplanations", "RouteExplanation", on_explain},
	{"connectivitymatrices", "ConnectivityMatrix", on_matrix},
	{"plans", "Plan", on_plan},
	{"preflights", "Preflight", on_preflight},
};

/* --- on the hosted API --------------------------------------------------------------------------
 */

struct hosted_answer {
	struct answer answer;
	struct api_answer *api;
};

static void finish_hosted(struct answer *answer, json_t *obj, const struct err *err)
{
	struct hosted_answer *hosted = CONTAINER_OF(answer, struct hosted_answer, answer);
	if (obj != NULL)
		api_answer_reply(hosted->api, obj);
	else
		api_answer_fail(hosted->api, err);
	free(hosted);
}

static void ask_hosted(struct api_answer *api, const json_t *body, void *arg)
{
	const struct answers_hosted *kind = arg;
	struct hosted_answer *hosted = xcalloc(1, sizeof(*hosted));
	hosted->answer.finish = finish_hosted;
	hosted->api = api;
	answers_kinds[kind->row].ask(kind->answers, &hosted->answer, body);
}

void answers_add(struct api *api, struct answers *answers)
{
	for (size_t i = 0; i < N_ANSWERS; i++) {
		struct answers_hosted *hosted = &answers->hosted[i];
		hosted->answers = answers;
		hosted->row = i;
		hosted->kind = (struct api_answer_kind){
			.group = ANSWERS_GROUP,
			.version = ANSWERS_VERSION,
			.plural = answers_kinds[i].plural,
			.kind = answers_kinds[i].kind,
			.cb = ask_hosted,
			.arg = hosted,
		};
		api_add_answer(api, &hosted->kind);
	}
}
