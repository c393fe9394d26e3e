/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash is open addressing with linear probing, at most half full; each route holds its own
 * hash, so that a lookup compares text only with the right one.
 */
#include "table/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "table/table_priv.h"
#include "table/traffic.h"

enum {
	ROUTES_MIN = 4
};

struct ew_page *ew_page_create(void)
{
	struct ew_page *page = xcalloc(1, sizeof(*page));
	page->refs = 1;
	return page;
}

struct ew_page *ew_page_ref(struct ew_page *page)
{
	atomic_fetch_add_explicit(&page->refs, 1, memory_order_relaxed);
	return page;
}

void ew_page_unref(struct ew_page *page)
{
	if (page == NULL || atomic_fetch_sub_explicit(&page->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (uint32_t i = 0; i < page->n; i++)
		ew_route_unref(page->routes[i]);
	free(page->routes);
	free(page->slots);
	free(page);
}

/* The low bits of the hash say which page it is: here the others count. */
static uint32_t slot_of(const struct ew_page *page, uint32_t hash)
{
	return hash >> 16 & page->mask;
}

static void add_slot(struct ew_page *page, uint32_t index)
{
	uint32_t at = slot_of(page, page->routes[index]->hash);
	while (page->slots[at] != 0)
		at = (at + 1) & page->mask;
	page->slots[at] = (uint16_t)(index + 1);
}

/* Makes room for cap routes, and the slots anew. */
static void resize(struct ew_page *page, uint32_t cap)
{
	uint32_t n_slots = 2 * ROUTES_MIN;
	while (n_slots < 2 * cap)
		n_slots *= 2;
	page->cap = cap;
	page->routes = xrealloc(page->routes, cap * sizeof(*page->routes));
	free(page->slots);
	page->slots = xcalloc(n_slots, sizeof(*page->slots));
	page->mask = n_slots - 1;
	for (uint32_t i = 0; i < page->n; i++)
		add_slot(page, i);
}

struct ew_page *ew_page_copy(const struct ew_page *page)
{
	struct ew_page *copy = ew_page_create();
	copy->bytes = page->bytes;
	/* one more, as a copy is made to add or to replace */
	copy->routes = xcalloc(page->n + 1, sizeof(*copy->routes));
	for (uint32_t i = 0; i < page->n; i++) {
		copy->routes[i] = page->routes[i];
		atomic_fetch_add_explicit(&page->routes[i]->refs, 1, memory_order_relaxed);
	}
	copy->n = page->n;
	resize(copy, page->n + 1);
	return copy;
}

/* The slot of a name, or a free one. */
static uint32_t find_slot(const struct ew_page *page, uint32_t hash, struct str sni)
{
	uint32_t at = slot_of(page, hash);
	for (; page->slots[at] != 0; at = (at + 1) & page->mask) {
		const struct ew_route *route = page->routes[page->slots[at] - 1];
		if (route->hash == hash && route->sni_len == sni.len &&
		    memcmp(route->sni, sni.ptr, sni.len) == 0)
			break;
	}
	return at;
}

struct ew_route *ew_page_find(const struct ew_page *page, uint32_t hash, struct str sni)
{
	if (page->n == 0)
		return NULL;
	uint16_t index = page->slots[find_slot(page, hash, sni)];
	return index != 0 ? page->routes[index - 1] : NULL;
}

static size_t bytes_of(const struct ew_route *route)
{
	return sizeof(*route) + sizeof(*route->traffic) + route->n_groups * sizeof(*route->groups) +
	       route->n_endpoints * sizeof(*route->endpoints) + route->sni_len + 1u;
}

bool ew_page_put(struct ew_page *page, struct ew_route *route)
{
	struct str sni = str_make(route->sni, route->sni_len);
	uint32_t at = page->n > 0 ? find_slot(page, route->hash, sni) : 0;
	page->bytes += bytes_of(route);
	if (page->n > 0 && page->slots[at] != 0) {
		struct ew_route **old = &page->routes[page->slots[at] - 1];
		page->bytes -= bytes_of(*old);
		ew_route_unref(*old);
		*old = route;
		return false;
	}
	if (page->n == page->cap)
		resize(page, page->cap > 0 ? 2 * page->cap : ROUTES_MIN);
	page->routes[page->n] = route;
	add_slot(page, page->n++);
	return true;
}

bool ew_page_remove(struct ew_page *page, uint32_t hash, struct str sni)
{
	uint16_t index = page->n > 0 ? page->slots[find_slot(page, hash, sni)] : 0;
	if (index == 0)
		return false;
	page->bytes -= bytes_of(page->routes[index - 1]);
	ew_route_unref(page->routes[index - 1]);
	page->routes[index - 1] = page->routes[--page->n];
	resize(page, page->cap);
	return true;
}
