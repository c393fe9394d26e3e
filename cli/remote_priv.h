/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "remote.h"

#include "base/http_client.h"
#include "base/loop.h"
#include "kube/client.h"

struct remote {
	struct kubeconfig config;
	struct loop *loop;
	struct kube_client *client;
	struct http_client *http;
	int64_t took_ms;
	/* of the request under way */
	bool done;
	json_t *answer;
	struct err err;
};
