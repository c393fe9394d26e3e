/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <string.h>

/* The first two use the same pod range on purpose: only the network group tells them apart. */
const struct lab_host lab_hosts[] = {
	{"control", "192.0.2.10", "", "", "", "", "", 0},
	{"cluster1", "192.0.2.21", "10.201.0.0/16", "10.201", "mdemo-cluster1", "network-c1",
         "region1/zone1/subzone1", 1},
	{"cluster2", "192.0.2.22", "10.201.0.0/16", "10.201", "mdemo-cluster2", "network-c2",
         "region1/zone2/subzone2", 2},
	{"cluster3", "192.0.2.23", "10.100.0.0/16", "10.100", "mdemo-cluster3", "network-c3",
         "region2/zone3/subzone3", 3},
	{NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0},
};

const struct lab_host *lab_host_find(const char *name)
{
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		if (strcmp(host->name, name) == 0 || strcmp(host->cluster, name) == 0)
			return host;
	}
	return NULL;
}
