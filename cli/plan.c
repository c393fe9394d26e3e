/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "kube/meta.h"

enum {
	TEXT_MAX = 600
};

static json_t *start(const char *operation, const char *kind, const char *name)
{
	char object[TEXT_MAX];
	snprintf(object, sizeof(object), "%s/%s", kind, name);
	return json_pack("{ss ss ss ss s[] s[]}", "apiVersion", "answers.fedway.io/v1alpha1",
	                 "kind", "Plan", "operation", operation, "object", object, "changes",
	                 "losses");
}

static void change(json_t *plan, const char *where, const char *action, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void change(json_t *plan, const char *where, const char *action, const char *fmt, ...)
{
	char what[TEXT_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	json_array_append_new(
		json_object_get(plan, "changes"),
		json_pack("{ss ss ss}", "where", where, "action", action, "what", what));
}

static void lose(json_t *plan, const char *code, const char *object, const char *message,
                 const struct options_list *accepted)
{
	for (size_t i = 0; accepted != NULL && i < accepted->n; i++) {
		if (strcmp(accepted->items[i], object) == 0)
			return;
	}
	json_array_append_new(
		json_object_get(plan, "losses"),
		json_pack("{ss ss ss}", "code", code, "object", object, "message", message));
}

const json_t *plan_find(const json_t *list, const char *name)
{
	const json_t *items = json_object_get(list, "items");
	for (size_t i = 0; i < json_array_size(items); i++) {
		if (strcmp(kube_name(json_array_get(items, i)), name) == 0)
			return json_array_get(items, i);
	}
	return NULL;
}

static bool is_joined(const json_t *group)
{
	return json_bool_at(group, "spec.interconnect.joined", false);
}

static const char *group_of(const struct plan_input *input, const char *cluster)
{
	return json_str_at(plan_find(input->clusters, cluster), "spec.networkGroup", "");
}

/* --- a cluster leaves ------------------------------------------------------------------------- */

static size_t count_clusters(const struct plan_input *input, const char *group, const char *except)
{
	const json_t *items = json_object_get(input->clusters, "items");
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *obj = json_array_get(items, i);
		n += strcmp(json_str_at(obj, "spec.networkGroup", ""), group) == 0 &&
		     strcmp(kube_name(obj), except) != 0 && !kube_is_deleting(obj);
	}
	return n;
}

/* Gateways of a group, those of one cluster apart. */
static size_t count_gateways(const struct plan_input *input, const char *group, const char *cluster,
                             size_t *ret_own)
{
	const json_t *items = json_object_get(input->gateways, "items");
	size_t others = 0;
	*ret_own = 0;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const char *at = json_str_at(json_array_get(items, i), "spec.cluster", "");
		if (strcmp(at, cluster) == 0)
			(*ret_own)++;
		else
			others += strcmp(group_of(input, at), group) == 0;
	}
	return others;
}

static void lose_group(json_t *plan, const struct plan_input *input, const char *cluster,
                       const struct options_list *accepted)
{
	const char *group = group_of(input, cluster);
	char object[TEXT_MAX];
	char text[TEXT_MAX];
	size_t own;
	if (!is_joined(plan_find(input->groups, group)))
		return;
	if (count_clusters(input, group, cluster) == 0) {
		snprintf(object, sizeof(object), "cluster/%s", group);
		snprintf(text, sizeof(text),
		         "is the last cluster of %s, which is interconnected; first: fedway "
		         "interconnect leave %s",
		         group, group);
		lose(plan, "FED-221", object, text, NULL);
	} else if (count_gateways(input, group, cluster, &own) == 0 && own > 0) {
		snprintf(object, sizeof(object), "gateway/%s", group);
		snprintf(text, sizeof(text),
		         "has the only gateway of %s, which is interconnected and keeps other "
		         "clusters",
		         group);
		lose(plan, "FED-221", object, text, accepted);
	}
}

/* What the rest of the mesh has of a service: ready endpoints that is_gone does not take away. */
struct share {
	int64_t gone;
	int64_t left;
};

static struct share share_of(const json_t *service, const struct plan_input *input,
                             const char *cluster, const char *group)
{
	const json_t *parts = json_at(service, "status.clusters");
	struct share share = {0, 0};
	for (size_t i = 0; i < json_array_size(parts); i++) {
		const json_t *part = json_array_get(parts, i);
		const char *at = json_str_at(part, "cluster", "");
		bool gone = cluster != NULL
		                    ? strcmp(at, cluster) == 0
		                    : strcmp(json_str_at(part, "network", group_of(input, at)),
		                             group) == 0;
		int64_t ready = json_int_at(part, "ready", 0);
		share.gone += gone ? ready : 0;
		share.left += gone ? 0 : ready;
	}
	return share;
}

static void lose_services(json_t *plan, const struct plan_input *input, const char *cluster,
                          const char *group, const struct options_list *accepted)
{
	const json_t *items = json_object_get(input->services, "items");
	char key[KUBE_KEY_MAX];
	size_t shared = 0;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *service = json_array_get(items, i);
		struct share share = share_of(service, input, cluster, group);
		if (share.gone == 0 || !kube_key_format(service, key))
			continue;
		if (share.left > 0)
			shared++;
		else
			lose(plan, "FED-222", key,
			     "callers elsewhere would have no destination: it runs nowhere else",
			     accepted);
	}
	if (shared > 0)
		change(plan, "traffic", "Shift", "services that go on in other clusters: %zu",
		       shared);
}

json_t *plan_cluster_leave(const struct plan_input *input, const char *cluster,
                           const struct options_list *accepted)
{
	json_t *plan = start("Leave", "Cluster", cluster);
	change(plan, "traffic", "Shift", "its endpoints are withdrawn and drained");
	change(plan, cluster, "Delete", "what Fedway made there (label fedway.io/cluster=%s)",
	       cluster);
	change(plan, "federation", "Delete", "cluster %s, its intermediate and its credentials",
	       cluster);
	change(plan, cluster, "Update",
	       "certificates that were issued stay valid until they expire (at most 24 h)");
	lose_group(plan, input, cluster, accepted);
	lose_services(plan, input, cluster, NULL, accepted);
	return plan;
}

/* --- a group joins or leaves the interconnect ------------------------------------------------- */

json_t *plan_interconnect_leave(const struct plan_input *input, const char *group,
                                const struct options_list *accepted)
{
	json_t *plan = start("InterconnectLeave", "NetworkGroup", group);
	change(plan, "federation", "Update",
	       "group %s exposes nothing and sees nothing of the others", group);
	change(plan, "traffic", "Update",
	       "new connections stop, running ones go on; nothing restarts");
	lose_services(plan, input, NULL, group, accepted);
	return plan;
}

json_t *plan_interconnect_join(const struct plan_input *input, const char *group)
{
	json_t *plan = start("InterconnectJoin", "NetworkGroup", group);
	const json_t *items = json_object_get(input->services, "items");
	size_t gained = 0;
	for (size_t i = 0; i < json_array_size(items); i++) {
		struct share share = share_of(json_array_get(items, i), input, NULL, group);
		gained += share.gone > 0;
	}
	change(plan, "federation", "Update", "group %s exposes services to the interconnect",
	       group);
	change(plan, "traffic", "Shift",
	       "services of the group that become reachable from outside: %zu", gained);
	return plan;
}

/* --- as text ---------------------------------------------------------------------------------- */

size_t plan_n_losses(const json_t *plan)
{
	return json_array_size(json_object_get(plan, "losses"));
}

void plan_format(const json_t *plan, struct look look, struct buf *out)
{
	const json_t *changes = json_object_get(plan, "changes");
	const json_t *losses = json_object_get(plan, "losses");
	struct table table CLEANUP(table_fini);
	char mark[LOOK_MARK_MAX];
	char label[LOOK_MARK_MAX + TEXT_MAX];
	table_init(&table, 2);
	table.indent = 2;
	buf_printf(out, "Plan       nothing has been changed yet\n");
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *entry = json_array_get(changes, i);
		table_cell(&table, "%s", json_str_at(entry, "where", ""));
		table_cell(&table, "%s", json_str_at(entry, "what", ""));
	}
	table_format(&table, out);
	if (plan_n_losses(plan) > 0)
		buf_add_text(out, "\nLost\n");
	for (size_t i = 0; i < json_array_size(losses); i++) {
		const json_t *loss = json_array_get(losses, i);
		snprintf(label, sizeof(label), "  %s %s  ", look_mark(look, MARK_FAIL, mark),
		         json_str_at(loss, "code", ""));
		char text[TEXT_MAX * 2];
		snprintf(text, sizeof(text), "%s: %s", json_str_at(loss, "object", ""),
		         json_str_at(loss, "message", ""));
		look_wrap(out, label, text);
	}
}
