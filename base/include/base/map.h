/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map - bytes to pointer, in insertion order. Keys are copied; values are borrowed. The hash is
 * seeded per process, so a peer that chooses keys cannot make them collide.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct map_entry;

struct map {
	struct map_entry *head;
};

#define MAP_EMPTY ((struct map){NULL})

/* NULL: not there. */
void *map_find(const struct map *map, struct str key);
void *map_find_text(const struct map *map, const char *key);
/* Sets the value; returns the one it replaced, or NULL. value must not be NULL. */
void *map_set(struct map *map, struct str key, void *value);
/* For a map of which only the keys count, a set. True: the key was not there. The value is a
 * text that nobody owns, so such a map is freed without free_value. */
bool map_add(struct map *map, struct str key);
/* Returns the removed value, or NULL. */
void *map_remove(struct map *map, struct str key);
size_t map_len(const struct map *map);
/* Frees keys and entries, not values, unless free_value is given. */
void map_fini(struct map *map, void (*free_value)(void *value));

/* Iteration in insertion order; the current entry may be removed inside the loop. */
struct map_entry *map_first(const struct map *map);
struct map_entry *map_next(const struct map_entry *entry);
struct str map_key(const struct map_entry *entry);
void *map_value(const struct map_entry *entry);

#define map_for_each(it, map)                                                                      \
	for (struct map_entry *it = map_first(map), *it##_next = it != NULL ? map_next(it) : NULL; \
	     it != NULL; it = it##_next, it##_next = it != NULL ? map_next(it) : NULL)
