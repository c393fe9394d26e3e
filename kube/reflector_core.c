/* SPDX-License-Identifier: Apache-2.0 */
#include "reflector_core_priv.h"

#include <string.h>

#include "base/json.h"
#include "base/macros.h"
#include "kube/meta.h"
#include "kube/status.h"

/* --- what the stream brings ------------------------------------------------------------------- */

/* One bad object harms itself only. */
static void count_bad(struct reflector_core *core)
{
	core->status.bad++;
}

static bool on_item(struct str text, void *arg, struct err *err)
{
	struct reflector_core *core = arg;
	struct err why;
	json_t *obj CLEANUP(json_cleanup) = json_parse(text, &why);

	if (obj == NULL)
		return err_set(err, ERR_PROTOCOL, "an item of the list: %.300s", why.msg);
	kube_managed_fields_drop(obj);
	if (reflector_store_stage(&core->store, obj, &why))
		return true;
	if (why.code == ERR_TOO_LARGE) {
		*err = why;
		return false;
	}
	count_bad(core);
	return true;
}

static void saw_version(struct reflector_core *core, const json_t *obj)
{
	struct reflector_input input = {.kind = REFLECTOR_ON_EVENT,
	                                .rv = str_from(kube_resource_version(obj))};

	reflector_machine_step(&core->machine, &input);
}

static bool on_change(struct reflector_core *core, json_t *obj, bool deleted)
{
	struct err why;

	kube_managed_fields_drop(obj);
	saw_version(core, obj);
	core->status.events++;
	if (deleted ? reflector_store_remove(&core->store, obj, &why)
	            : reflector_store_put(&core->store, obj, &why))
		return true;
	count_bad(core);
	return true;
}

static bool on_event(struct reflector_core *core, const char *type, json_t *obj, struct err *err)
{
	if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
		return on_change(core, obj, false);
	if (strcmp(type, "DELETED") == 0)
		return on_change(core, obj, true);
	if (strcmp(type, "BOOKMARK") == 0)
		saw_version(core, obj);
	else if (strcmp(type, "ERROR") == 0)
		return kube_status_to_err(obj, 0, err);
	else
		count_bad(core);
	return true;
}

static bool on_line(struct str text, void *arg, struct err *err)
{
	struct reflector_core *core = arg;
	struct err why;

	if (core->machine.state != REFLECTOR_WATCH)
		return err_set(err, ERR_UNAVAILABLE, "stopped");
	json_t *line CLEANUP(json_cleanup) = json_parse(text, &why);
	json_t *obj = json_object_get(line, "object");

	if (!json_is_object(obj))
		return err_set(err, ERR_PROTOCOL, "a line of the watch is no event: %.300s",
		               line == NULL ? why.msg : "it has no 'object'");
	return on_event(core, json_str_at(line, "type", ""), obj, err);
}

/* --- life ------------------------------------------------------------------------------------- */

void reflector_core_init(struct reflector_core *core, bool keys_only,
                         const struct reflector_handlers *handlers)
{
	*core = (struct reflector_core){.handlers = *handlers};
	reflector_machine_init(&core->machine);
	reflector_store_init(&core->store, keys_only, &core->handlers);
	split_list_init(&core->list, on_item, core);
	split_lines_init(&core->lines, on_line, core);
}

void reflector_core_fini(struct reflector_core *core)
{
	reflector_machine_fini(&core->machine);
	reflector_store_fini(&core->store);
	split_list_fini(&core->list);
	split_lines_fini(&core->lines);
}

static void tell_status(struct reflector_core *core)
{
	if (core->handlers.on_status != NULL)
		core->handlers.on_status(core->handlers.arg);
}

static void note_contact(struct reflector_core *core, int64_t now_ms)
{
	bool was_reachable = core->status.reachable;

	core->status.contact_ms = now_ms;
	core->status.reachable = true;
	core->error = (struct err){0};
	if (!was_reachable)
		tell_status(core);
}

/* Of a list only a page's end is a sign of life: half an answer, or a login page, is none. */
void reflector_core_contact(struct reflector_core *core, int64_t now_ms)
{
	if (core->machine.state != REFLECTOR_LIST)
		note_contact(core, now_ms);
}

/* An expired version is an answer like others. */
static void note_failure(struct reflector_core *core, const struct reflector_outcome *outcome)
{
	if (outcome->err == NULL || outcome->err->code == ERR_EXPIRED || outcome->rv_too_large)
		return;
	core->error = *outcome->err;
	core->status.error_code = outcome->err->code;
	core->status.reachable = false;
}

/* --- steps ------------------------------------------------------------------------------------ */

static void begin_reading(struct reflector_core *core, const struct reflector_action *action)
{
	if (action->what == REFLECTOR_DO_LIST) {
		split_list_fini(&core->list);
		split_list_init(&core->list, on_item, core);
	}
	if (action->what == REFLECTOR_DO_WATCH) {
		split_lines_fini(&core->lines);
		split_lines_init(&core->lines, on_line, core);
		core->status.watches++;
	}
}

static void apply(struct reflector_core *core)
{
	core->status.lists++;
	core->status.synced = true;
	reflector_store_apply(&core->store, core->machine.went_back);
	if (core->handlers.on_synced != NULL)
		core->handlers.on_synced(core->handlers.arg);
}

static struct reflector_action step(struct reflector_core *core, struct reflector_input *input,
                                    struct reflector_moment at)
{
	uint64_t turn = ++core->turn;

	input->now_ms = at.now_ms;
	input->chance = at.chance;
	struct reflector_action action = reflector_machine_step(&core->machine, input);

	if (action.forget)
		reflector_store_forget(&core->store);
	begin_reading(core, &action);
	if (action.apply)
		apply(core);
	if (core->turn != turn)
		return (struct reflector_action){.what = REFLECTOR_DO_NOTHING};
	return action;
}

struct reflector_action reflector_core_start(struct reflector_core *core,
                                             struct reflector_moment at)
{
	struct reflector_input input = {.kind = REFLECTOR_ON_START};

	return step(core, &input, at);
}

struct reflector_action reflector_core_timer(struct reflector_core *core,
                                             struct reflector_moment at)
{
	struct reflector_input input = {.kind = REFLECTOR_ON_TIMER};

	return step(core, &input, at);
}

void reflector_core_stop(struct reflector_core *core)
{
	struct reflector_input input = {.kind = REFLECTOR_ON_STOP};

	IGNORE(step(core, &input, (struct reflector_moment){0}).apply); /* it wants nothing */
}

bool reflector_core_is_asking(const struct reflector_core *core)
{
	return core->machine.state == REFLECTOR_LIST || core->machine.state == REFLECTOR_WATCH;
}

bool reflector_core_data(struct reflector_core *core, struct str data, struct err *err)
{
	if (core->machine.state == REFLECTOR_LIST)
		return split_list_feed(&core->list, data, err);
	return split_lines_feed(&core->lines, data, err);
}

static struct reflector_action fail(struct reflector_core *core,
                                    const struct reflector_outcome *outcome,
                                    struct reflector_moment at)
{
	struct reflector_input input = {.kind = REFLECTOR_ON_FAIL,
	                                .code = outcome->err->code,
	                                .rv_too_large = outcome->rv_too_large,
	                                .retry_after_ms = outcome->retry_after_ms};

	note_failure(core, outcome);
	struct reflector_action action = step(core, &input, at);
	uint64_t turn = core->turn;

	tell_status(core);
	if (core->turn != turn)
		return (struct reflector_action){.what = REFLECTOR_DO_NOTHING};
	return action;
}

static struct reflector_action end_page(struct reflector_core *core, struct reflector_moment at)
{
	struct err err;
	json_t *frame CLEANUP(json_cleanup) = split_list_end(&core->list, &err);
	const char *cont = json_str_at(frame, "metadata.continue", "");

	if (frame != NULL && strlen(cont) > REFLECTOR_CONTINUE_MAX) {
		err_set(&err, ERR_PROTOCOL, "the list's continue token has more than %d bytes",
		        REFLECTOR_CONTINUE_MAX);
		cont = NULL;
	}
	if (frame == NULL || cont == NULL) {
		struct reflector_outcome outcome = {.err = &err};

		return fail(core, &outcome, at);
	}
	uint64_t turn = core->turn;

	note_contact(core, at.now_ms);
	if (core->turn != turn)
		return (struct reflector_action){.what = REFLECTOR_DO_NOTHING};
	struct reflector_input input = {
		.kind = REFLECTOR_ON_PAGE,
		.rv = str_from(json_str_at(frame, "metadata.resourceVersion", "")),
		.cont = str_from(cont)};

	return step(core, &input, at);
}

struct reflector_action reflector_core_done(struct reflector_core *core,
                                            const struct reflector_outcome *outcome,
                                            struct reflector_moment at)
{
	struct reflector_input end = {.kind = REFLECTOR_ON_END};

	if (outcome->err != NULL)
		return fail(core, outcome, at);
	if (core->machine.state == REFLECTOR_LIST)
		return end_page(core, at);
	/* A line that was cut is sent again by the next watch, as its version was not seen. */
	return step(core, &end, at);
}
