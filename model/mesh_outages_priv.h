/* SPDX-License-Identifier: Apache-2.0 */
/* A service's outages, sorted by network and SNI: few, as a rule none. */
#pragma once

#include "model/mesh.h"

void mesh_outages_fini(struct mesh_outages *outages);
void mesh_outages_copy(struct mesh_outages *to, const struct mesh_outages *from);
/* False: it was there already, with the same reason. */
bool mesh_outages_put(struct mesh_outages *outages, const struct mesh_outage *outage);
/* False: was not there. */
bool mesh_outages_drop(struct mesh_outages *outages, const char *network, const char *sni);
bool mesh_outages_eq(const struct mesh_outages *a, const struct mesh_outages *b);
/* NULL: none. */
const struct mesh_outage *mesh_outages_find(const struct mesh_outages *outages, const char *network,
                                            const char *sni);
