/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health - what the gateways of other networks say of an address, and what follows for everybody.
 *
 * A gateway acts on its own checks at once; here only the last resort is decided: an address is
 * withdrawn for everybody when there are fresh reporters and all of them have failed for 3 s. With
 * no fresh reporter nothing is judged: a verdict is kept for the time that reporters take to come
 * back after a restart or a cut, then nobody knows. Pure; the clock is a parameter.
 * Source: architecture, contract 2 ("Who says dead").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

enum {
	HEALTH_FRESH_MS = 3000,  /* a report counts this long */
	HEALTH_FAILED_MS = 3000, /* all reporters must have failed this long */
	HEALTH_KEPT_MS = 30000,  /* a verdict without fresh reporters */
	HEALTH_REASON_MAX = 160,
	HEALTH_REPORTERS_MAX = 4096 /* of one address; more are not heard */
};

struct health {
	struct map addresses; /* "ADDRESS:PORT" → struct health_address */
};

/* One address as everybody sees it. */
struct health_verdict {
	bool live;                      /* true also while nobody has judged it */
	bool judged;                    /* somebody measured it; false: live is no claim */
	int64_t since_ms;               /* of the present verdict; 0: unknown */
	char reason[HEALTH_REASON_MAX]; /* why not live, "" if live */
	size_t fresh;                   /* reporters heard lately */
	size_t failing;                 /* of these */
};

void health_init(struct health *health);
void health_fini(struct health *health);

/* reporter: any text that names one process ("CLUSTER/GATEWAY"). */
void health_report(struct health *health, const char *address, uint16_t port, const char *reporter,
                   bool live, const char *reason, int64_t now_ms);
/* A reporter is gone: it is heard no more. */
void health_forget_reporter(struct health *health, const char *reporter);

/* Judges every address again. Returns true if a verdict changed, or is none any more. ret_next_ms:
 * when to judge again at the latest without a report, -1 never. */
bool health_judge(struct health *health, int64_t now_ms, int64_t *ret_next_ms);

/* Of the last judgement; an address that nobody reported is live. */
struct health_verdict health_verdict_of(const struct health *health, const char *address,
                                        uint16_t port);

/* What status said before a restart: so that a dead address is not tried again by all at start. It
 * counts as heard now. */
void health_restore(struct health *health, const char *address, uint16_t port, bool live,
                    const char *reason, int64_t now_ms);
