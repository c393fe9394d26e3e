/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which page a name is in, the low bits of its hash say.
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
	for (uint32_t i = 0; i < table->n_pages; i++)
		ew_page_unref(table->pages[i]);
	for (uint32_t i = 0; i < table->n_networks; i++)
		ew_network_unref(table->networks[i]);
	free(table->pages);
	free(table->first);
	ew_ranges_fini(&table->sources);
	free(table->networks);
	ew_names_unref(table->names);
	free(table);
}

const struct ew_route *ew_table_find(const struct ew_table *table, struct str sni)
{
	uint32_t hash = ew_table_hash(sni);
	return ew_page_find(table->pages[hash & (table->n_pages - 1)], hash, sni);
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

uint32_t ew_table_network_place(struct ew_network *const *networks, uint32_t n, uint16_t name)
{
	uint32_t low = 0;
	uint32_t high = n;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (networks[mid]->name < name)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct ew_network *ew_table_network(const struct ew_table *table, uint16_t name)
{
	uint32_t at = ew_table_network_place(table->networks, table->n_networks, name);
	bool found = at < table->n_networks && table->networks[at]->name == name;
	return found ? table->networks[at] : NULL;
}

uint32_t ew_table_n_routes(const struct ew_table *table)
{
	return table->first[table->n_pages];
}

/* The page that route i is in: the last one that begins at or before it. */
static uint32_t page_of(const struct ew_table *table, uint32_t i)
{
	uint32_t low = 0;
	uint32_t high = table->n_pages;
	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		if (table->first[mid] <= i)
			low = mid;
		else
			high = mid;
	}
	return low;
}

const struct ew_route *ew_table_route_at(const struct ew_table *table, uint32_t i)
{
	uint32_t page = page_of(table, i);
	return table->pages[page]->routes[i - table->first[page]];
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

const struct ew_ranges *ew_table_sources(const struct ew_table *table)
{
	return &table->sources;
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

uint64_t ew_table_networks_version(const struct ew_table *table)
{
	return table->networks_version;
}

uint64_t ew_table_removals_version(const struct ew_table *table)
{
	return table->removals_version;
}

size_t ew_table_memory(const struct ew_table *table)
{
	size_t total = sizeof(*table) + table->n_pages * sizeof(*table->pages);
	for (uint32_t i = 0; i < table->n_pages; i++) {
		const struct ew_page *page = table->pages[i];
		total += sizeof(*page) + page->bytes + page->cap * sizeof(*page->routes) +
		         (page->mask + 1) * sizeof(*page->slots);
	}
	for (uint32_t i = 0; i < table->n_networks; i++)
		total += sizeof(struct ew_network) +
		         table->networks[i]->n_gateways * sizeof(struct ew_gateway);
	return total;
}
