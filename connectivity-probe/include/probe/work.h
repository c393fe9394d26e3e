/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work - tasks and results of fedway.probe.v1 as bytes. Pure; any thread. Source: contracts 8.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "probe/ladder.h"

enum {
	PROBE_ID_MAX = 64,
	PROBE_MESSAGE_MAX = 16 << 10
};
#define PROBE_WORK_PATH "/fedway.probe.v1.Probe/Work"

/* Owns its texts. */
struct probe_task {
	char id[PROBE_ID_MAX];
	struct probe_check check;
	char *text; /* holds the check's texts */
};

void probe_task_encode(const char *id, const struct probe_check *check, struct buf *out);
/* ERR_INVALID names the field: a missing one, a port out of range, a payload or deadline over its
 * maximum, a kind that is not known. ret_task->id is filled if there is one, so that the refusal
 * can be answered; give back with probe_task_fini in both cases. */
MUST_CHECK
bool probe_task_decode(struct str bytes, struct probe_task *ret_task, struct err *err);
void probe_task_fini(struct probe_task *task);

void probe_result_encode(const char *id, const struct probe_result *result, struct buf *out);
/* ERR_INVALID: no id, more than six stages, one that is unknown or out of order, a code that is
 * none. Evidence is cut to PROBE_EVIDENCE_MAX and freed of control characters. */
MUST_CHECK
bool probe_result_decode(struct str bytes, char ret_id[PROBE_ID_MAX],
                         struct probe_result *ret_result, struct err *err);
