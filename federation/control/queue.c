/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be looked at again, by kind and name, each with its time. A key that is queued twice
 * is looked at once, at the earlier time.
 */
#include "control_priv.h"

#include <stdio.h>

#include "base/alloc.h"

enum {
	DIRTY_KEY_MAX = KUBE_KEY_MAX + 4
};

struct dirty {
	enum control_kind kind;
	int64_t due_ms;
	char key[];
};

static void (*const reconcilers[N_CONTROL_KINDS])(struct control *control, const char *key) = {
	[KIND_MESH] = control_reconcile_mesh,       [KIND_GROUP] = control_reconcile_group,
	[KIND_GATEWAY] = control_reconcile_gateway, [KIND_CLUSTER] = control_reconcile_cluster,
	[KIND_RULE] = control_reconcile_rule,       [KIND_SERVICE] = control_reconcile_service,
	[KIND_SECRET] = control_reconcile_secret,
};

static void set_turn(struct control *control, int64_t due_ms, int64_t now_ms)
{
	if (loop_timer_is_set(&control->turn) && control->turn_ms <= due_ms)
		return;
	control->turn_ms = due_ms;
	loop_timer_set(&control->turn, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void set_next_turn(struct control *control, int64_t now_ms)
{
	int64_t next = -1;
	map_for_each (it, &control->dirty) {
		const struct dirty *dirty = map_value(it);
		if (next < 0 || dirty->due_ms < next)
			next = dirty->due_ms;
	}
	if (next >= 0)
		set_turn(control, next, now_ms);
}

/* Only what is due when the turn begins: what a reconciler queues for itself waits for the next. */
static void on_turn(void *arg)
{
	struct control *control = arg;
	int64_t now_ms = loop_now_ms(control->loop);
	struct map due = MAP_EMPTY;
	map_for_each (it, &control->dirty) {
		const struct dirty *dirty = map_value(it);
		if (dirty->due_ms > now_ms)
			continue;
		map_set(&due, map_key(it), map_value(it));
	}
	map_for_each (it, &due)
		map_remove(&control->dirty, map_key(it));
	map_for_each (it, &due) {
		struct dirty *dirty = map_value(it);
		metrics_add(control->reconciles, 1);
		reconcilers[dirty->kind](control, dirty->key);
	}
	map_fini(&due, free);
	set_next_turn(control, now_ms);
}

void control_enqueue(struct control *control, enum control_kind kind, const char *key,
                     int64_t in_ms)
{
	char name[DIRTY_KEY_MAX];
	int64_t now_ms = loop_now_ms(control->loop);
	int64_t due_ms = now_ms + in_ms;
	int n = snprintf(name, sizeof(name), "%d %s", (int)kind, key);
	struct dirty *have = map_find(&control->dirty, str_make(name, (size_t)n));
	if (have != NULL && have->due_ms <= due_ms)
		return;
	if (have != NULL) {
		have->due_ms = due_ms;
	} else {
		struct dirty *dirty = xcalloc(1, sizeof(*dirty) + strlen(key) + 1);
		dirty->kind = kind;
		dirty->due_ms = due_ms;
		memcpy(dirty->key, key, strlen(key) + 1);
		map_set(&control->dirty, str_make(name, (size_t)n), dirty);
	}
	set_turn(control, due_ms, now_ms);
}

bool control_is_due(const struct control *control)
{
	int64_t now_ms = loop_now_ms(control->loop);
	map_for_each (it, &control->dirty) {
		const struct dirty *dirty = map_value(it);
		if (dirty->due_ms <= now_ms)
			return true;
	}
	return false;
}

struct enqueue_all {
	struct control *control;
	enum control_kind kind;
};

static void enqueue_one(struct str key, json_t *obj, void *arg)
{
	const struct enqueue_all *all = arg;
	char *text = str_dup(key);
	(void)obj;
	control_enqueue(all->control, all->kind, text, 0);
	free(text);
}

void control_enqueue_all(struct control *control, enum control_kind kind)
{
	struct enqueue_all all = {control, kind};
	reflector_for_each(control->reflectors[kind], enqueue_one, &all);
}

void control_queue_init(struct control *control)
{
	loop_timer_init(&control->turn, control->loop, on_turn, control);
}

void control_queue_fini(struct control *control)
{
	loop_timer_fini(&control->turn);
	map_fini(&control->dirty, free);
}
