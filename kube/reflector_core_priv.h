/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_core - machine, reading and copy of a reflector together, without I/O: bytes and ends
 * of requests go in, the next request comes out. reflector_io.c does what it says.
 *
 * An action replaces the one before. Handlers may stop the core; whatever was going on is then
 * over, and REFLECTOR_DO_NOTHING is returned.
 */
#pragma once

#include "reflector_machine_priv.h"
#include "reflector_split_priv.h"
#include "reflector_store_priv.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kube/reflector.h"

struct reflector_core {
	struct reflector_machine machine;
	struct reflector_store store;
	struct split_list list;
	struct split_lines lines;
	struct reflector_handlers handlers;
	struct reflector_status status; /* but for error, retry_in_ms */
	struct err error;
	uint64_t turn; /* steps of the machine */
};

/* When a step is taken: the caller's clock and dice. */
struct reflector_moment {
	int64_t now_ms;
	uint32_t chance;
};

/* How a request ended. */
struct reflector_outcome {
	const struct err *err; /* NULL: as it should */
	bool rv_too_large;
	int64_t retry_after_ms;
};

void reflector_core_init(struct reflector_core *core, bool keys_only,
                         const struct reflector_handlers *handlers);
void reflector_core_fini(struct reflector_core *core);

struct reflector_action reflector_core_start(struct reflector_core *core,
                                             struct reflector_moment at);
struct reflector_action reflector_core_timer(struct reflector_core *core,
                                             struct reflector_moment at);
void reflector_core_stop(struct reflector_core *core);

/* The server answers; a sign of life. */
void reflector_core_contact(struct reflector_core *core, int64_t now_ms);
/* Bytes of the answer to LIST or WATCH. False: the request is to be ended, and, unless the core was
 * stopped meanwhile, reflector_core_done() called with err. */
MUST_CHECK
bool reflector_core_data(struct reflector_core *core, struct str data, struct err *err);
struct reflector_action reflector_core_done(struct reflector_core *core,
                                            const struct reflector_outcome *outcome,
                                            struct reflector_moment at);
bool reflector_core_is_asking(const struct reflector_core *core);
