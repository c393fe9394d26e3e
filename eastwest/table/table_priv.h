/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_priv - what the table and its builder share.
 */
#pragma once

#include "eastwest/table.h"

struct ew_table {
	_Atomic uint32_t refs;
	uint64_t version;
	struct ew_names *names; /* shared */
	uint16_t own_network;
	uint16_t own_cluster;
	uint32_t n_routes;
	uint32_t n_networks;
	uint32_t mask;                /* slots less one, a power of two less one */
	struct ew_route **slots;      /* owned array, borrowed routes */
	struct ew_route **routes;     /* owned array, one reference each */
	struct ew_network **networks; /* owned array in order of name, one reference each */
};

uint32_t ew_table_hash(struct str sni);
/* Makes slots from routes. */
void ew_table_index(struct ew_table *table);

/* One allocation: route, groups, endpoints, name. Names are added to names. */
MUST_CHECK
bool ew_route_create(const struct ew_route_spec *spec, struct ew_names *names,
                     struct ew_route **ret_route, struct err *err);
void ew_route_unref(struct ew_route *route);
void ew_network_unref(struct ew_network *network);
