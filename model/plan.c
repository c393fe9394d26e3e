/* SPDX-License-Identifier: Apache-2.0 */
#include "model/plan.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT_MAX = 700,
	HASH_BYTES = 16
};

/* One plan in the making. */
struct planning {
	const struct plan_input *input;
	const json_t *spec;
	const char *name; /* of the object */
	json_t *changes;
	json_t *losses;
};

static const char *name_of(const json_t *obj)
{
	return json_str_at(obj, "metadata.name", "");
}

const json_t *plan_find(const json_t *list, const char *name)
{
	size_t i;
	json_t *item;
	json_array_foreach (json_object_get(list, "items"), i, item) {
		if (strcmp(name_of(item), name) == 0)
			return item;
	}
	return NULL;
}

static void change(struct planning *planning, const char *where, const char *action,
                   const char *fmt, ...) PRINTF_LIKE(4, 5);

static void change(struct planning *planning, const char *where, const char *action,
                   const char *fmt, ...)
{
	char what[TEXT_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	json_array_append_new(planning->changes, json_pack("{ss ss ss}", "where", where, "action",
	                                                   action, "what", what));
}

static void lose(struct planning *planning, const char *code, const char *object,
                 const char *message)
{
	json_array_append_new(planning->losses, json_pack("{ss ss ss}", "code", code, "object",
	                                                  object, "message", message));
}

static const char *group_of(const struct plan_input *input, const char *cluster)
{
	return json_str_at(plan_find(input->clusters, cluster), "spec.networkGroup", "");
}

/* --- what a group keeps -------------------------------------------------------------------------
 */

static size_t count_clusters(const struct plan_input *input, const char *group, const char *except)
{
	size_t n = 0;
	size_t i;
	json_t *obj;
	json_array_foreach (json_object_get(input->clusters, "items"), i, obj)
		n += strcmp(json_str_at(obj, "spec.networkGroup", ""), group) == 0 &&
		     strcmp(name_of(obj), except) != 0 &&
		     json_at(obj, "metadata.deletionTimestamp") == NULL;
	return n;
}

/* Gateways of a group, those of one cluster apart. */
static size_t count_gateways(const struct plan_input *input, const char *group, const char *cluster,
                             size_t *ret_own)
{
	size_t others = 0;
	size_t i;
	json_t *obj;
	*ret_own = 0;
	json_array_foreach (json_object_get(input->gateways, "items"), i, obj) {
		const char *at = json_str_at(obj, "spec.cluster", "");
		if (strcmp(at, cluster) == 0)
			(*ret_own)++;
		else
			others += strcmp(group_of(input, at), group) == 0;
	}
	return others;
}

/* A cluster that goes out of its group. */
static void lose_group(struct planning *planning, const char *cluster)
{
	const struct plan_input *input = planning->input;
	const char *group = group_of(input, cluster);
	char object[TEXT_MAX];
	char text[TEXT_MAX];
	size_t own;
	if (!json_bool_at(plan_find(input->groups, group), "spec.interconnect.joined", false))
		return;
	if (count_clusters(input, group, cluster) == 0) {
		snprintf(object, sizeof(object), "cluster/%s", group);
		snprintf(text, sizeof(text),
		         "is the last cluster of %s, which is interconnected; first: fedway "
		         "interconnect leave %s",
		         group, group);
		lose(planning, "FED-221", object, text);
	} else if (count_gateways(input, group, cluster, &own) == 0 && own > 0) {
		snprintf(object, sizeof(object), "gateway/%s", group);
		snprintf(text, sizeof(text),
		         "has the only gateway of %s, which is interconnected and keeps other "
		         "clusters",
		         group);
		lose(planning, "FED-221", object, text);
	}
}

/* --- what services keep -------------------------------------------------------------------------
 */

struct share {
	int64_t gone; /* ready endpoints that go, and stay */
	int64_t left;
};

/* What goes is one cluster, or with cluster NULL a group. */
static struct share share_of(const struct plan_input *input, const json_t *service,
                             const char *cluster, const char *group)
{
	struct share share = {0, 0};
	size_t i;
	json_t *part;
	json_array_foreach (json_at(service, "status.clusters"), i, part) {
		const char *at = json_str_at(part, "cluster", "");
		const char *network = json_str_at(part, "network", NULL);
		if (network == NULL)
			network = group_of(input, at);
		bool gone =
			cluster != NULL ? strcmp(at, cluster) == 0 : strcmp(network, group) == 0;
		int64_t ready = json_int_at(part, "ready", 0);
		share.gone += gone ? ready : 0;
		share.left += gone ? 0 : ready;
	}
	return share;
}

static void lose_services(struct planning *planning, const char *cluster, const char *group)
{
	size_t shared = 0;
	size_t i;
	json_t *service;
	json_array_foreach (json_object_get(planning->input->services, "items"), i, service) {
		struct share share = share_of(planning->input, service, cluster, group);
		char key[TEXT_MAX];
		if (share.gone == 0)
			continue;
		snprintf(key, sizeof(key), "%s/%s", json_str_at(service, "metadata.namespace", ""),
		         name_of(service));
		if (share.left > 0)
			shared++;
		else
			lose(planning, "FED-222", key,
			     "callers elsewhere would have no destination: it runs nowhere else");
	}
	if (shared > 0)
		change(planning, "traffic", "Shift", "services that go on in other clusters: %zu",
		       shared);
}

/* --- the operations -----------------------------------------------------------------------------
 */

static bool plan_join(struct planning *planning, struct err *err)
{
	const struct plan_input *input = planning->input;
	const char *name = planning->name;
	const char *group = json_str_at(planning->spec, "networkGroup", "");
	const char *old = group_of(input, name);
	bool known = plan_find(input->clusters, name) != NULL;
	const char *action = known ? "Update" : "Create";
	if (!str_is_dns_label(str_from(group)))
		return err_set(err, ERR_INVALID, "spec.networkGroup: '%s' is no name of a group",
		               group);
	change(planning, "federation", action, "Secret fedway-system/%s with the credentials",
	       name);
	if (plan_find(input->groups, group) == NULL)
		change(planning, "federation", "Create",
		       "network group %s (not in the interconnect yet)", group);
	change(planning, "federation", action, "cluster %s in group %s", name, group);
	change(planning, name, action,
	       "namespace fedway-system: trust bundle, accounts, Service of the probe");
	if (known && strcmp(old, group) != 0) {
		change(planning, "traffic", "Shift",
		       "its pods are reached as part of %s, no longer of %s", group, old);
		lose_group(planning, name);
	}
	return true;
}

static bool plan_leave(struct planning *planning, struct err *err)
{
	const char *name = planning->name;
	if (plan_find(planning->input->clusters, name) == NULL)
		return err_set(err, ERR_NOT_FOUND,
		               "there is no Cluster '%s'; fedway cluster list shows all", name);
	change(planning, "traffic", "Shift", "its endpoints are withdrawn and drained");
	change(planning, name, "Delete", "what Fedway made there (label fedway.io/cluster=%s)",
	       name);
	change(planning, "federation", "Delete", "cluster %s, its intermediate and its credentials",
	       name);
	change(planning, name, "Update",
	       "certificates that were issued stay valid until they expire (at most 24 h)");
	lose_group(planning, name);
	lose_services(planning, name, NULL);
	return true;
}

static bool find_group(const struct planning *planning, struct err *err)
{
	if (plan_find(planning->input->groups, planning->name) != NULL)
		return true;
	return err_set(err, ERR_NOT_FOUND,
	               "there is no NetworkGroup '%s'; fedway get networkgroups shows all",
	               planning->name);
}

static bool plan_interconnect_leave(struct planning *planning, struct err *err)
{
	if (!find_group(planning, err))
		return false;
	change(planning, "federation", "Update",
	       "group %s exposes nothing and sees nothing of the others", planning->name);
	change(planning, "traffic", "Update",
	       "new connections stop, running ones go on; nothing restarts");
	lose_services(planning, NULL, planning->name);
	return true;
}

static bool plan_interconnect_join(struct planning *planning, struct err *err)
{
	const struct plan_input *input = planning->input;
	const char *group = planning->name;
	size_t gained = 0;
	size_t none;
	size_t i;
	json_t *service;
	if (!find_group(planning, err))
		return false;
	json_array_foreach (json_object_get(input->services, "items"), i, service)
		gained += share_of(input, service, NULL, group).gone > 0;
	change(planning, "federation", "Update", "group %s exposes services to the interconnect",
	       group);
	change(planning, "traffic", "Shift",
	       "services of the group that become reachable from outside: %zu", gained);
	if (count_gateways(input, group, "", &none) == 0 &&
	    json_array_size(json_object_get(planning->spec, "addresses")) == 0 &&
	    json_array_size(
		    json_at(plan_find(input->groups, group), "spec.interconnect.addresses")) == 0) {
		char object[TEXT_MAX];
		snprintf(object, sizeof(object), "gateway/%s", group);
		lose(planning, "FED-104", object,
		     "the group has no gateway: create an EastWestGateway for one of its clusters "
		     "first, or give --address");
	}
	return true;
}

static const struct {
	const char *operation;
	const char *kind;
	bool (*plan)(struct planning *planning, struct err *err);
} operations[] = {
	{"Join", "Cluster", plan_join},
	{"Leave", "Cluster", plan_leave},
	{"InterconnectJoin", "NetworkGroup", plan_interconnect_join},
	{"InterconnectLeave", "NetworkGroup", plan_interconnect_leave},
};

/* --- hash and acceptance ------------------------------------------------------------------------
 */

static void add_hash(json_t *plan)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[HASH_BYTES * 2 + 1];
	unsigned int len = 0;
	char *bytes = json_format_sorted(plan);
	if (EVP_Digest(bytes, strlen(bytes), digest, &len, EVP_sha256(), NULL) != 1 ||
	    len < HASH_BYTES)
		UNREACHABLE("SHA-256 is always there");
	free(bytes);
	for (size_t i = 0; i < HASH_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	json_object_set_new(plan, "hash", json_string(text));
}

static bool is_accepted(const json_t *spec, const json_t *loss)
{
	const char *object = json_str_at(loss, "object", "");
	size_t i;
	json_t *item;
	if (strncmp(object, "cluster/", 8) == 0 ||
	    strcmp(json_str_at(loss, "code", ""), "FED-104") == 0)
		return false;
	json_array_foreach (json_object_get(spec, "acceptLosses"), i, item) {
		if (json_is_string(item) && strcmp(json_string_value(item), object) == 0)
			return true;
	}
	return false;
}

static void take_accepted(struct planning *planning)
{
	size_t i = 0;
	while (i < json_array_size(planning->losses)) {
		const json_t *loss = json_array_get(planning->losses, i);
		if (!is_accepted(planning->spec, loss)) {
			i++;
			continue;
		}
		change(planning, "traffic", "Delete", "%s, as accepted: %s",
		       json_str_at(loss, "object", ""), json_str_at(loss, "message", ""));
		json_array_remove(planning->losses, i);
	}
}

static bool check_hash(const json_t *plan, const json_t *spec, struct err *err)
{
	const char *wanted = json_str_at(spec, "hash", "");
	const char *hash = json_str_at(plan, "hash", "");
	if (wanted[0] == '\0' || strcmp(wanted, hash) == 0)
		return true;
	return err_set(err, ERR_CONFLICT,
	               "what this would change or lose is no longer what the plan '%s' said (now "
	               "'%s'); look at the new plan first",
	               wanted, hash);
}

/* Which row, and the object's name; -1 with err. */
static int find_operation(const json_t *spec, const char **ret_name, struct err *err)
{
	const char *word = json_str_at(spec, "operation", "");
	const char *object = json_str_at(spec, "object", "");
	for (size_t i = 0; i < N_ELEMS(operations); i++) {
		size_t len = strlen(operations[i].kind);
		if (strcmp(word, operations[i].operation) != 0)
			continue;
		*ret_name = object + len + 1;
		if (strncmp(object, operations[i].kind, len) == 0 && object[len] == '/' &&
		    str_is_dns_label(str_from(*ret_name)))
			return (int)i;
		err_set(err, ERR_INVALID, "spec.object: %s is about '%s/NAME', not '%s'", word,
		        operations[i].kind, object);
		return -1;
	}
	err_set(err, ERR_INVALID,
	        "spec.operation is Join, Leave, InterconnectJoin or InterconnectLeave, not '%s'",
	        word);
	return -1;
}

json_t *plan_make(const struct plan_input *input, const json_t *spec, struct err *err)
{
	struct planning planning = {.input = input, .spec = spec};
	int row = find_operation(spec, &planning.name, err);
	if (row < 0)
		return NULL;
	if (json_array_size(json_object_get(spec, "acceptLosses")) > PLAN_ACCEPTED_MAX) {
		err_set(err, ERR_TOO_LARGE, "spec.acceptLosses has more than %d entries",
		        PLAN_ACCEPTED_MAX);
		return NULL;
	}
	json_t *plan =
		json_pack("{ss ss ss ss s[] s[]}", "apiVersion", "answers.fedway.io/v1alpha1",
	                  "kind", "Plan", "operation", operations[row].operation, "object",
	                  json_str_at(spec, "object", ""), "changes", "losses");
	planning.changes = json_object_get(plan, "changes");
	planning.losses = json_object_get(plan, "losses");
	bool ok = operations[row].plan(&planning, err);
	if (ok) {
		add_hash(plan);
		take_accepted(&planning);
		ok = check_hash(plan, spec, err);
	}
	if (ok)
		return plan;
	json_decref(plan);
	return NULL;
}

size_t plan_n_losses(const json_t *plan)
{
	return json_array_size(json_object_get(plan, "losses"));
}
