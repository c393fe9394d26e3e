/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set, from inside: for delta_server, which walks the journal.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "xds/set.h"

enum {
	SET_VERSION_BYTES = 16,
	SET_TOMBSTONES_MIN = 256 /* fewer are not worth a walk */
};

struct set_entry {
	struct list link;              /* in the journal of its type, by seq */
	struct xds_resource *resource; /* shared; a tombstone keeps its last one */
	uint64_t seq;                  /* of the last change */
	uint64_t added_seq;            /* when the name came (again) */
	bool removed;                  /* a tombstone */
	bool hold;
};

/* A stream that follows the set. What it holds is what the journal says up to its cursor. */
struct set_reader {
	struct list link;
	uint64_t cursor[N_XDS_TYPES];
	/* Names that it holds from before they went and came again behind its cursor. */
	struct map outlived[N_XDS_TYPES];
};

struct xds_set {
	unsigned refs;
	uint64_t seq;
	uint64_t generation; /* moves with every change, also of info and completeness */
	bool complete;
	bool left;
	char *network;
	char *cluster;
	char *locality;
	struct cidr *source_ranges;
	size_t n_source_ranges;
	struct map entries[N_XDS_TYPES]; /* name to struct set_entry, tombstones too */
	struct list journal[N_XDS_TYPES];
	size_t n_live[N_XDS_TYPES];
	size_t n_removed[N_XDS_TYPES];
	struct list readers;
	uint8_t sum[SET_VERSION_BYTES];
	char version[2 * SET_VERSION_BYTES + 1];
	uint64_t version_generation; /* of which version is the text */
};

/* NULL: not there, or a tombstone. */
const struct set_entry *set_find_entry(const struct xds_set *set, enum xds_type type,
                                       struct str name);
void set_add_reader(struct xds_set *set, struct set_reader *reader);
void set_remove_reader(struct set_reader *reader);
/* Whether the reader has been told of the name (and not of its end). */
bool set_reader_holds(const struct set_reader *reader, const struct set_entry *entry);
/* It now knows all of this type. */
void set_reader_pass(const struct xds_set *set, struct set_reader *reader, enum xds_type type);
