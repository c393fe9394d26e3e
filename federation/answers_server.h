/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers_server - the answers beside an external API server: an HTTPS listener that serves them
 * and nothing else, to whom that API server knows (TokenReview of the bearer token) and allows
 * (SubjectAccessReview: create of the answer's plural). Where it is, and which CA to believe, is
 * published there in ConfigMap fedway-system/fedway-answers: keys address, ca.pem. Loop thread.
 *
 * The CA is made anew at each start and its key is kept nowhere.
 */
#pragma once

#include "answers.h"

#include "base/addr.h"
#include "base/loop.h"
#include "kube/client.h"

struct answers_server;

enum {
	ANSWERS_BODY_MAX = 3 << 20,       /* bytes of a question, as on the hosted API */
	ANSWERS_ASKED_MAX = 64,           /* questions at once; more are refused with 429 */
	ANSWERS_PUBLISH_RETRY_MS = 30000, /* rights may be missing for good */
};

struct answers_server_config {
	struct loop *loop;       /* borrowed, as all below */
	struct kube_client *api; /* the external API server */
	struct answers *answers;
	const char *listen;           /* ADDR:PORT or fd:N */
	const char *const *advertise; /* HOST:PORT; the first is published, all are in the
	                                 certificate; none: the listening address */
	size_t n_advertise;
};

/* ERR_IO: the address. */
MUST_CHECK
struct answers_server *answers_server_create(const struct answers_server_config *config,
                                             struct err *err);
/* Before the answers' parts are destroyed no question may be asked any more: closes the listener
 * and ends what waits. NULL is harmless. */
void answers_server_destroy(struct answers_server *server);
struct addr answers_server_addr(const struct answers_server *server);
