/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reflector against an API server in memory that pages, watches, forgets its history, breaks off,
 * answers junk and is restored from backups, at random but repeatable. Whatever happens: no event
 * is lost or told twice, and when the server behaves the copy becomes equal to it.
 */
#include "reflector_core_priv.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
#include "kube/meta.h"
#include "kube/status.h"

enum {
	N_NAMES = 12,
	LOG_MAX = 4096
};

/* --- the server ------------------------------------------------------------------------------- */

struct object {
	int uid; /* 0: not there */
	int rv;
	int content;
};

struct change {
	const char *type;
	int name;
	struct object object; /* with the change's own version */
};

struct server {
	struct object objects[N_NAMES];
	struct change log[LOG_MAX];
	int n_log;
	int compacted; /* versions up to this one are forgotten */
	int rv;
	int next_uid;
};

static unsigned dice_state;

static unsigned dice(unsigned n)
{
	dice_state = dice_state * 1103515245u + 12345u;
	return (dice_state >> 16) % n;
}

static void server_change(struct server *server)
{
	int name = (int)dice(N_NAMES);
	struct object *object = &server->objects[name];
	const char *type = object->uid == 0 ? "ADDED" : dice(3) == 0 ? "DELETED" : "MODIFIED";

	if (server->n_log == LOG_MAX)
		return;
	if (object->uid == 0)
		object->uid = ++server->next_uid;
	object->rv = ++server->rv;
	object->content = (int)dice(1000000);
	server->log[server->n_log++] = (struct change){type, name, *object};
	if (strcmp(type, "DELETED") == 0)
		*object = (struct object){0};
}

static void put_object(struct buf *out, int name, const struct object *object)
{
	buf_printf(out,
	           "{\"kind\":\"Thing\",\"metadata\":{\"namespace\":\"n\",\"name\":\"o%d\",\"uid\":"
	           "\"%d\","
	           "\"resourceVersion\":\"%d\",\"managedFields\":[{\"x\":\"]}\"}]},\"content\":%d}",
	           name, object->uid, object->rv, object->content);
}

static void put_status(struct buf *out, int code, const char *reason)
{
	buf_printf(out, "{\"kind\":\"Status\",\"code\":%d,\"reason\":\"%s\",\"message\":\"no\"}",
	           code, reason);
}

/* --- the reflector's side --------------------------------------------------------------------- */

struct walk {
	struct server server;
	struct reflector_core core;
	struct reflector_action action; /* what it is doing */
	int64_t now_ms;
	int list_rv; /* of the list being paged */
	struct object page_objects[N_NAMES];
	int watch_rv;                /* sent so far */
	struct object seen[N_NAMES]; /* what the handlers told */
	size_t n_synced;
};

static int name_of(struct str key)
{
	assert_true(str_starts_with(key, STR_LIT("n/o")));
	return atoi(key.ptr + 3);
}

static struct object object_of(const json_t *obj)
{
	assert_null(json_at(obj, "metadata.managedFields"));
	return (struct object){atoi(kube_uid(obj)), atoi(kube_resource_version(obj)),
	                       (int)json_int_at(obj, "content", -1)};
}

static void on_add(struct str key, json_t *obj, void *arg)
{
	struct walk *walk = arg;

	assert_int_equal(walk->seen[name_of(key)].uid, 0);
	walk->seen[name_of(key)] = object_of(obj);
}

static void on_update(struct str key, json_t *old, json_t *obj, void *arg)
{
	struct walk *walk = arg;
	struct object *seen = &walk->seen[name_of(key)];
	struct object before = object_of(old);
	struct object now = object_of(obj);

	assert_memory_equal(seen, &before, sizeof(before));
	assert_memory_not_equal(seen, &now, sizeof(now));
	*seen = now;
}

static void on_delete(struct str key, json_t *old, void *arg)
{
	struct walk *walk = arg;
	struct object *seen = &walk->seen[name_of(key)];
	struct object before = object_of(old);

	assert_memory_equal(seen, &before, sizeof(before));
	/* Nothing is withdrawn that is still there. */
	for (int i = 0; i < N_NAMES; i++)
		assert_int_not_equal(walk->server.objects[i].uid, before.uid);
	*seen = (struct object){0};
}

static void on_synced(void *arg)
{
	struct walk *walk = arg;

	walk->n_synced++;
}

static struct reflector_moment moment(struct walk *walk)
{
	return (struct reflector_moment){walk->now_ms, dice(65536) << 16 | dice(65536)};
}

/* Hands text over in random pieces. False: the core wants no more. */
static bool feed(struct walk *walk, struct str text, struct err *err)
{
	while (text.len > 0) {
		size_t n = 1 + dice(200);

		if (n > text.len)
			n = text.len;
		if (!reflector_core_data(&walk->core, str_make(text.ptr, n), err))
			return false;
		text = str_make(text.ptr + n, text.len - n);
	}
	return true;
}

static void done(struct walk *walk, const struct err *err, bool rv_too_large)
{
	struct reflector_outcome outcome = {.err = err, .rv_too_large = rv_too_large};

	walk->action = reflector_core_done(&walk->core, &outcome, moment(walk));
	if (walk->action.what == REFLECTOR_DO_WATCH)
		walk->watch_rv = atoi(walk->action.rv);
}

static void refuse(struct walk *walk, enum err_code code, bool rv_too_large)
{
	struct err err;

	err_set(&err, code, "refused");
	done(walk, &err, rv_too_large);
}

/* Pages hold a random number of objects; the token is "NAME" of the next one. */
static void answer_page(struct walk *walk, struct buf *out)
{
	const struct reflector_action *action = &walk->action;
	int at = action->cont != NULL ? atoi(action->cont) : 0;
	int end = action->limit == 0 ? N_NAMES : at + 1 + (int)dice(N_NAMES);

	if (action->cont == NULL) {
		walk->list_rv = walk->server.rv;
		memcpy(walk->page_objects, walk->server.objects, sizeof(walk->page_objects));
	}
	buf_printf(out, "{\"kind\":\"ThingList\",\"items\":[");
	for (int n = 0; at < N_NAMES && at < end; at++) {
		if (walk->page_objects[at].uid == 0)
			continue;
		buf_add_text(out, n++ > 0 ? "," : "");
		put_object(out, at, &walk->page_objects[at]);
	}
	buf_printf(out, "],\"metadata\":{\"resourceVersion\":\"%d\"", walk->list_rv);
	if (at < N_NAMES)
		buf_printf(out, ",\"continue\":\"%d\"", at);
	buf_add_text(out, "}}");
}

static void serve_list(struct walk *walk, bool behave)
{
	struct buf CLEANUP(buf_fini) answer = {.max = 1 << 20};
	const struct reflector_action *action = &walk->action;
	struct err err;

	if (action->rv != NULL && atoi(action->rv) > walk->server.rv) {
		refuse(walk, ERR_TIMEOUT, true);
		return;
	}
	if (!behave && dice(6) == 0) {
		static const enum err_code codes[] = {ERR_EXPIRED, ERR_IO, ERR_INTERNAL,
		                                      ERR_FORBIDDEN};

		refuse(walk, codes[dice(4)], false);
		return;
	}
	answer_page(walk, &answer);
	struct str text = buf_str(&answer);

	if (!behave && dice(8) == 0)
		text.len = dice((unsigned)text.len); /* breaks off */
	if (!behave && dice(20) == 0)
		text = STR_LIT("<html>");
	done(walk, feed(walk, text, &err) ? NULL : &err, false);
}

/* Sends up to n of the changes that the watch has not seen. */
static bool send_changes(struct walk *walk, unsigned n, struct buf *out)
{
	for (int i = 0; i < walk->server.n_log && n > 0; i++) {
		const struct change *change = &walk->server.log[i];

		if (change->object.rv <= walk->watch_rv)
			continue;
		walk->watch_rv = change->object.rv;
		buf_printf(out, "{\"type\":\"%s\",\"object\":", change->type);
		put_object(out, change->name, &change->object);
		buf_add_text(out, "}\n");
		n--;
	}
	return n > 0;
}

static void serve_watch(struct walk *walk, bool behave)
{
	struct buf CLEANUP(buf_fini) lines;
	unsigned fault = behave ? 99 : dice(20);
	struct err err;

	if (walk->watch_rv < walk->server.compacted || fault == 0) {
		buf_init(&lines, 1000);
		buf_add_text(&lines, "{\"type\":\"ERROR\",\"object\":");
		put_status(&lines, 410, "Expired");
		buf_add_text(&lines, "}\n");
		assert_false(feed(walk, buf_str(&lines), &err));
		assert_int_equal(err.code, ERR_EXPIRED);
		done(walk, &err, false);
		return;
	}
	buf_init(&lines, 1 << 22);
	if (send_changes(walk, behave ? LOG_MAX : 1 + dice(4), &lines) && dice(3) == 0)
		buf_printf(&lines,
		           "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":"
		           "\"%d\"}}}\n",
		           walk->server.rv);
	struct str text = buf_str(&lines);

	if (fault == 1 && text.len > 0)
		text.len = dice((unsigned)text.len);
	assert_true(feed(walk, text, &err));
	if (fault == 1 || fault == 2)
		refuse(walk, ERR_IO, false);
	else if (fault == 3)
		done(walk, NULL, false);
	else if (fault == 4)
		refuse(walk, ERR_INTERNAL, false);
}

static void serve(struct walk *walk, bool behave)
{
	walk->now_ms += dice(3000);
	switch (walk->action.what) {
	case REFLECTOR_DO_LIST:
		serve_list(walk, behave);
		return;
	case REFLECTOR_DO_WATCH:
		serve_watch(walk, behave);
		return;
	case REFLECTOR_DO_WAIT:
		walk->now_ms += walk->action.wait_ms;
		walk->action = reflector_core_timer(&walk->core, moment(walk));
		if (walk->action.what == REFLECTOR_DO_WATCH)
			walk->watch_rv = atoi(walk->action.rv);
		return;
	case REFLECTOR_DO_NOTHING:
		fail_msg("the core is at a loss");
	}
}

static void check_equal(struct walk *walk)
{
	for (int i = 0; i < N_NAMES; i++) {
		struct object *object = &walk->server.objects[i];
		char key[32];

		assert_memory_equal(&walk->seen[i], object, sizeof(*object));
		snprintf(key, sizeof(key), "n/o%d", i);
		struct reflector_entry *entry = map_find_text(&walk->core.store.entries, key);

		assert_int_equal(entry != NULL, object->uid != 0);
	}
}

static void walk_once(unsigned seed)
{
	struct walk *walk = xcalloc(1, sizeof(*walk));
	struct reflector_handlers handlers = {.on_add = on_add,
	                                      .on_update = on_update,
	                                      .on_delete = on_delete,
	                                      .on_synced = on_synced,
	                                      .arg = walk};

	dice_state = seed;
	walk->now_ms = 1;
	walk->server.rv = 5;
	reflector_core_init(&walk->core, false, &handlers);
	walk->action = reflector_core_start(&walk->core, moment(walk));
	for (int i = 0; i < 300; i++) {
		if (dice(2) == 0)
			server_change(&walk->server);
		if (dice(40) == 0)
			walk->server.compacted = walk->server.rv;
		serve(walk, false);
	}
	/* three rounds may be needed to list and then watch to the end */
	for (int i = 0; i < 60; i++)
		serve(walk, true);
	assert_true(walk->core.status.synced);
	assert_true(walk->n_synced > 0);
	check_equal(walk);
	reflector_core_fini(&walk->core);
	free(walk);
}

static void the_copy_becomes_equal_whatever_happens_on_the_way(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 300; seed++)
		walk_once(seed);
}

static void list_and_watch_until_equal(struct walk *walk)
{
	for (int i = 0; i < 60; i++)
		serve(walk, true);
	check_equal(walk);
}

static void a_restore_from_backup_is_followed_even_if_versions_repeat(void **state)
{
	struct walk *walk = xcalloc(1, sizeof(*walk));
	struct reflector_handlers handlers = {
		.on_add = on_add, .on_update = on_update, .on_delete = on_delete, .arg = walk};

	(void)state;
	dice_state = 7;
	reflector_core_init(&walk->core, false, &handlers);
	walk->action = reflector_core_start(&walk->core, moment(walk));
	for (int i = 0; i < 20; i++)
		server_change(&walk->server);
	struct server backup = walk->server;

	server_change(&walk->server);
	server_change(&walk->server);
	list_and_watch_until_equal(walk);
	walk->server = backup;
	walk->server.next_uid += 100;
	/* other content under a version that was used before */
	server_change(&walk->server);
	walk->now_ms += 60000;
	refuse(walk, ERR_EXPIRED, false);
	list_and_watch_until_equal(walk);
	reflector_core_fini(&walk->core);
	free(walk);
}

static void stop_core(struct str key, json_t *obj, void *arg)
{
	(void)key;
	(void)obj;
	reflector_core_stop(arg);
}

static void a_handler_may_stop_it(void **state)
{
	static const char page[] =
		"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\":{"
		"\"name\":\"a\"}},{\"metadata\":{\"name\":\"b\"}},{\"metadata\":{}}]}";
	struct reflector_core core;
	struct reflector_handlers handlers = {.on_add = stop_core, .arg = &core};
	struct reflector_moment at = {1, 1};
	struct err err;

	(void)state;
	reflector_core_init(&core, true, &handlers);
	assert_int_equal(reflector_core_start(&core, at).what, REFLECTOR_DO_LIST);
	assert_true(reflector_core_data(&core, str_from(page), &err));
	assert_int_equal(reflector_core_done(&core, &(struct reflector_outcome){0}, at).what,
	                 REFLECTOR_DO_NOTHING);
	assert_int_equal(map_len(&core.store.entries), 2);
	assert_int_equal(core.status.bad, 1);
	reflector_core_fini(&core);
}

static void a_list_that_breaks_off_changes_nothing(void **state)
{
	static const char half[] =
		"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\":{"
		"\"name\":\"a\"}},";
	struct walk walk = {0};
	struct reflector_handlers handlers = {.on_add = on_add, .arg = &walk};
	struct reflector_moment at = {1, 1};
	struct err err;

	(void)state;
	reflector_core_init(&walk.core, false, &handlers);
	IGNORE(reflector_core_start(&walk.core, at).apply);
	assert_true(reflector_core_data(&walk.core, str_from(half), &err));
	assert_int_equal(reflector_core_done(&walk.core, &(struct reflector_outcome){0}, at).what,
	                 REFLECTOR_DO_WAIT);
	assert_false(walk.core.status.synced);
	assert_int_equal(map_len(&walk.core.store.entries), 0);
	assert_non_null(strstr(walk.core.error.msg, "broke off"));
	reflector_core_fini(&walk.core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_copy_becomes_equal_whatever_happens_on_the_way),
		cmocka_unit_test(a_restore_from_backup_is_followed_even_if_versions_repeat),
		cmocka_unit_test(a_handler_may_stop_it),
		cmocka_unit_test(a_list_that_breaks_off_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
