/* SPDX-License-Identifier: Apache-2.0 */
#include "status_parts.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "kube/meta.h"

enum {
	TEXT_MAX = 700,
	OBSERVED_STEP_S = 60 /* observedAt of a reachable cluster moves once a minute */
};

static bool is_under_way(const struct member *member, const struct discovery_status *seen)
{
	return !seen->complete || member->setup == MEMBER_SETUP_NONE ||
	       member->setup == MEMBER_SETUP_RUNNING;
}

const char *status_phase(const struct member *member, const struct discovery_status *seen)
{
	if (member->spec.deleting)
		return "Leaving";
	if (member->secret_err.msg[0] != '\0' || member->clash != NULL)
		return "Failed";
	if (!member->has_kubeconfig)
		return "Pending";
	if (seen == NULL || (!seen->reachable && seen->observed_wall_s == 0))
		return "Checking";
	if (!seen->reachable)
		return "Degraded";
	if (is_under_way(member, seen))
		return "Joining";
	return member->setup == MEMBER_SETUP_DONE ? "Ready" : "Degraded";
}

enum status_source status_source(const struct member *member, const struct discovery_status *seen,
                                 bool waited)
{
	bool has_copy = seen->observed_wall_s > 0;
	if (seen->complete)
		return SOURCE_LISTS;
	if (seen->paused || member->leave != MEMBER_STAYS)
		return has_copy ? SOURCE_COPY : SOURCE_NOTHING;
	if (!has_copy)
		return member->spec.cluster_uid[0] != '\0' ? SOURCE_LOST : SOURCE_NOTHING;
	return waited ? SOURCE_COPY : SOURCE_NOT_YET;
}

bool status_is_known(const struct member *member, const struct discovery_status *seen, bool waited)
{
	bool has_news = member->spec.deleting || member->spec.paused || member->clash != NULL ||
	                !member->has_kubeconfig || member->secret_err.msg[0] != '\0';
	if (!member->was_member || has_news || waited || seen == NULL)
		return true;
	/* error is that of the first kind that has one */
	return seen->error[0] != '\0' || seen->copy_error[0] != '\0' || !is_under_way(member, seen);
}

const char *status_source_word(enum status_source source)
{
	static const char *const words[] = {"nothing yet", "lists", "copy", "nothing", "status"};
	return words[source];
}

static struct status_line kubeconfig_line(const struct member *member, char text[TEXT_MAX])
{
	struct status_line line = {.type = "KubeconfigValid", .ok = member->has_kubeconfig};
	if (member->secret_err.msg[0] != '\0') {
		line = (struct status_line){"KubeconfigValid", false, "Invalid",
		                            member->secret_err.msg};
	} else if (line.ok) {
		line.reason = "Parsed";
		line.message = "the kubeconfig names one server and its credentials";
	} else {
		snprintf(text, TEXT_MAX, "waiting for Secret '%s/%s'",
		         member->spec.secret_namespace, member->spec.secret_name);
		line.reason = "SecretMissing";
		line.message = text;
	}
	return line;
}

/* A word for what each needs another remedy for; the message has what was asked and answered. */
static const char *why_unreachable(const struct discovery_status *seen)
{
	static const struct {
		enum err_code code;
		const char *reason;
	} rows[] = {
		{ERR_PROTOCOL, "NoKubernetesAPI"}, /* a login page, a proxy, half an answer */
		{ERR_UNAUTHORIZED, "Unauthorized"},
		{ERR_FORBIDDEN, "Forbidden"},
		{ERR_TIMEOUT, "Timeout"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (seen->error[0] != '\0' && rows[i].code == seen->error_code)
			return rows[i].reason;
	}
	return "NoAnswer";
}

static struct status_line reachable_line(const struct discovery_status *seen, char text[TEXT_MAX])
{
	if (seen == NULL)
		return (struct status_line){"Reachable", false, "NotAsked",
		                            "its API server has not been asked yet"};
	if (seen->paused)
		return (struct status_line){"Reachable", false, "Paused",
		                            "spec.paused is set: its API server is not asked"};
	if (seen->reachable)
		return (struct status_line){"Reachable", true, "Answers", "its API server answers"};
	snprintf(text, TEXT_MAX, "%s; what it had last stays in force",
	         seen->error[0] != '\0' ? seen->error : "no answer yet");
	return (struct status_line){"Reachable", false, why_unreachable(seen), text};
}

static struct status_line synced_line(const struct member *member,
                                      const struct discovery_status *seen, char text[TEXT_MAX])
{
	if (seen != NULL && seen->complete && seen->copy_error[0] == '\0')
		return (struct status_line){"Synced", true, "Complete",
		                            "every list has ended since this process began"};
	if (seen != NULL && seen->copy_error[0] != '\0') {
		snprintf(text, TEXT_MAX, "its copy cannot be kept, so nothing new takes effect: %s",
		         seen->copy_error);
		return (struct status_line){"Synced", false, "CopyFailed", text};
	}
	if (member->lost)
		return (struct status_line){
			"Synced", false, "CopyMissing",
			"it was a member, but its copy on disk is gone and it has not answered "
			"since: services that its MeshService status counts stay as they are, and "
			"no name is removed anywhere; pause or delete this Cluster to let go"};
	for (size_t i = 0; seen != NULL && i < DISCOVERY_KINDS; i++) {
		const struct discovery_kind_status *kind = &seen->kinds[i];
		if (kind->synced || kind->error == NULL || kind->error[0] == '\0')
			continue;
		snprintf(text, TEXT_MAX, "%s: %s", kind->plural, kind->error);
		return (struct status_line){"Synced", false, "ListFailed", text};
	}
	return (struct status_line){"Synced", false, "Listing",
	                            "lists are under way; what the copy on disk says is in force"};
}

static struct status_line installed_line(const struct member *member)
{
	switch (member->setup) {
	case MEMBER_SETUP_DONE:
		return (struct status_line){"Installed", true, "Done",
		                            "namespace, trust bundle and accounts are there"};
	case MEMBER_SETUP_FAILED:
		return (struct status_line){"Installed", false, "Refused", member->setup_err.msg};
	case MEMBER_SETUP_NONE:
	case MEMBER_SETUP_RUNNING:
		break;
	}
	return (struct status_line){"Installed", false, "Waiting",
	                            "namespace, trust bundle and accounts are not made yet"};
}

static json_t *blocking(const struct member *member)
{
	json_t *list = json_array();
	char text[TEXT_MAX];
	if (member->clash != NULL) {
		snprintf(
			text, sizeof(text),
			"Cluster '%s' is the same real cluster (uid of kube-system); delete one of "
			"the two",
			member->clash);
		json_array_append_new(list, json_pack("{ssssss}", "code", "FED-403", "object",
		                                      member->clash, "message", text));
	}
	if (member->held != NULL) {
		snprintf(text, sizeof(text),
		         "it is the last cluster of NetworkGroup '%s', which is in the "
		         "interconnect; set spec.interconnect.joined to false there first",
		         member->held);
		json_array_append_new(list, json_pack("{ssssss}", "code", "FED-221", "object",
		                                      member->held, "message", text));
	}
	if (member->spec.network[0] == '\0')
		json_array_append_new(
			list, json_pack("{ssssss}", "code", "FED-216", "object", member->spec.name,
		                        "message",
		                        "spec.networkGroup is empty: its endpoints are left out"));
	return list;
}

static struct status_line ready_line(const char *phase, const json_t *blocking)
{
	bool ready = strcmp(phase, "Ready") == 0;
	const char *why =
		json_str_at(json_array_get(blocking, 0), "message", "see the other conditions");
	return (struct status_line){"Ready", ready, phase,
	                            ready ? "its services are part of the mesh" : why};
}

static void say_withdrawn(json_t *conditions, const json_t *obj, const struct member *member,
                          struct status_now now)
{
	static const struct status_line lines[] = {
		[MEMBER_DRAINING] = {"Withdrawn", true, "Draining",
	                             "no gateway routes to it; connections may end"},
		[MEMBER_CLEANING] = {"Withdrawn", true, "Cleaning",
	                             "its gateways have been told; what was made for it is "
	                             "deleted"},
		[MEMBER_GONE] = {"Withdrawn", true, "Gone", "nothing of it is left"},
	};
	if (member->leave != MEMBER_STAYS)
		status_say(conditions, obj, &lines[member->leave], now);
}

int64_t status_withdrawn_s(const json_t *obj)
{
	if (!kube_condition_is_true(obj, "Withdrawn"))
		return 0;
	const json_t *condition = kube_condition_find(obj, "Withdrawn");
	return clock_parse_rfc3339(json_str_at(condition, "lastTransitionTime", ""));
}

json_t *status_cluster(const json_t *obj, const struct member *member,
                       const struct discovery_status *seen,
                       const struct status_certificate *certificate, struct status_now now)
{
	char texts[3][TEXT_MAX];
	json_t *conditions = status_conditions(obj);
	const char *phase = status_phase(member, seen);
	json_t *blocks = blocking(member);
	struct status_line lines[] = {
		kubeconfig_line(member, texts[0]),   reachable_line(seen, texts[1]),
		synced_line(member, seen, texts[2]), installed_line(member),
		ready_line(phase, blocks),
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		status_say(conditions, obj, &lines[i], now);
	say_withdrawn(conditions, obj, member, now);
	int64_t observed = seen != NULL ? seen->observed_wall_s : 0;
	if (seen != NULL && seen->reachable)
		observed -= observed % OBSERVED_STEP_S;
	json_t *status = json_pack("{ss so so}", "phase", phase, "conditions", conditions,
	                           "blocking", blocks);
	/* what is not known since a restart is left as it was */
	if (!member->lost)
		json_object_set_new(status, "observedAt", status_time(observed));
	if (seen != NULL && !member->lost) {
		if (seen->uid[0] != '\0')
			json_object_set_new(status, "uid", json_string(seen->uid));
		if (seen->version[0] != '\0')
			json_object_set_new(status, "version", json_string(seen->version));
		json_object_set_new(status, "services", json_integer((json_int_t)seen->services));
		json_object_set_new(status, "endpoints", json_integer((json_int_t)seen->endpoints));
	}
	if (certificate->serial[0] != '\0')
		json_object_set_new(status, "certificate",
		                    json_pack("{ss so}", "serial", certificate->serial, "notAfter",
		                              status_time(certificate->not_after_s)));
	return status;
}
