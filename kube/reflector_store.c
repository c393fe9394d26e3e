/* SPDX-License-Identifier: Apache-2.0 */
#include "reflector_store_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kube/meta.h"

static void entry_free(void *arg)
{
	struct reflector_entry *entry = arg;

	free(entry->uid);
	free(entry->rv);
	json_decref(entry->obj);
	free(entry);
}

static void obj_free(void *obj)
{
	json_decref(obj);
}

void reflector_store_init(struct reflector_store *store, bool keys_only,
                          const struct reflector_handlers *handlers)
{
	*store = (struct reflector_store){.keys_only = keys_only, .handlers = handlers};
}

void reflector_store_fini(struct reflector_store *store)
{
	map_fini(&store->entries, entry_free);
	map_fini(&store->staged, obj_free);
}

/* --- one object ------------------------------------------------------------------------------- */

static bool key_of(const json_t *obj, char key[KUBE_KEY_MAX], struct err *err)
{
	return kube_key_format(obj, key) ||
	       err_set(err, ERR_INVALID, "an object without a usable metadata.name");
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = xstrdup(value);
}

static void entry_set(struct reflector_store *store, struct reflector_entry *entry, json_t *obj)
{
	set_text(&entry->uid, kube_uid(obj));
	set_text(&entry->rv, kube_resource_version(obj));
	json_decref(entry->obj);
	entry->obj = store->keys_only ? NULL : json_incref(obj);
}

static void tell_add(struct reflector_store *store, struct str key, json_t *obj)
{
	if (store->handlers->on_add != NULL)
		store->handlers->on_add(key, obj, store->handlers->arg);
}

static void put_at(struct reflector_store *store, struct str key, json_t *obj)
{
	struct reflector_entry *entry = map_find(&store->entries, key);

	if (entry == NULL) {
		entry = xcalloc(1, sizeof(*entry));
		entry_set(store, entry, obj);
		map_set(&store->entries, key, entry);
		tell_add(store, key, obj);
		return;
	}
	json_t *old = json_incref(entry->obj);

	entry_set(store, entry, obj);
	if (store->handlers->on_update != NULL)
		store->handlers->on_update(key, old, obj, store->handlers->arg);
	json_decref(old);
}

static void remove_at(struct reflector_store *store, struct str key)
{
	struct reflector_entry *entry = map_remove(&store->entries, key);

	if (entry == NULL)
		return;
	if (store->handlers->on_delete != NULL)
		store->handlers->on_delete(key, entry->obj, store->handlers->arg);
	entry_free(entry);
}

bool reflector_store_put(struct reflector_store *store, json_t *obj, struct err *err)
{
	char key[KUBE_KEY_MAX];

	if (!key_of(obj, key, err))
		return false;
	put_at(store, str_from(key), obj);
	return true;
}

bool reflector_store_remove(struct reflector_store *store, const json_t *obj, struct err *err)
{
	char key[KUBE_KEY_MAX];

	if (!key_of(obj, key, err))
		return false;
	remove_at(store, str_from(key));
	return true;
}

/* --- a list ----------------------------------------------------------------------------------- */

bool reflector_store_stage(struct reflector_store *store, json_t *obj, struct err *err)
{
	char key[KUBE_KEY_MAX];

	if (!key_of(obj, key, err))
		return false;
	if (map_len(&store->staged) >= REFLECTOR_OBJECTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "a list of more than %d objects",
		               REFLECTOR_OBJECTS_MAX);
	json_decref(map_set(&store->staged, str_from(key), json_incref(obj)));
	return true;
}

void reflector_store_forget(struct reflector_store *store)
{
	map_fini(&store->staged, obj_free);
	store->staged = MAP_EMPTY;
}

/* After versions went back equal ones may stand for different contents. */
static bool is_unchanged(const struct reflector_entry *entry, const json_t *obj,
                         bool versions_went_back)
{
	const char *rv = kube_resource_version(obj);

	if (rv[0] == '\0' || strcmp(entry->rv, rv) != 0 || strcmp(entry->uid, kube_uid(obj)) != 0)
		return false;
	return !versions_went_back || (entry->obj != NULL && json_equal(entry->obj, obj));
}

static void drop_missing(struct reflector_store *store, const struct map *staged)
{
	map_for_each (it, &store->entries) {
		char *key = NULL;

		if (map_find(staged, map_key(it)) != NULL)
			continue;
		/* The entry owns the key that the handler is told. */
		key = str_dup(map_key(it));
		remove_at(store, str_from(key));
		free(key);
	}
}

void reflector_store_apply(struct reflector_store *store, bool versions_went_back)
{
	/* Moved aside first: a handler may stop and start the reflector, which forgets it. */
	struct map staged = store->staged;

	store->staged = MAP_EMPTY;
	map_for_each (it, &staged) {
		struct reflector_entry *entry = map_find(&store->entries, map_key(it));

		if (entry != NULL && is_unchanged(entry, map_value(it), versions_went_back))
			continue;
		put_at(store, map_key(it), map_value(it));
	}
	drop_missing(store, &staged);
	map_fini(&staged, obj_free);
}
