/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory - which gateways stand where, and what each network group is in effect: the step from
 * what users wrote (groups, gateways) and what was seen (streams, reports) to `mesh_network`.
 *
 * Rules: a group is joined in effect if its spec says so, the Mesh has interconnect on, and it has
 * at least one working gateway. Addresses are those of the group's spec, else those of the gateways
 * of its clusters. An address takes the mark only while every instance behind it has announced it.
 * Pure. Texts are borrowed by what is filled and copied by what is kept.
 */
#pragma once

#include "model/mesh.h"
#include "model/settings.h"
#include "netgroups/health.h"

/* A process with a stream to the control plane, as last seen. */
struct inventory_instance {
	char *cluster;
	char *gateway;
	char *name;
	char *version;
	bool mark;
	bool connected;
	int64_t seen_ms;          /* monotonic; of the last sign of life */
	int64_t cert_not_after_s; /* 0 unknown */
};

enum {
	INVENTORY_INSTANCE_MS = 600000, /* without a stream this long it is dropped */
	INVENTORY_INSTANCES_MAX = 10000
};

struct inventory {
	struct map instances; /* "CLUSTER/GATEWAY/NAME" → struct inventory_instance */
};

void inventory_init(struct inventory *inventory);
void inventory_fini(struct inventory *inventory);
/* A stream came, or went (connected false). Copies. */
void inventory_see(struct inventory *inventory, const struct inventory_instance *instance);
/* Drops what has been gone for INVENTORY_INSTANCE_MS. True: something was. */
bool inventory_expire(struct inventory *inventory, int64_t now_ms);

typedef void (*inventory_cb)(const struct inventory_instance *instance, void *arg);
void inventory_for_each(const struct inventory *inventory, const char *gateway, inventory_cb cb,
                        void *arg);
/* Instances of the gateway that have a stream now. */
size_t inventory_connected(const struct inventory *inventory, const char *gateway);
/* Has instances, and each has announced the mark. */
bool inventory_takes_mark(const struct inventory *inventory, const char *gateway);

/* What a group is made from. */
struct network_input {
	const struct group_spec *group;
	const struct gateway_spec *const *gateways; /* those of its clusters */
	size_t n_gateways;
	bool interconnect_enabled;
	const struct inventory *inventory;
	const struct health *health;
	/* Adopted addresses without an instance: did fedwayd reach one by TCP? */
	bool (*reached)(const char *address, uint16_t port, void *arg);
	void *arg;
};

struct network_result {
	struct mesh_network network; /* gateways are owned by the result; texts are borrowed */
	size_t working;              /* gateways with a stream, or reached by TCP */
	const char *blocking; /* why joined has no effect, "" if it has or is not asked for */
};

struct network_result network_result_make(const struct network_input *input);
void network_result_fini(struct network_result *result);
