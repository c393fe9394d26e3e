/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources of a server: the first byte chooses the decoder. What decodes must encode, and decode
 * to the same again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "xds/assignment.h"
#include "xds/cluster.h"
#include "xds/network.h"
#include "xds/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_stable(struct xds_resource *one, struct xds_resource *two)
{
	if (one == NULL || two == NULL || !xds_resource_eq(one, two))
		abort();
	xds_resource_unref(one);
	xds_resource_unref(two);
}

static void try_cluster(struct str bytes)
{
	struct err err;
	struct xds_cluster first;
	struct xds_cluster second;
	if (!xds_cluster_decode(bytes, &first, &err))
		return;
	struct xds_resource *one = xds_cluster_encode(&first, &err);
	if (one == NULL || !xds_cluster_decode(one->bytes, &second, &err))
		abort();
	must_be_stable(one, xds_cluster_encode(&second, &err));
	xds_cluster_fini(&first);
	xds_cluster_fini(&second);
}

static void try_assignment(struct str bytes)
{
	struct err err;
	struct xds_assignment first;
	struct xds_assignment second;
	if (!xds_assignment_decode(bytes, &first, &err))
		return;
	struct xds_resource *one = xds_assignment_encode(&first, &err);
	if (one == NULL || !xds_assignment_decode(one->bytes, &second, &err))
		abort();
	must_be_stable(one, xds_assignment_encode(&second, &err));
	xds_assignment_fini(&first);
	xds_assignment_fini(&second);
}

static void try_network(struct str bytes)
{
	struct err err;
	struct xds_network network;
	struct xds_peers peers;
	if (xds_network_decode(STR_LIT("n1"), bytes, &network, &err)) {
		must_be_stable(xds_network_encode(&network, &err),
		               xds_network_encode(&network, &err));
		xds_network_fini(&network);
	}
	if (xds_peers_decode(bytes, &peers, &err))
		xds_peers_fini(&peers);
}

static void try_rest(struct str bytes)
{
	struct err err;
	struct xds_snapshot snapshot;
	struct xds_node node;
	if (xds_snapshot_decode(bytes, &snapshot, &err))
		xds_snapshot_fini(&snapshot);
	if (xds_node_decode(bytes, &node, &err))
		xds_node_fini(&node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const decoders[])(struct str) = {try_cluster, try_assignment, try_network,
	                                               try_rest};
	if (size > 0)
		decoders[data[0] % N_ELEMS(decoders)](str_make((const char *)data + 1, size - 1));
	return 0;
}
