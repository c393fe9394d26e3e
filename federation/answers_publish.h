/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers_publish - ConfigMap fedway-system/fedway-answers on the external API server: where the
 * answers are, and which CA their certificate has. Tries until it is there. Loop thread.
 */
#pragma once

#include "base/loop.h"
#include "kube/client.h"

struct answers_publish;

struct answers_publish *answers_publish_start(struct loop *loop, struct kube_client *api,
                                              const char *address, const char *ca_pem);
/* What was published stays. NULL is harmless. */
void answers_publish_stop(struct answers_publish *publish);
