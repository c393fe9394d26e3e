/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/set.h"

#include "set_priv.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "xds/network.h"

struct xds_set *xds_set_create(void)
{
	struct xds_set *set = xcalloc(1, sizeof(*set));
	set->refs = 1;
	set->generation = 1;
	list_init(&set->readers);
	for (size_t i = 0; i < N_XDS_TYPES; i++)
		list_init(&set->journal[i]);
	return set;
}

struct xds_set *xds_set_ref(struct xds_set *set)
{
	set->refs++;
	return set;
}

static void free_entry(void *value)
{
	struct set_entry *entry = value;
	list_remove(&entry->link);
	xds_resource_unref(entry->resource);
	free(entry);
}

void xds_set_unref(struct xds_set *set)
{
	if (set == NULL || --set->refs > 0)
		return;
	for (size_t i = 0; i < N_XDS_TYPES; i++)
		map_fini(&set->entries[i], free_entry);
	free(set->network);
	free(set->cluster);
	free(set->locality);
	free(set->source_ranges);
	free(set);
}

/* --- version ---------------------------------------------------------------------------------- */

static void digest_add(uint8_t sum[SET_VERSION_BYTES], struct str text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	if (EVP_Digest(text.ptr, text.len, digest, &len, EVP_sha256(), NULL) != 1)
		UNREACHABLE("SHA-256 is always there");
	for (size_t i = 0; i < SET_VERSION_BYTES; i++)
		sum[i] ^= digest[i];
}

/* Adds a resource to the sum or takes it out: exclusive or undoes itself, in any order. */
static void toggle(struct xds_set *set, const struct xds_resource *resource)
{
	char text[XDS_NAME_MAX + XDS_VERSION_MAX + 16];
	int len = snprintf(text, sizeof(text), "%d/%s/%.*s", (int)resource->type, resource->version,
	                   STR_ARG(resource->name));
	digest_add(set->sum, str_make(text, (size_t)len));
}

static const char *text_or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static struct str ranges_bytes(const struct cidr *ranges, size_t n)
{
	return str_make((const char *)ranges, n * sizeof(ranges[0]));
}

const char *xds_set_version(const struct xds_set *const_set)
{
	struct xds_set *set = (struct xds_set *)(uintptr_t)const_set;
	if (set->version_generation == set->generation)
		return set->version;
	uint8_t sum[SET_VERSION_BYTES];
	memcpy(sum, set->sum, sizeof(sum));
	char *info = xasprintf("%d\n%s\n%s\n%s", set->left, text_or_empty(set->network),
	                       text_or_empty(set->cluster), text_or_empty(set->locality));
	digest_add(sum, str_from(info));
	free(info);
	if (set->n_source_ranges > 0)
		digest_add(sum, ranges_bytes(set->source_ranges, set->n_source_ranges));
	for (size_t i = 0; i < SET_VERSION_BYTES; i++)
		snprintf(set->version + 2 * i, 3, "%02x", sum[i]);
	set->version_generation = set->generation;
	return set->version;
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Tombstones that every reader has passed tell nobody anything. */
static void prune(struct xds_set *set, enum xds_type type)
{
	if (set->n_removed[type] < SET_TOMBSTONES_MIN ||
	    set->n_removed[type] < set->n_live[type] / 2)
		return;
	uint64_t passed = set->seq;
	list_for_each (it, &set->readers) {
		const struct set_reader *reader = LIST_ENTRY(it, struct set_reader, link);
		if (reader->cursor[type] < passed)
			passed = reader->cursor[type];
	}
	list_for_each_safe (it, &set->journal[type]) {
		struct set_entry *entry = LIST_ENTRY(it, struct set_entry, link);
		if (entry->seq > passed)
			break;
		if (!entry->removed)
			continue;
		map_remove(&set->entries[type], entry->resource->name);
		free_entry(entry);
		set->n_removed[type]--;
	}
}

static void touch(struct xds_set *set, struct set_entry *entry)
{
	set->generation++;
	entry->seq = ++set->seq;
	list_remove(&entry->link);
	list_append(&set->journal[entry->resource->type], &entry->link);
}

static struct set_entry *add_entry(struct xds_set *set, struct xds_resource *resource)
{
	struct set_entry *entry = xcalloc(1, sizeof(*entry));
	list_init(&entry->link);
	entry->removed = true;
	entry->resource = xds_resource_ref(resource);
	map_set(&set->entries[resource->type], resource->name, entry);
	set->n_removed[resource->type]++;
	return entry;
}

bool set_reader_holds(const struct set_reader *reader, const struct set_entry *entry)
{
	enum xds_type type = entry->resource->type;
	uint64_t cursor = reader->cursor[type];
	if (entry->removed && entry->seq <= cursor)
		return false;
	return entry->added_seq <= cursor ||
	       map_find(&reader->outlived[type], entry->resource->name) != NULL;
}

void set_reader_pass(const struct xds_set *set, struct set_reader *reader, enum xds_type type)
{
	reader->cursor[type] = set->seq;
	map_fini(&reader->outlived[type], NULL);
}

static void revive(struct xds_set *set, struct set_entry *entry)
{
	enum xds_type type = entry->resource->type;
	list_for_each (it, &set->readers) {
		struct set_reader *reader = LIST_ENTRY(it, struct set_reader, link);
		if (entry->added_seq > 0 && set_reader_holds(reader, entry))
			map_add(&reader->outlived[type], entry->resource->name);
	}
	entry->removed = false;
	entry->added_seq = set->seq + 1;
	set->n_removed[type]--;
	set->n_live[type]++;
}

bool xds_set_put(struct xds_set *set, struct xds_resource *resource, bool hold)
{
	enum xds_type type = resource->type;
	struct set_entry *entry = map_find(&set->entries[type], resource->name);
	bool same = entry != NULL && !entry->removed &&
	            strcmp(entry->resource->version, resource->version) == 0;
	if (same && entry->hold == hold)
		return false;
	if (same) {
		/* streams that wait for the end of the hold look at the entry themselves */
		entry->hold = hold;
		set->generation++;
		return true;
	}
	if (entry == NULL)
		entry = add_entry(set, resource);
	if (entry->removed)
		revive(set, entry);
	else
		toggle(set, entry->resource);
	xds_resource_ref(resource);
	xds_resource_unref(entry->resource);
	entry->resource = resource;
	entry->hold = hold;
	toggle(set, resource);
	touch(set, entry);
	return true;
}

static void make_tombstone(struct xds_set *set, struct set_entry *entry)
{
	enum xds_type type = entry->resource->type;
	entry->removed = true;
	entry->hold = false;
	set->n_live[type]--;
	set->n_removed[type]++;
	toggle(set, entry->resource);
	touch(set, entry);
}

bool xds_set_remove(struct xds_set *set, enum xds_type type, struct str name)
{
	struct set_entry *entry = map_find(&set->entries[type], name);
	if (entry == NULL || entry->removed)
		return false;
	make_tombstone(set, entry);
	prune(set, type);
	return true;
}

size_t xds_set_replace(struct xds_set *set, const struct xds_set *other)
{
	size_t n = 0;
	for (size_t type = 0; type < N_XDS_TYPES; type++) {
		list_for_each_safe (it, &set->journal[type]) {
			struct set_entry *old = LIST_ENTRY(it, struct set_entry, link);
			if (old->removed || xds_set_find(other, type, old->resource->name) != NULL)
				continue;
			make_tombstone(set, old);
			n++;
		}
		list_for_each (it, &other->journal[type]) {
			const struct set_entry *new = LIST_ENTRY(it, struct set_entry, link);
			if (!new->removed)
				n += xds_set_put(set, new->resource, new->hold);
		}
		prune(set, type);
	}
	return n;
}

void xds_set_set_complete(struct xds_set *set, bool complete)
{
	if (set->complete == complete)
		return;
	set->complete = complete;
	set->generation++;
}

static bool set_text(char **text, const char *value)
{
	if (strcmp(text_or_empty(*text), text_or_empty(value)) == 0)
		return false;
	free(*text);
	*text = value != NULL ? xstrdup(value) : NULL;
	return true;
}

static bool set_ranges(struct xds_set *set, const struct cidr *ranges, size_t n)
{
	assert(n <= XDS_SOURCE_RANGES_MAX);
	if (str_eq(ranges_bytes(set->source_ranges, set->n_source_ranges), ranges_bytes(ranges, n)))
		return false;
	free(set->source_ranges);
	set->source_ranges = xcalloc(n, sizeof(ranges[0]));
	for (size_t i = 0; i < n; i++)
		set->source_ranges[i] = ranges[i];
	set->n_source_ranges = n;
	return true;
}

bool xds_set_describe(struct xds_set *set, const struct xds_set_info *info)
{
	bool changed = set->left != info->left;
	set->left = info->left;
	changed |= set_text(&set->network, info->network);
	changed |= set_text(&set->cluster, info->cluster);
	changed |= set_text(&set->locality, info->locality);
	changed |= set_ranges(set, info->source_ranges, info->n_source_ranges);
	if (changed)
		set->generation++;
	return changed;
}

/* --- reading ---------------------------------------------------------------------------------- */

bool xds_set_is_complete(const struct xds_set *set)
{
	return set->complete;
}

const struct set_entry *set_find_entry(const struct xds_set *set, enum xds_type type,
                                       struct str name)
{
	const struct set_entry *entry = map_find(&set->entries[type], name);
	return entry != NULL && !entry->removed ? entry : NULL;
}

struct xds_resource *xds_set_find(const struct xds_set *set, enum xds_type type, struct str name)
{
	const struct set_entry *entry = set_find_entry(set, type, name);
	return entry != NULL ? entry->resource : NULL;
}

size_t xds_set_len(const struct xds_set *set, enum xds_type type)
{
	return set->n_live[type];
}

void xds_set_diff(const struct xds_set *from, const struct xds_set *to, xds_set_diff_cb cb,
                  void *arg)
{
	for (size_t type = 0; type < N_XDS_TYPES; type++) {
		list_for_each (it, &to->journal[type]) {
			const struct set_entry *new = LIST_ENTRY(it, struct set_entry, link);
			if (new->removed)
				continue;
			const struct xds_resource *old =
				xds_set_find(from, type, new->resource->name);
			if (old == NULL || !xds_resource_eq(old, new->resource))
				cb(type, new->resource->name, new->resource, arg);
		}
		list_for_each (it, &from->journal[type]) {
			const struct set_entry *old = LIST_ENTRY(it, struct set_entry, link);
			if (!old->removed && xds_set_find(to, type, old->resource->name) == NULL)
				cb(type, old->resource->name, NULL, arg);
		}
	}
}

void set_add_reader(struct xds_set *set, struct set_reader *reader)
{
	list_init(&reader->link);
	list_append(&set->readers, &reader->link);
	for (size_t i = 0; i < N_XDS_TYPES; i++)
		set_reader_pass(set, reader, (enum xds_type)i);
}

void set_remove_reader(struct set_reader *reader)
{
	list_remove(&reader->link);
	for (size_t i = 0; i < N_XDS_TYPES; i++)
		map_fini(&reader->outlived[i], NULL);
}
