/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootstrap - what must be on the API server before the controllers begin: our CRDs and
 * Mesh/default. Goes through the client, so it is the same on the hosted API and on an external
 * one, and tries again until it is done. Loop thread.
 */
#pragma once

#include <jansson.h>

#include "base/loop.h"
#include "kube/client.h"

struct bootstrap;

/* done: once, with Mesh/default as it stands, borrowed for the call. */
struct bootstrap *bootstrap_start(struct loop *loop, struct kube_client *api,
                                  void (*done)(const json_t *mesh, void *arg), void *arg);
void bootstrap_destroy(struct bootstrap *bootstrap);
