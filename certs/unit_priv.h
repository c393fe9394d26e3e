/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit - the organisational units that tell intermediates apart (contracts 4).
 */
#pragma once

#define UNIT_CONTROL_PLANE "fedway-control-plane"
#define UNIT_CLUSTER       "fedway-intermediate"
