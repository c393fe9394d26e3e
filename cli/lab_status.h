/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_status - what runs in a lab:
 *
 *   {dir, pid, members, programs: [{host, program, state, pid, address, folder}],
 *    hosts: [{host, cluster, network, locality, address, pods, folder}]}
 *
 * state: Running, Starting (its door is closed) or Ended; pid as seen from outside, 0: none.
 */
#pragma once

#include "common.h"
#include "lab_programs.h"

#include <jansson.h>

/* Needs a lab that is up. Owned; NULL with err. */
MUST_CHECK
json_t *lab_status_gather(const char *dir, bool embedded, struct err *err);
/* Pure. */
void lab_status_format(const json_t *status, struct look look, struct buf *out);
