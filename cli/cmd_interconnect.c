/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "plan.h"
#include "resources.h"
#include "table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

enum {
	MESSAGE_MAX = 700,
	GATEWAY_PORT = 15443
};

struct interconnect_options {
	struct cli_common common;
	struct options_list address;
	struct options_list accept;
	const char *plan_hash;
	bool dry_run;
};

static_assert(sizeof(struct interconnect_options) <= CLI_SIZE, "fits");

#define ROW(option, type, shown, says, field)                                                      \
	{                                                                                          \
		.name = option, .no_env = true, .kind = type, .arg = shown, .help = says,          \
		.offset = offsetof(struct interconnect_options, field)                             \
	}
#define PLAN_ROWS                                                                                  \
	ROW("dry-run", OPTIONS_BOOL, NULL, "plan only", dry_run),                                  \
		ROW("plan-hash", OPTIONS_TEXT, "HASH",                                             \
	            "only if the plan is still the one with this hash (else exit 8)", plan_hash)

static const struct options_row status_rows[] = {CLI_SERVER_ROWS, CLI_LOOK_ROWS};
static const struct options_row join_rows[] = {
	ROW("address", OPTIONS_HOSTPORTS, "HOST:PORT",
            "address of the group's gateways, in place of their own", address),
	PLAN_ROWS,
	CLI_SERVER_ROWS,
	CLI_LOOK_ROWS,
	CLI_YES_ROW,
};
static const struct options_row leave_rows[] = {
	ROW("accept-loss", OPTIONS_TEXTS, "NS/SERVICE", "a loss that is meant", accept),
	PLAN_ROWS,
	CLI_SERVER_ROWS,
	CLI_LOOK_ROWS,
	CLI_YES_ROW,
};

const struct options_spec cmd_interconnect_status_spec = {
	.program = "fedway interconnect status",
	.about = "Which network groups are joined, and through which addresses. Ends with 3 when "
		 "one that should be joined is not.",
	.rows = status_rows,
	.n_rows = N_ELEMS(status_rows),
};
const struct options_spec cmd_interconnect_join_spec = {
	.program = "fedway interconnect join",
	.operands = "GROUP",
	.about = "Exposes a group's services to the other groups, and shows it theirs.",
	.rows = join_rows,
	.n_rows = N_ELEMS(join_rows),
};
const struct options_spec cmd_interconnect_leave_spec = {
	.program = "fedway interconnect leave",
	.operands = "GROUP",
	.about = "Takes a group out of the interconnect. New connections stop, running ones go on.",
	.rows = leave_rows,
	.n_rows = N_ELEMS(leave_rows),
};

/* --- status ----------------------------------------------------------------------------------- */

static void add_names(struct table *table, const json_t *names)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, MESSAGE_MAX * 4);
	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *entry = json_array_get(names, i);
		buf_add_text(&text, i > 0 ? "," : "");
		if (json_is_string(entry))
			buf_add_text(&text, json_string_value(entry));
		else
			buf_printf(&text, "%s:%lld%s", json_str_at(entry, "address", ""),
			           (long long)json_int_at(entry, "port", 0),
			           json_bool_at(entry, "live", true) ? "" : "(dead)");
	}
	table_cell(table, "%s", text.len > 0 ? buf_text(&text) : "-");
}

static bool add_group(struct table *table, const json_t *group)
{
	bool asked = json_bool_at(group, "spec.interconnect.joined", false);
	bool joined = kube_condition_is_true(group, "Joined");
	table_cell(table, "%s", kube_name(group));
	table_cell(table, "%s", joined ? "Joined" : asked ? "Waiting" : "Outside");
	add_names(table, json_at(group, "status.clusters"));
	add_names(table, json_at(group, "status.gateways"));
	add_names(table, json_at(group, "status.addresses"));
	table_cell(table, "%s",
	           asked && !joined ? json_str_at(kube_condition_find(group, "Joined"), "message",
	                                          "the control plane has not looked yet")
	                            : "");
	return joined || !asked;
}

static int show_groups(const json_t *groups)
{
	static const char *const heads[] = {"GROUP",    "STATE",     "CLUSTERS",
	                                    "GATEWAYS", "ADDRESSES", ""};
	const json_t *items = json_object_get(groups, "items");
	struct table table CLEANUP(table_fini);
	struct buf text CLEANUP(buf_fini);
	bool fine = true;
	buf_init(&text, CLI_TEXT_MAX);
	table_init(&table, N_ELEMS(heads));
	for (size_t i = 0; i < N_ELEMS(heads); i++)
		table_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < json_array_size(items); i++)
		fine &= add_group(&table, json_array_get(items, i));
	table_format(&table, &text);
	look_print(&text);
	return fine ? EXIT_DONE : EXIT_FOUND;
}

int cmd_interconnect_status(void *arg)
{
	const struct cli_common *common = arg;
	struct look look;
	struct err err;
	struct kube_ref ref = {.resource = &cli_group};
	if (!look_make(common, &look, &err))
		return cli_usage("%s", err.msg);
	struct remote *hub = remote_open(common, &err);
	if (hub == NULL)
		return cli_fail(&err);
	json_t *groups CLEANUP(json_cleanup) = remote_list(hub, &ref, NULL, &err);
	remote_close(hub);
	if (groups == NULL)
		return remote_fail(&err);
	if (look.form != LOOK_JSON && look.form != LOOK_YAML)
		return show_groups(groups);
	look_print_json(look, groups);
	return EXIT_DONE;
}

/* --- join and leave --------------------------------------------------------------------------- */

struct progress {
	bool want; /* joined */
	char last[MESSAGE_MAX];
};

static bool see_group(const json_t *group, void *arg)
{
	struct progress *progress = arg;
	const json_t *joined = kube_condition_find(group, "Joined");
	const char *message = json_str_at(joined, "message", "");
	if (group == NULL)
		return true;
	/* a condition of an older generation says nothing about this change */
	if (json_int_at(joined, "observedGeneration", 0) < kube_generation(group))
		return false;
	if (strcmp(message, progress->last) != 0)
		fprintf(stderr, "        %s\n", message);
	snprintf(progress->last, sizeof(progress->last), "%s", message);
	return kube_condition_is_true(group, "Joined") == progress->want;
}

/* Owned: {spec: {interconnect: {joined, addresses}}}. */
static json_t *make_patch(const struct interconnect_options *options, bool join)
{
	json_t *interconnect = json_pack("{sb}", "joined", (int)join);
	json_t *addresses = json_array();
	for (size_t i = 0; i < options->address.n; i++) {
		const char *text = options->address.items[i];
		const char *colon = strrchr(text, ':');
		uint64_t port = GATEWAY_PORT;
		size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
		if (colon != NULL && !str_to_u64(str_from(colon + 1), UINT16_MAX, &port))
			port = GATEWAY_PORT;
		if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
			text++;
			len -= 2;
		}
		json_array_append_new(addresses, json_pack("{ss% sI}", "address", text, len, "port",
		                                           (json_int_t)port));
	}
	if (json_array_size(addresses) > 0)
		json_object_set(interconnect, "addresses", addresses);
	json_decref(addresses);
	return json_pack("{s{so}}", "spec", "interconnect", interconnect);
}

static int change_group(struct remote *hub, const struct interconnect_options *options, bool join)
{
	struct err err;
	struct progress progress = {.want = join};
	struct kube_ref ref = {.resource = &cli_group, .name = options->common.head.args[0]};
	json_t *patch CLEANUP(json_cleanup) = make_patch(options, join);
	json_t *answer CLEANUP(json_cleanup) = remote_patch(hub, &ref, patch, &err);
	if (answer == NULL)
		return remote_fail(&err);
	if (!remote_follow(hub, &ref, (int64_t)options->common.timeout_ms, see_group, &progress,
	                   &err)) {
		fprintf(stderr, "fedway: %s; last seen: %s\n", err.msg, progress.last);
		return EXIT_TIMEOUT;
	}
	cli_done(&options->common, "networkgroup/%s %s the interconnect", ref.name,
	         join ? "joined" : "left");
	fprintf(stderr, "Undo   fedway interconnect %s %s\n", join ? "leave" : "join", ref.name);
	return EXIT_DONE;
}

/* Owned. */
static json_t *make_spec(const struct interconnect_options *options, bool join)
{
	char object[MESSAGE_MAX];
	snprintf(object, sizeof(object), "NetworkGroup/%s", options->common.head.args[0]);
	json_t *spec = json_pack("{ss ss}", "operation",
	                         join ? "InterconnectJoin" : "InterconnectLeave", "object", object);
	json_object_set_new(spec, "acceptLosses", plan_texts(&options->accept));
	json_object_set_new(spec, "addresses", plan_texts(&options->address));
	return spec;
}

static int run(const struct interconnect_options *options, bool join)
{
	struct err err;
	struct plan_wish wish = {.common = &options->common,
	                         .hash = options->plan_hash,
	                         .dry_run = options->dry_run};
	if (options->common.head.n_args != 1)
		return cli_usage("the name of one network group is needed");
	if (!look_make(&options->common, &wish.look, &err))
		return cli_usage("%s", err.msg);
	struct remote *hub = remote_open(&options->common, &err);
	if (hub == NULL)
		return cli_fail(&err);
	json_t *spec CLEANUP(json_cleanup) = make_spec(options, join);
	wish.spec = spec;
	int status = plan_agree(hub, &wish);
	if (status < 0)
		status = change_group(hub, options, join);
	remote_close(hub);
	return status;
}

int cmd_interconnect_join(void *arg)
{
	return run(arg, true);
}

int cmd_interconnect_leave(void *arg)
{
	return run(arg, false);
}
