/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record - the flight recorder: the last decisions, failed attempts and refusals of a process, with
 * names.
 *
 * Two rings of fixed size, one of what went well and one of what did not, so that a busy hour does
 * not push the one refusal out that is looked for. Events are numbered from 1 on, over both. Any
 * thread adds, any thread reads; who reads holds nobody up for longer than the copy of one event.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/str.h"
#include "eastwest/conn.h"

enum {
	EW_RECORDS = 4096,       /* of each ring */
	EW_RECORD_SNI_MAX = 127, /* longer names are cut */
	EW_WAY_NAME_MAX = 63     /* as well */
};

/* Why an endpoint: how the connection came and where it goes, then which attempt it was. */
#define EW_WHYS(X)                                                                                 \
	X(EW_WHY_MARKED, "marked")   /* another gateway asks for this network's endpoints */       \
	X(EW_WHY_RELAY, "relay")     /* no own endpoint is usable: another network's gateway */    \
	X(EW_WHY_REMOTE, "remote")   /* the share of another network, by its gateway */            \
	X(EW_WHY_FIRST, "first")     /* by the shares of the route */                              \
	X(EW_WHY_RETRIED, "retried") /* attempts before it failed */                               \
	X(EW_WHY_HEDGED, "hedged")   /* a second connect beside a first one that was slow */

enum ew_why {
#define X(why, name) why,
	EW_WHYS(X)
#undef X
};

enum {
	EW_WHY_TEXT_MAX = 32
};

/* Where a connection was sent. Zeroed: nowhere. */
struct ew_way {
	struct addr upstream; /* port 0: none */
	uint8_t attempts;     /* with this one */
	uint8_t priority;
	uint8_t whys; /* bits by enum ew_why */
	char cluster[EW_WAY_NAME_MAX + 1];
	char locality[EW_WAY_NAME_MAX + 1];
};

/* "marked+retried". Returns text. */
const char *ew_why_text(uint8_t whys, char text[EW_WHY_TEXT_MAX]);

enum ew_event_kind {
	EW_EVENT_ROUTED, /* an endpoint has it */
	EW_EVENT_FAILED, /* an attempt that came to nothing */
	EW_EVENT_REFUSED
};

struct ew_event {
	enum ew_event_kind kind;
	enum ew_door door;
	struct addr client;
	struct str sni;              /* borrowed for the call; may be empty */
	enum ew_close_reason reason; /* REFUSED */
	uint8_t alert;               /* that was sent; 0: none */
	const char *detail;          /* static text, or NULL for the reason's sentence */
	const struct ew_way *way;    /* borrowed; NULL: none was chosen */
};

struct ew_recorder;

struct ew_recorder *ew_recorder_create(void);
void ew_recorder_destroy(struct ew_recorder *recorder);
void ew_recorder_add(struct ew_recorder *recorder, int64_t wall_ms, const struct ew_event *event);

/* What is asked for. */
struct ew_recorder_ask {
	uint64_t since; /* only numbers above */
	size_t max;     /* the last so many */
	struct str sni; /* names that contain this; empty: all */
};

/* A JSON object: events, oldest first; next: the number to ask since; lost: some after `since`
 * are there no longer. A number that was never given (of a process before) is as 0. */
void ew_recorder_format(struct ew_recorder *recorder, const struct ew_recorder_ask *ask,
                        struct buf *out);
/* A JSON array of refusals alone, newest first. */
void ew_recorder_format_refusals(struct ew_recorder *recorder, size_t max, struct buf *out);
