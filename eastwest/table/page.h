/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page - some of a table's routes: those whose hash ends in the page's number.
 *
 * Written by the builder that made it, never again once a table has it. Shared: ref/unref; it holds
 * one reference of each of its routes.
 */
#pragma once

#include "eastwest/table.h"

enum {
	EW_PAGE_ROUTES = 128 /* routes of a page before the builder doubles their number */
};

struct ew_page {
	_Atomic uint32_t refs;
	uint32_t n;
	uint32_t cap;             /* room in routes */
	uint32_t mask;            /* slots less one, a power of two less one */
	size_t bytes;             /* of its routes */
	struct ew_route **routes; /* owned array */
	uint16_t *slots;          /* owned: index in routes plus one, 0: free */
};

struct ew_page *ew_page_create(void);
/* With the same routes. */
struct ew_page *ew_page_copy(const struct ew_page *page);
struct ew_page *ew_page_ref(struct ew_page *page);
/* NULL is harmless. */
void ew_page_unref(struct ew_page *page);

/* sni in lower case, with its hash. NULL: not there. Borrowed. */
struct ew_route *ew_page_find(const struct ew_page *page, uint32_t hash, struct str sni);
/* Takes over a reference; one of the same name is given up. True: the name is new here. */
bool ew_page_put(struct ew_page *page, struct ew_route *route);
/* False: not there. */
bool ew_page_remove(struct ew_page *page, uint32_t hash, struct str sni);
