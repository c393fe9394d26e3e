/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record - the flight recorder: the last refusals and failures of a process, with names.
 *
 * A ring of fixed size. Any thread adds, any thread reads a copy.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/str.h"
#include "eastwest/conn.h"

enum {
	EW_RECORDS = 4096,
	EW_RECORD_SNI_MAX = 127 /* longer names are cut */
};

struct ew_recorder;

struct ew_recorder *ew_recorder_create(void);
void ew_recorder_destroy(struct ew_recorder *recorder);

struct ew_refusal {
	struct addr client;
	enum ew_door door;
	struct str sni; /* borrowed for the call; may be empty */
	enum ew_close_reason reason;
	uint8_t alert;      /* that was sent; 0: none */
	const char *detail; /* static text, or NULL for the reason's sentence */
};

void ew_recorder_add(struct ew_recorder *recorder, int64_t wall_s,
                     const struct ew_refusal *refusal);

/* A JSON array, newest first, at most max of them. */
void ew_recorder_format(struct ew_recorder *recorder, size_t max, struct buf *out);
