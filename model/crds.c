/* SPDX-License-Identifier: Apache-2.0 */
#include "model/crds.h"

#include "embedded_priv.h"

#include <pthread.h>

#include "base/macros.h"

static const struct {
	const char *name;
	const char *kind;
	const char *file;
	bool ours;
} rows[] = {
	{"clusters.fedway.io", "Cluster", "cluster", true},
	{"destinationrules.networking.istio.io", "DestinationRule", "destinationrule", false},
	{"eastwestgateways.fedway.io", "EastWestGateway", "eastwestgateway", true},
	{"meshes.fedway.io", "Mesh", "mesh", true},
	{"meshservices.fedway.io", "MeshService", "meshservice", true},
	{"networkgroups.fedway.io", "NetworkGroup", "networkgroup", true},
};

static struct crd crds[N_ELEMS(rows)];
static pthread_once_t once = PTHREAD_ONCE_INIT;

const struct embedded *embedded_find(const char *name)
{
	for (const struct embedded *file = embedded_files; file->name != NULL; file++) {
		if (strcmp(file->name, name) == 0)
			return file;
	}
	UNREACHABLE("a file that the build embeds");
}

static void fill(void)
{
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		const struct embedded *file = embedded_find(rows[i].file);

		crds[i] = (struct crd){rows[i].name, rows[i].kind,
		                       str_make((const char *)file->ptr, file->len), rows[i].ours};
	}
}

const struct crd *crd_all(size_t *ret_n)
{
	pthread_once(&once, fill);
	*ret_n = N_ELEMS(crds);
	return crds;
}

const struct crd *crd_find(const char *name)
{
	pthread_once(&once, fill);
	for (size_t i = 0; i < N_ELEMS(crds); i++) {
		if (strcmp(crds[i].name, name) == 0)
			return &crds[i];
	}
	return NULL;
}
