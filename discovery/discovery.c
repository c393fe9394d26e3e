/* SPDX-License-Identifier: Apache-2.0 */
#include "discovery/discovery.h"

#include "member_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/map.h"

enum {
	TOUCH_MS = 30000
};

struct discovery {
	struct loop *loop;
	char *dir;
	struct discovery_handlers handlers;
	struct map members; /* name → struct member */
	struct member_dial dial;
	struct loop_timer touch;
};

static void on_touch(void *arg)
{
	struct discovery *discovery = arg;

	map_for_each (it, &discovery->members) {
		member_touch(map_value(it));
	}
	loop_timer_set(&discovery->touch, TOUCH_MS);
}

struct discovery *discovery_create(struct loop *loop, const char *dir,
                                   const struct discovery_handlers *handlers, struct err *err)
{
	if (!file_make_dirs(dir, err))
		return NULL;
	struct discovery *discovery = xcalloc(1, sizeof(*discovery));

	discovery->loop = loop;
	discovery->dir = xstrdup(dir);
	discovery->handlers = *handlers;
	loop_timer_init(&discovery->touch, loop, on_touch, discovery);
	loop_timer_set(&discovery->touch, TOUCH_MS);
	return discovery;
}

static void free_member(void *member)
{
	member_destroy(member);
}

void discovery_destroy(struct discovery *discovery)
{
	if (discovery == NULL)
		return;
	loop_timer_fini(&discovery->touch);
	map_fini(&discovery->members, free_member);
	free(discovery->dir);
	free(discovery);
}

void discovery_set_dial(struct discovery *discovery, int (*dial)(void *arg), void *arg)
{
	discovery->dial = (struct member_dial){dial, arg};
}

bool discovery_has(const struct discovery *discovery, const char *name, const struct member *member)
{
	return map_find_text(&discovery->members, name) == member;
}

static struct member *add(struct discovery *discovery, const char *cluster, struct err *err)
{
	if (!str_is_dns_label(str_from(cluster))) {
		err_set(err, ERR_INVALID, "'%.100s' cannot be the name of a cluster", cluster);
		return NULL;
	}
	if (map_len(&discovery->members) >= DISCOVERY_CLUSTERS_MAX) {
		err_set(err, ERR_TOO_LARGE, "more than %d clusters", DISCOVERY_CLUSTERS_MAX);
		return NULL;
	}
	struct member *member = member_create(discovery, discovery->loop, discovery->dir, cluster,
	                                      &discovery->handlers);

	map_set(&discovery->members, str_from(cluster), member);
	member_load(member);
	return member;
}

bool discovery_put(struct discovery *discovery, const char *cluster,
                   const struct kubeconfig *config, struct err *err)
{
	struct member *member = map_find_text(&discovery->members, cluster);

	if (member == NULL)
		member = add(discovery, cluster, err);
	if (member == NULL)
		return false;
	/* on_snapshot may have removed it again. */
	if (!discovery_has(discovery, cluster, member))
		return true;
	return member_set_config(member, config, &discovery->dial, err);
}

void discovery_remove(struct discovery *discovery, const char *cluster)
{
	struct member *member = map_remove(&discovery->members, str_from(cluster));

	if (member == NULL)
		return;
	copy_remove(&member->copy);
	member_destroy(member);
}

void discovery_set_paused(struct discovery *discovery, const char *cluster, bool paused)
{
	struct member *member = map_find_text(&discovery->members, cluster);

	if (member != NULL)
		member_set_paused(member, paused);
}

struct snapshot *discovery_snapshot(const struct discovery *discovery, const char *cluster)
{
	const struct member *member = map_find_text(&discovery->members, cluster);

	return member != NULL ? member->snapshot : NULL;
}

bool discovery_status(const struct discovery *discovery, const char *cluster,
                      struct discovery_status *ret_status)
{
	const struct member *member = map_find_text(&discovery->members, cluster);

	if (member == NULL)
		return false;
	member_get_status(member, ret_status);
	return true;
}
