/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_priv - what the table and its builder share.
 */
#pragma once

#include "eastwest/table.h"
#include "table/page.h"

struct ew_table {
	_Atomic uint32_t refs;
	uint64_t version;
	uint64_t networks_version;
	uint64_t removals_version;
	struct ew_names *names; /* shared */
	uint16_t own_network;
	uint16_t own_cluster;
	struct ew_ranges sources;
	uint32_t n_networks;
	uint32_t n_pages;             /* a power of two */
	struct ew_page **pages;       /* owned array, one reference each */
	uint32_t *first;              /* owned: routes before each page; one more at the end */
	struct ew_network **networks; /* owned array in order of name, one reference each */
};

uint32_t ew_table_hash(struct str sni);
/* Where a network is in an array of them by name, or would be. */
uint32_t ew_table_network_place(struct ew_network *const *networks, uint32_t n, uint16_t name);

/* One allocation: route, groups, endpoints, name. Names are added to names. */
MUST_CHECK
bool ew_route_create(const struct ew_route_spec *spec, struct ew_names *names,
                     struct ew_route **ret_route, struct err *err);
void ew_route_unref(struct ew_route *route);
void ew_network_unref(struct ew_network *network);
