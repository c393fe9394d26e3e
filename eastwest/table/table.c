/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash is open addressing with linear probing, at most half full; it holds pointers to routes,
 * and each route its own hash, so that a lookup compares text only with the right one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "table/table_priv.h"

/* FNV-1a over the name. Names come from the route table's author, never from a peer, so that no
 * seed is needed and a table is the same every time. */
uint32_t ew_table_hash(struct str sni)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < sni.len; i++)
		h = (h ^ (uint8_t)sni.ptr[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

struct ew_table *ew_table_ref(struct ew_table *table)
{
	atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
	return table;
}

void ew_table_unref(struct ew_table *table)
{
	if (table == NULL || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (uint32_t i = 0; i < table->n_routes; i++)
		ew_route_unref(table->routes[i]);
	for (uint32_t i = 0; i < table->n_networks; i++)
		ew_network_unref(table->networks[i]);
	free(table->routes);
	free(table->networks);
	free(table->slots);
	ew_names_unref(table->names);
	free(table);
}

void ew_table_index(struct ew_table *table)
{
	uint32_t n = 16;
	while (n < 2 * table->n_routes)
		n *= 2;
	table->slots = xcalloc(n, sizeof(*table->slots));
	table->mask = n - 1;
	for (uint32_t i = 0; i < table->n_routes; i++) {
		uint32_t at = table->routes[i]->hash & table->mask;
		while (table->slots[at] != NULL)
			at = (at + 1) & table->mask;
		table->slots[at] = table->routes[i];
	}
}

const struct ew_route *ew_table_find(const struct ew_table *table, struct str sni)
{
	uint32_t hash = ew_table_hash(sni);
	for (uint32_t at = hash & table->mask; table->slots[at] != NULL;
	     at = (at + 1) & table->mask) {
		const struct ew_route *route = table->slots[at];
		if (route->hash == hash && route->sni_len == sni.len &&
		    memcmp(route->sni, sni.ptr, sni.len) == 0)
			return route;
	}
	return NULL;
}

/* outbound_.PORT_._.HOST for outbound_.PORT_.SUBSET_.HOST: a DestinationRule adds names with a
 * subset, the one without stays. */
bool ew_table_has_other_subset(const struct ew_table *table, struct str sni)
{
	char plain[EW_NAME_LEN_MAX + 8];
	struct str prefix = STR_LIT("outbound_.");
	if (sni.len > EW_NAME_LEN_MAX || !str_starts_with(sni, prefix))
		return false;
	const char *port = sni.ptr + prefix.len;
	const char *end = sni.ptr + sni.len;
	const char *port_end = memmem(port, (size_t)(end - port), "_.", 2);
	if (port_end == NULL)
		return false;
	const char *subset = port_end + 2;
	const char *subset_end = memmem(subset, (size_t)(end - subset), "_.", 2);
	if (subset_end == NULL || subset_end == subset)
		return false;
	size_t head = (size_t)(subset - sni.ptr);
	size_t tail = (size_t)(end - subset_end);
	memcpy(plain, sni.ptr, head);
	memcpy(plain + head, subset_end, tail);
	return ew_table_find(table, str_make(plain, head + tail)) != NULL;
}

const struct ew_network *ew_table_network(const struct ew_table *table, uint16_t name)
{
	uint32_t low = 0;
	uint32_t high = table->n_networks;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (table->networks[mid]->name == name)
			return table->networks[mid];
		if (table->networks[mid]->name < name)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

uint32_t ew_table_n_routes(const struct ew_table *table)
{
	return table->n_routes;
}

const struct ew_route *ew_table_route_at(const struct ew_table *table, uint32_t i)
{
	return table->routes[i];
}

uint32_t ew_table_n_networks(const struct ew_table *table)
{
	return table->n_networks;
}

const struct ew_network *ew_table_network_at(const struct ew_table *table, uint32_t i)
{
	return table->networks[i];
}

const struct ew_names *ew_table_names(const struct ew_table *table)
{
	return table->names;
}

const char *ew_table_own_network(const struct ew_table *table)
{
	return ew_names_text(table->names, table->own_network);
}

const char *ew_table_own_cluster(const struct ew_table *table)
{
	return ew_names_text(table->names, table->own_cluster);
}

uint64_t ew_table_version(const struct ew_table *table)
{
	return table->version;
}

size_t ew_table_memory(const struct ew_table *table)
{
	size_t total = sizeof(*table) + (table->mask + 1) * sizeof(*table->slots) +
	               table->n_routes * sizeof(*table->routes);
	for (uint32_t i = 0; i < table->n_routes; i++) {
		const struct ew_route *route = table->routes[i];
		total += sizeof(*route) + route->n_groups * sizeof(*route->groups) +
		         route->n_endpoints * sizeof(*route->endpoints) + route->sni_len + 1u;
	}
	for (uint32_t i = 0; i < table->n_networks; i++)
		total += sizeof(struct ew_network) +
		         table->networks[i]->n_gateways * sizeof(struct ew_gateway);
	return total;
}
