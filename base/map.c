/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3 with a key of the process's own: fast enough, and unguessable for a peer. uthash
 * keeps the order of insertion.
 */
#include "base/map.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/macros.h"

static unsigned hash_bytes(const void *data, size_t len);

#define HASH_FUNCTION(key, len, ret) ((ret) = hash_bytes((key), (len)))
#define uthash_fatal(msg)            UNREACHABLE(msg)

/* The third-party macros do not hold to our warnings. */
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wnull-dereference"
#include <uthash.h>

struct map_entry {
	UT_hash_handle hh;
	void *value;
	size_t key_len;
	char key[];
};

static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		UNREACHABLE("no random bytes");
}

static uint64_t rotl(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static unsigned hash_bytes(const void *data, size_t len)
{
	const uint8_t *next = data;
	uint64_t last = (uint64_t)len << 56;

	pthread_once(&seed_once, make_seed);
	uint64_t v[4] = {
		seed[0] ^ 0x736f6d6570736575ULL,
		seed[1] ^ 0x646f72616e646f6dULL,
		seed[0] ^ 0x6c7967656e657261ULL,
		seed[1] ^ 0x7465646279746573ULL,
	};
	for (; len >= 8; len -= 8, next += 8) {
		uint64_t word;
		memcpy(&word, next, sizeof(word));
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)next[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	uint64_t hash = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (unsigned)(hash ^ (hash >> 32));
}

static struct map_entry *find(const struct map *map, struct str key)
{
	struct map_entry *entry = NULL;
	const char *bytes = key.ptr != NULL ? key.ptr : "";

	HASH_FIND(hh, map->head, bytes, key.len, entry);
	return entry;
}

void *map_find(const struct map *map, struct str key)
{
	const struct map_entry *entry = find(map, key);

	return entry != NULL ? entry->value : NULL;
}

void *map_find_text(const struct map *map, const char *key)
{
	return map_find(map, str_from(key));
}

void *map_set(struct map *map, struct str key, void *value)
{
	struct map_entry *entry = find(map, key);

	assert(value != NULL);
	if (entry != NULL) {
		void *old = entry->value;
		entry->value = value;
		return old;
	}
	entry = xcalloc(1, sizeof(*entry) + key.len + 1);
	entry->value = value;
	entry->key_len = key.len;
	if (key.len > 0)
		memcpy(entry->key, key.ptr, key.len);
	HASH_ADD_KEYPTR(hh, map->head, entry->key, entry->key_len, entry);
	return NULL;
}

static void *remove_entry(struct map *map, struct map_entry *entry)
{
	void *value = entry->value;

	HASH_DEL(map->head, entry);
	free(entry);
	return value;
}

bool map_add(struct map *map, struct str key)
{
	static char present[] = "";

	return map_set(map, key, present) == NULL;
}

void *map_remove(struct map *map, struct str key)
{
	struct map_entry *entry = find(map, key);

	return entry != NULL ? remove_entry(map, entry) : NULL;
}

size_t map_len(const struct map *map)
{
	return HASH_COUNT(map->head);
}

void map_fini(struct map *map, void (*free_value)(void *value))
{
	while (map->head != NULL) {
		void *value = remove_entry(map, map->head);
		if (free_value != NULL)
			free_value(value);
	}
}

struct map_entry *map_first(const struct map *map)
{
	return map->head;
}

struct map_entry *map_next(const struct map_entry *entry)
{
	return entry->hh.next;
}

struct str map_key(const struct map_entry *entry)
{
	return str_make(entry->key, entry->key_len);
}

void *map_value(const struct map_entry *entry)
{
	return entry->value;
}
