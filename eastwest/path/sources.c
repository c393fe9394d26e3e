/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens are counted in thousandths of a connection, so that a millisecond at a rate of N a second
 * adds N of them.
 */
#include "path/sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
	TOKEN = 1000,
	V4_BITS = 96 /* before an IPv4 address in the mapped form */
};

struct source {
	struct ip prefix;
	int64_t at_ms; /* of the last count */
	uint32_t tokens;
	bool used;
};

struct ew_sources {
	struct ew_rate_limit limit;
	uint64_t seed;
	struct source sets[EW_SOURCES / EW_SOURCES_WAYS][EW_SOURCES_WAYS];
};

struct ew_sources *ew_sources_create(const struct ew_rate_limit *limit, uint64_t seed)
{
	struct ew_sources *sources = xcalloc(1, sizeof(*sources));
	sources->limit = *limit;
	sources->seed = seed;
	return sources;
}

void ew_sources_destroy(struct ew_sources *sources)
{
	free(sources);
}

static struct ip prefix_of(const struct ew_rate_limit *limit, const struct ip *client)
{
	uint32_t bits = ip_is_v4(client) ? V4_BITS + limit->prefix_v4 : limit->prefix_v6;
	struct ip prefix = *client;
	for (uint32_t i = 0; i < sizeof(prefix.b); i++) {
		uint32_t keep = bits > 8 * i ? bits - 8 * i : 0;
		if (keep < 8)
			prefix.b[i] &= (uint8_t)(0xff00u >> keep);
	}
	return prefix;
}

/* Multiply and fold over two halves: keyed, and an address is all that a peer can choose. */
static uint64_t hash_of(uint64_t seed, const struct ip *prefix)
{
	uint64_t half[2];
	uint64_t h = seed;
	memcpy(half, prefix->b, sizeof(half));
	for (int i = 0; i < 2; i++) {
		h = (h ^ half[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
		h = (h ^ seed) * 0xbf58476d1ce4e5b9u;
		h ^= h >> 32;
	}
	return h;
}

static uint32_t tokens_at(const struct ew_rate_limit *limit, const struct source *source,
                          int64_t now_ms)
{
	uint64_t full = (uint64_t)limit->burst * TOKEN;
	uint64_t since = now_ms > source->at_ms ? (uint64_t)(now_ms - source->at_ms) : 0;
	/* whoever was away for so long is full, and the product below stays small */
	if (since >= full / limit->rate + 1)
		return (uint32_t)full;
	uint64_t tokens = source->tokens + since * limit->rate;
	return (uint32_t)(tokens < full ? tokens : full);
}

/* The source of this prefix, or the place for it, which is then its own. */
static struct source *find(struct ew_sources *sources, const struct ip *prefix, int64_t now_ms)
{
	uint64_t hash = hash_of(sources->seed, prefix);
	struct source *set = sources->sets[hash % (EW_SOURCES / EW_SOURCES_WAYS)];
	struct source *best = NULL;
	uint32_t most = 0;
	for (int i = 0; i < EW_SOURCES_WAYS; i++) {
		struct source *source = &set[i];
		if (source->used && ip_eq(&source->prefix, prefix))
			return source;
		uint32_t tokens =
			source->used ? tokens_at(&sources->limit, source, now_ms) : UINT32_MAX;
		if (best == NULL || tokens > most) {
			best = source;
			most = tokens;
		}
	}
	*best = (struct source){
		.prefix = *prefix,
		.at_ms = now_ms,
		.tokens = sources->limit.burst * TOKEN,
		.used = true,
	};
	return best;
}

bool ew_sources_take(struct ew_sources *sources, const struct ip *client, int64_t now_ms)
{
	struct ip prefix = prefix_of(&sources->limit, client);
	struct source *source = find(sources, &prefix, now_ms);
	source->tokens = tokens_at(&sources->limit, source, now_ms);
	source->at_ms = now_ms;
	if (source->tokens < TOKEN)
		return false;
	source->tokens -= TOKEN;
	return true;
}
