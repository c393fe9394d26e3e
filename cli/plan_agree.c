/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"
#include "command.h"
#include "objects.h"
#include "plan.h"

#include <stdio.h>
#include <string.h>

/* Owned; NULL with err. */
static json_t *make_here(struct remote *hub, const json_t *spec, struct err *err)
{
	struct objects CLEANUP(objects_fini) objects = {0};
	if (!objects_load(&objects, hub, err))
		return NULL;
	struct plan_input input = {.clusters = objects.clusters,
	                           .groups = objects.groups,
	                           .gateways = objects.gateways,
	                           .services = objects.services};
	return plan_make(&input, spec, err);
}

static json_t *ask(struct remote *hub, const json_t *wished, const char *hash, struct err *err)
{
	json_t *spec CLEANUP(json_cleanup) = json_deep_copy(wished);
	if (hash != NULL)
		json_object_set_new(spec, "hash", json_string(hash));
	json_t *plan = answers_ask(hub, "plans", "Plan", json_incref(spec), err);
	if (plan == NULL && err->code == ERR_NOT_ACCEPTABLE)
		plan = make_here(hub, spec, err);
	return plan;
}

static void show(const json_t *plan, struct look look)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, CLI_TEXT_MAX);
	plan_format(plan, look, &text);
	if (look.form == LOOK_JSON || look.form == LOOK_YAML)
		look_print_json(look, plan);
	else
		fputs(buf_text(&text), stderr);
}

static void refuse(const json_t *plan)
{
	const char *operation = json_str_at(plan, "operation", "");
	bool leaves =
		strcmp(operation, "Leave") == 0 || strcmp(operation, "InterconnectLeave") == 0;
	fprintf(stderr, "\nRefused: something %s; nothing was changed.\n",
	        leaves ? "would be lost" : "is missing");
	if (leaves)
		fputs("Accept a loss with --accept-loss=OBJECT, if it is meant.\n", stderr);
}

/* The world may have changed while the user was thinking. */
static int ask_again(struct remote *hub, const struct plan_wish *wish, const json_t *shown)
{
	struct err err;
	if (wish->common->yes)
		return -1;
	json_t *plan CLEANUP(json_cleanup) =
		ask(hub, wish->spec, json_str_at(shown, "hash", ""), &err);
	return plan != NULL ? -1 : remote_fail(&err);
}

int plan_agree(struct remote *hub, const struct plan_wish *wish)
{
	struct err err;
	json_t *plan CLEANUP(json_cleanup) = ask(hub, wish->spec, wish->hash, &err);
	if (plan == NULL)
		return remote_fail(&err);
	show(plan, wish->look);
	if (plan_n_losses(plan) > 0) {
		refuse(plan);
		return EXIT_REFUSED;
	}
	if (wish->dry_run)
		return EXIT_DONE;
	int status = cli_confirm(wish->common, "Proceed?");
	return status >= 0 ? status : ask_again(hub, wish, plan);
}

json_t *plan_texts(const struct options_list *list)
{
	json_t *texts = json_array();
	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(texts, json_string(list->items[i]));
	return texts;
}
