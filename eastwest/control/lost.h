/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lost - gateways that the control plane has withdrawn while they were dead. They carry nothing,
 * but are checked and reported for some time on: nobody else would find out that they are back.
 * Pure; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "eastwest/table.h"

enum {
	EW_LOST_KEEP_MS = 600000,
	EW_LOST_MAX = 256
};

struct ew_lost_gateway {
	struct ew_health *health; /* shared */
	char *network;
	char *cluster;
	bool mark;
	int64_t until_ms;
};

/* Zeroed at first. */
struct ew_lost {
	struct map gateways; /* address text to struct ew_lost_gateway */
};

void ew_lost_fini(struct ew_lost *lost);
/* A table follows another (or none): what is dead and not in it any more is lost, what is in it
 * again is not. Forgets what has been lost for too long. */
void ew_lost_follow(struct ew_lost *lost, const struct ew_table *old, const struct ew_table *now,
                    int64_t now_ms);
