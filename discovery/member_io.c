/* SPDX-License-Identifier: Apache-2.0 */
#include "changes_priv.h"
#include "member_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

static const struct {
	const struct kube_resource *resource;
	bool metadata_only;
} KINDS[DISCOVERY_KINDS] = {
	{&KUBE_SERVICES, false}, {&KUBE_ENDPOINT_SLICES, false},
	{&KUBE_NODES, true},     {&KUBE_NAMESPACES, true},
	{&KUBE_PODS, true},
};

static void note(struct member *member)
{
	loop_timer_set(&member->timer, 0);
}

/* --- what reflectors tell --------------------------------------------------------------------- */

static void put(struct str key, json_t *obj, void *arg)
{
	struct member_kind *kind = arg;
	struct member *member = kind->member;
	struct err err;

	(void)key;
	if (!snapshot_builder_put(member->builder, kind->resource->kind, obj, &err)) {
		member->bad++;
		snprintf(member->bad_object, sizeof(member->bad_object), "%s", err.msg);
	}
	note(member);
}

static void on_update(struct str key, json_t *old, json_t *obj, void *arg)
{
	(void)old;
	put(key, obj, arg);
}

static void on_delete(struct str key, json_t *old, void *arg)
{
	struct member_kind *kind = arg;
	char name[KUBE_KEY_MAX];
	char namespace_[KUBE_NAMESPACE_MAX + 1];
	struct str ns_part;
	struct str name_part;

	(void)old;
	kube_key_split(key, &ns_part, &name_part);
	snprintf(namespace_, sizeof(namespace_), "%.*s", STR_ARG(ns_part));
	snprintf(name, sizeof(name), "%.*s", STR_ARG(name_part));
	snapshot_builder_remove(kind->member->builder, kind->resource->kind, namespace_, name);
	note(kind->member);
}

static bool is_any_reachable(const struct member *member)
{
	for (size_t i = 0; i < DISCOVERY_KINDS; i++)
		if (member->kinds[i].reachable)
			return true;
	return false;
}

static void on_version(json_t *answer, const struct err *err, void *arg)
{
	struct member *member = arg;

	member->version_call = NULL;
	if (err != NULL)
		return; /* nice to have; the next contact asks again */
	snprintf(member->version, sizeof(member->version), "%s",
	         json_str_at(answer, "gitVersion", ""));
	member->must_tell = true;
	note(member);
}

static void on_found(struct member *member)
{
	loop_timer_cancel(&member->lost);
	if (member->reachable)
		return;
	member->reachable = true;
	if (member->version_call == NULL)
		member->version_call =
			kube_client_get_path(member->client, "/version", on_version, member);
}

int64_t member_contact_ms(const struct member *member)
{
	int64_t contact_ms = 0;

	for (size_t i = 0; i < DISCOVERY_KINDS; i++) {
		struct reflector_status status = reflector_status(member->kinds[i].reflector);

		if (status.contact_ms > contact_ms)
			contact_ms = status.contact_ms;
	}
	return contact_ms;
}

static void on_lost(void *arg)
{
	struct member *member = arg;
	int64_t silent_ms = loop_now_ms(member->loop) - member_contact_ms(member);

	member->reachable = false;
	member->observed_wall_s = clock_wall_s() - silent_ms / 1000;
	member->must_tell = true;
	note(member);
}

/* Takes over what the status of a kind says; true: something other than counts changed. */
static bool take_status(struct member_kind *kind)
{
	struct reflector_status status = reflector_status(kind->reflector);
	enum err_code code = status.reachable ? 0 : status.error_code;
	bool synced = status.lists > kind->lists_before;
	bool differs = synced != kind->synced || status.reachable != kind->reachable ||
	               code != kind->error_code;

	kind->synced = synced;
	kind->reachable = status.reachable;
	kind->error_code = code;
	return differs;
}

static void on_status(void *arg)
{
	struct member_kind *kind = arg;
	struct member *member = kind->member;

	if (!take_status(kind))
		return;
	if (is_any_reachable(member))
		on_found(member);
	else if (member->reachable && !loop_timer_is_set(&member->lost))
		loop_timer_set(&member->lost, DISCOVERY_LOST_MS);
	member->must_tell = true;
	note(member);
}

/* --- publishing ------------------------------------------------------------------------------- */

static bool are_all_synced(const struct member *member)
{
	for (size_t i = 0; i < DISCOVERY_KINDS; i++)
		if (member->kinds[i].reflector == NULL || !member->kinds[i].synced)
			return false;
	return true;
}

static bool save(struct member *member, const struct snapshot *next, const struct changes *changes)
{
	struct err err;
	bool was_good = member->copy_error[0] == '\0';

	if (copy_write(&member->copy, next, changes->keys, changes->n, &err)) {
		member->must_tell |= !was_good;
		member->copy_error[0] = '\0';
		return true;
	}
	snprintf(member->copy_error, sizeof(member->copy_error),
	         "%s; nothing new of this cluster is published until it can be", err.msg);
	if (was_good)
		log_error("discovery", "cluster=%s copy cannot be written: %s", member->name,
		          err.msg);
	member->must_tell |= was_good;
	loop_timer_set(&member->timer, MEMBER_SAVE_RETRY_MS);
	return false;
}

static void tell_snapshot(struct member *member, struct snapshot *old,
                          const struct changes *changes)
{
	struct discovery_change change = {.cluster = member->name,
	                                  .snapshot = member->snapshot,
	                                  .old = old,
	                                  .from_copy = member->from_copy,
	                                  .services = changes->keys,
	                                  .n_services = changes->n};

	if (member->handlers->on_snapshot != NULL)
		member->handlers->on_snapshot(&change, member->handlers->arg);
}

/* The member may be gone afterwards. */
static void put_in_force(struct member *member, struct snapshot *next,
                         const struct changes *changes)
{
	struct snapshot *old = member->snapshot;

	member->snapshot = snapshot_ref(next);
	tell_snapshot(member, old, changes);
	snapshot_unref(old);
}

static void publish(struct member *member)
{
	bool is_first = !member->complete;
	bool must_save = member->copy_error[0] != '\0';

	if (!are_all_synced(member) ||
	    (!is_first && !must_save && !snapshot_builder_is_dirty(member->builder)))
		return;
	struct snapshot *next = snapshot_builder_build(member->builder);
	struct changes changes = changes_between(member->snapshot, next);
	bool differs = changes.n > 0 || changes.meta;

	if ((is_first || differs) && (!differs || save(member, next, &changes))) {
		if (is_first)
			log_info("discovery", "cluster=%s complete services=%zu endpoints=%zu",
			         member->name, tree_len(next->services), next->n_endpoints);
		member->must_tell |= is_first;
		member->complete = true;
		member->from_copy = false;
		put_in_force(member, next, &changes);
	}
	changes_fini(&changes);
	snapshot_unref(next);
}

static void tell_status(struct member *member)
{
	member->must_tell = false;
	if (member->handlers->on_status != NULL)
		member->handlers->on_status(member->name, member->handlers->arg);
}

static void on_timer(void *arg)
{
	struct member *member = arg;
	struct discovery *discovery = member->discovery;
	char name[MEMBER_NAME_MAX + 1];

	memcpy(name, member->name, sizeof(name));
	for (size_t i = 0; i < DISCOVERY_KINDS; i++)
		if (member->kinds[i].reflector != NULL)
			member->must_tell |= take_status(&member->kinds[i]);
	publish(member);
	if (discovery_has(discovery, name, member) && member->must_tell)
		tell_status(member);
}

static void on_synced(void *arg)
{
	struct member_kind *kind = arg;

	note(kind->member);
}

/* --- client and reflectors -------------------------------------------------------------------- */

static void create_reflectors(struct member *member)
{
	for (size_t i = 0; i < DISCOVERY_KINDS; i++) {
		struct member_kind *kind = &member->kinds[i];
		struct reflector_options options = {.client = member->client,
		                                    .resource = kind->resource,
		                                    .metadata_only = KINDS[i].metadata_only,
		                                    .keys_only = true};
		struct reflector_handlers handlers = {.on_add = put,
		                                      .on_update = on_update,
		                                      .on_delete = on_delete,
		                                      .on_synced = on_synced,
		                                      .on_status = on_status,
		                                      .arg = kind};
		struct err err;

		kind->reflector = reflector_create(member->loop, &options, &handlers, &err);
		if (kind->reflector == NULL)
			UNREACHABLE("whole collections have a path");
	}
}

static void start(struct member *member)
{
	for (size_t i = 0; i < DISCOVERY_KINDS; i++)
		reflector_start(member->kinds[i].reflector);
}

static void stop(struct member *member)
{
	if (member->reachable)
		member->observed_wall_s = clock_wall_s();
	member->reachable = false;
	loop_timer_cancel(&member->lost);
	if (member->version_call != NULL)
		kube_call_cancel(member->version_call);
	member->version_call = NULL;
	for (size_t i = 0; i < DISCOVERY_KINDS; i++) {
		struct member_kind *kind = &member->kinds[i];

		if (kind->reflector == NULL)
			continue;
		reflector_stop(kind->reflector);
		kind->lists_before = reflector_status(kind->reflector).lists;
		kind->reachable = kind->synced = false;
	}
}

static bool create_client(struct member *member, const struct kubeconfig *config,
                          const struct member_dial *dial, struct err *err)
{
	char agent[128];
	struct kube_client_options options = {.loop = member->loop,
	                                      .user_agent = agent,
	                                      .dial = dial->dial,
	                                      .dial_arg = dial->arg};

	snprintf(agent, sizeof(agent), "fedwayd/%s (discovery)", FEDWAY_VERSION);
	member->client = kube_client_create(config, &options, err);
	if (member->client == NULL)
		return false;
	create_reflectors(member);
	return true;
}

static bool change_client(struct member *member, const struct kubeconfig *config, struct err *err)
{
	bool moved =
		member->config.server == NULL || strcmp(member->config.server, config->server) != 0;

	if (!kube_client_set_config(member->client, config, err))
		return false;
	if (moved) {
		/* Perhaps another cluster: nothing of it counts before all of it is known. */
		stop(member);
		member->complete = false;
	}
	return true;
}

bool member_set_config(struct member *member, const struct kubeconfig *config,
                       const struct member_dial *dial, struct err *err)
{
	if (config == NULL) {
		stop(member);
		kubeconfig_fini(&member->config);
		return true;
	}
	bool ok = member->client != NULL ? change_client(member, config, err)
	                                 : create_client(member, config, dial, err);

	if (!ok)
		return false;
	kubeconfig_fini(&member->config);
	kubeconfig_copy(config, &member->config);
	if (!member->paused)
		start(member);
	return true;
}

void member_set_paused(struct member *member, bool paused)
{
	if (paused == member->paused)
		return;
	member->paused = paused;
	member->must_tell = true;
	note(member);
	if (paused)
		stop(member);
	else if (member->config.server != NULL)
		start(member);
}

/* --- life ------------------------------------------------------------------------------------- */

struct member *member_create(struct discovery *discovery, struct loop *loop, const char *dir,
                             const char *name, const struct discovery_handlers *handlers)
{
	struct member *member = xcalloc(1, sizeof(*member));

	member->discovery = discovery;
	member->loop = loop;
	member->handlers = handlers;
	snprintf(member->name, sizeof(member->name), "%s", name);
	for (size_t i = 0; i < DISCOVERY_KINDS; i++) {
		member->kinds[i].member = member;
		member->kinds[i].resource = KINDS[i].resource;
	}
	member->builder = snapshot_builder_create(name);
	copy_init(&member->copy, dir, name);
	loop_timer_init(&member->timer, loop, on_timer, member);
	loop_timer_init(&member->lost, loop, on_lost, member);
	return member;
}

void member_destroy(struct member *member)
{
	if (member == NULL)
		return;
	stop(member);
	for (size_t i = 0; i < DISCOVERY_KINDS; i++)
		reflector_destroy(member->kinds[i].reflector);
	kube_client_destroy(member->client);
	loop_timer_fini(&member->timer);
	loop_timer_fini(&member->lost);
	snapshot_builder_destroy(member->builder);
	snapshot_unref(member->snapshot);
	copy_fini(&member->copy);
	kubeconfig_fini(&member->config);
	free(member);
}

void member_load(struct member *member)
{
	struct err err;
	struct snapshot *loaded = copy_load(&member->copy, &member->observed_wall_s, &err);

	if (loaded == NULL && err.code != ERR_NOT_FOUND) {
		snprintf(member->copy_error, sizeof(member->copy_error), "%s", err.msg);
		log_error("discovery", "cluster=%s copy cannot be read: %s", member->name, err.msg);
	}
	if (loaded == NULL)
		return;
	struct changes changes = changes_between(NULL, loaded);

	member->from_copy = true;
	put_in_force(member, loaded, &changes);
	changes_fini(&changes);
	snapshot_unref(loaded);
}

void member_touch(struct member *member)
{
	if (member->reachable && member->complete)
		copy_touch(&member->copy);
}
