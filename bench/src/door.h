/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "tcp.h"

#include <pthread.h>

/*
 * door - a thread that knocks at a gateway again and again, and notes when the outcome changes. A
 * knock is a connection with the hello of a sidecar; it is answered when a byte of the upstream
 * comes back, refused when an alert or nothing does.
 */

/* Between the end of a knock and the next one. */
#define DOOR_PAUSE_US 500
#define DOOR_FLIPS    256

struct door {
	const char *name, *sni;
	struct addr to;
	pthread_t thread;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	bool open;                    /* what the last knock found */
	uint64_t flips;               /* how often that has changed; the door begins closed */
	uint64_t flip_at[DOOR_FLIPS]; /* when flip N was known, at N % DOOR_FLIPS, ns */
	uint64_t knocks, took_ns;     /* all; by all together */
};

/* Starts knocking at door->to for door->sni, until the process ends. */
void door_start(struct door *door);

/* How often the outcome has changed so far, and what it is. */
uint64_t door_flips(struct door *door, bool *ret_open);
/* When flip `number` (from 0, of the last DOOR_FLIPS) was known, in ns. Waits for it; 0: it did not
 * come before `deadline_ns`. */
uint64_t door_wait(struct door *door, uint64_t number, uint64_t deadline_ns);
/* Mean duration of a knock until its outcome is known, ns. */
uint64_t door_mean(struct door *door);
