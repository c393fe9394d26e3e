/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locality - region / zone / subzone, interned: two localities are equal if their pointers are.
 *
 * Interned values live as long as the process and their number is bounded (LOCALITIES_MAX; beyond
 * it everything new is locality_none()). Any thread.
 * Source: Istio's localityLbSetting; Envoy's core.v3.Locality.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
	LOCALITIES_MAX = 65536,
	LOCALITY_PART_MAX = 128 /* bytes of a part; a longer one is cut off with what follows it */
};

struct locality {
	const char *text; /* "region1/zone1/subzone1", "region1", "" */
	const char *region;
	const char *zone;    /* "" if absent; a zone without region does not exist */
	const char *subzone; /* "" if absent */
};

const struct locality *locality_none(void);
/* Stops at the first empty part. */
const struct locality *locality_make(struct str region, struct str zone, struct str subzone);
/* "r/z/s"; parts after the third are ignored. */
const struct locality *locality_parse(struct str text);
/* A pod label's text: as locality_parse, or, without any slash, "r.z.s". */
const struct locality *locality_parse_label(struct str text);

/* Order of the text. */
int locality_cmp(const struct locality *a, const struct locality *b);

/* How near other is to own: the default order of failover. */
enum locality_rank {
	LOCALITY_SAME_SUBZONE = 0,
	LOCALITY_SAME_ZONE = 1,
	LOCALITY_SAME_REGION = 2,
	LOCALITY_ELSEWHERE = 3
};
enum locality_rank locality_rank(const struct locality *own, const struct locality *other);
/* "same zone", for sentences. */
const char *locality_rank_text(enum locality_rank rank);

/* A rule "R/Z/S" of distribute: region equal or `*`; zone and subzone equal, `*` or absent. */
bool locality_rule_matches(struct str rule, const struct locality *locality);
/* One to three parts, none empty, a `*` only as the last. */
bool locality_rule_is_valid(struct str rule);
