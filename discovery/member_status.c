/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a member, gathered for those who ask.
 */
#include "member_priv.h"

#include "base/clock.h"

static void add_kind(const struct member_kind *kind, struct discovery_kind_status *to,
                     struct discovery_status *all)
{
	*to = (struct discovery_kind_status){.plural = kind->resource->plural, .error = ""};
	if (kind->reflector == NULL)
		return;
	struct reflector_status status = reflector_status(kind->reflector);

	to->synced = kind->synced;
	to->reachable = kind->reachable;
	to->objects = reflector_len(kind->reflector);
	to->error = status.error;
	to->error_code = status.error_code;
	all->lists += status.lists;
	all->events += status.events;
	all->bad += status.bad;
	if (status.retry_in_ms > all->retry_in_ms)
		all->retry_in_ms = status.retry_in_ms;
	if (all->error[0] == '\0' && to->error[0] != '\0') {
		all->error = to->error;
		all->error_code = to->error_code;
	}
}

static void add_snapshot(const struct snapshot *snapshot, struct discovery_status *to)
{
	to->uid = snapshot->uid;
	to->network = snapshot->network;
	to->services = tree_len(snapshot->services);
	to->endpoints = snapshot->n_endpoints;
	to->ready = snapshot->n_ready;
}

void member_get_status(const struct member *member, struct discovery_status *ret_status)
{
	int64_t now_wall_s = clock_wall_s();
	struct discovery_status status = {
		.configured = member->config.server != NULL,
		.paused = member->paused,
		.complete = member->complete,
		.from_copy = member->from_copy,
		.reachable = member->reachable,
		.observed_wall_s = member->observed_wall_s,
		.uid = "",
		.network = "",
		.version = member->version,
		.bad = member->bad,
		.bad_object = member->bad_object,
		.copy_error = member->copy_error,
		.error = "",
	};

	/* one that hangs counts as reachable until its watches are given up */
	if (member->reachable)
		status.observed_wall_s =
			now_wall_s - (loop_now_ms(member->loop) - member_contact_ms(member)) / 1000;
	if (member->snapshot != NULL)
		add_snapshot(member->snapshot, &status);
	for (size_t i = 0; i < DISCOVERY_KINDS; i++)
		add_kind(&member->kinds[i], &status.kinds[i], &status);
	/* A copy that is not confirmed yet is as old as its last sign of life. */
	int64_t known_wall_s = member->complete ? status.observed_wall_s : member->observed_wall_s;

	if (known_wall_s > 0 && known_wall_s < now_wall_s)
		status.age_s = now_wall_s - known_wall_s;
	*ret_status = status;
}
