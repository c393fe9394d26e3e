/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reflector of one object: list, watch, and again, until the caller is content or it is late.
 */
#include "remote_priv.h"

#include <stdio.h>

#include "kube/reflector.h"

struct follow {
	struct remote *remote;
	struct reflector *reflector;
	const char *key;
	remote_seen_cb cb;
	void *arg;
	bool content;
	bool late;
};

static void see(struct follow *follow, const json_t *obj)
{
	if (follow->content)
		return;
	follow->content = follow->cb(obj, follow->arg);
	if (follow->content)
		loop_stop(follow->remote->loop);
}

static void on_add(struct str key, json_t *obj, void *arg)
{
	struct follow *follow = arg;
	if (str_is(key, follow->key))
		see(follow, obj);
}

static void on_update(struct str key, json_t *old, json_t *obj, void *arg)
{
	(void)old;
	on_add(key, obj, arg);
}

static void on_delete(struct str key, json_t *old, void *arg)
{
	struct follow *follow = arg;
	(void)old;
	if (str_is(key, follow->key))
		see(follow, NULL);
}

static void on_synced(void *arg)
{
	struct follow *follow = arg;
	if (reflector_find(follow->reflector, str_from(follow->key)) == NULL)
		see(follow, NULL);
}

static void on_late(void *arg)
{
	struct follow *follow = arg;
	follow->late = true;
	loop_stop(follow->remote->loop);
}

static bool follow_run(struct follow *follow, int64_t timeout_ms, struct err *err)
{
	struct loop_timer timer;
	loop_timer_init(&timer, follow->remote->loop, on_late, follow);
	loop_timer_set(&timer, timeout_ms);
	reflector_start(follow->reflector);
	while (!follow->content && !follow->late)
		loop_run(follow->remote->loop);
	loop_timer_fini(&timer);
	if (follow->content)
		return true;
	struct reflector_status status = reflector_status(follow->reflector);
	return err_set(err, ERR_TIMEOUT, "gave up waiting for %s after %lld s%s%s", follow->key,
	               (long long)(timeout_ms / 1000), status.error[0] != '\0' ? ": " : "",
	               status.error);
}

bool remote_follow(struct remote *remote, const struct kube_ref *ref, int64_t timeout_ms,
                   remote_seen_cb cb, void *arg, struct err *err)
{
	char key[KUBE_KEY_MAX];
	char field[KUBE_KEY_MAX + sizeof("metadata.name=")];
	struct follow follow = {.remote = remote, .key = key, .cb = cb, .arg = arg};
	snprintf(field, sizeof(field), "metadata.name=%s", ref->name);
	if (!kube_key_make(str_from(ref->namespace_), str_from(ref->name), key))
		return err_set(err, ERR_INVALID, "'%s' is no name", ref->name);
	struct reflector_options options = {.client = remote->client,
	                                    .resource = ref->resource,
	                                    .namespace_ = ref->namespace_,
	                                    .field_selector = field};
	struct reflector_handlers handlers = {.on_add = on_add,
	                                      .on_update = on_update,
	                                      .on_delete = on_delete,
	                                      .on_synced = on_synced,
	                                      .arg = &follow};
	follow.reflector = reflector_create(remote->loop, &options, &handlers, err);
	if (follow.reflector == NULL)
		return false;
	bool ok = follow_run(&follow, timeout_ms, err);
	reflector_stop(follow.reflector);
	reflector_destroy(follow.reflector);
	return ok;
}
