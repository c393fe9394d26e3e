/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - the hosted Kubernetes-style API server: TLS, kinds as data, SQLite below.
 *
 *   loop ── https ──▶ route ▶ authn ▶ authz ▶ decode ▶ kind ▶ validate ▶ store ▶ encode
 *                                                                │ rows, one fsync for many
 *                                             watchers ◀── hub ◀─┘
 *
 * A write is answered, and shown to anybody, only once it is on disk. All functions are for the
 * loop's thread; one more thread does nothing but commit.
 * Source: Kubernetes API concepts and conventions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/json.h"

struct api;
struct loop;

struct api_options {
	/* Made if missing (0700). Holds api.db, pki/, admin.kubeconfig, admin.token. */
	const char *data_dir;
	/* "ADDR:PORT" (port 0: any) or "fd:N". Default "127.0.0.1:6443". */
	const char *listen;
	/* HOST:PORT under which others reach us: names in the certificate; the first is written
	 * into admin.kubeconfig. None: the listening address. */
	const char *const *advertise;
	size_t n_advertise;
};

/*
 * Opens or makes the data directory, loads the store, listens and serves. Defaults for all options
 * but data_dir. NULL: ERR_IO, ERR_INVALID (a store written by a newer version).
 */
MUST_CHECK
struct api *api_create(struct loop *loop, const struct api_options *options, struct err *err);
/* Ends watches, commits what was accepted, closes. NULL is harmless. */
void api_destroy(struct api *api);

/* The address really listened on. */
struct addr api_addr(const struct api *api);
/* Path of a kubeconfig with a client certificate that may do all. Borrowed. */
const char *api_kubeconfig(const struct api *api);

/*
 * Creates or replaces an object as an admin would by create and update (our CRDs at start). The
 * write is accepted when this returns and committed soon after. ERR_INVALID, ERR_NOT_FOUND (kind or
 * namespace).
 */
MUST_CHECK
bool api_ensure(struct api *api, const json_t *obj, struct err *err);

/* --- answers: create-only resources that are computed and never stored ------------------------ */

struct api_answer;

struct api_answer_kind {
	const char *group;   /* "answers.fedway.io" */
	const char *version; /* "v1alpha1" */
	const char *plural;  /* "preflights" */
	const char *kind;    /* "Preflight" */
	/* Called for a POST of an admin; body is borrowed for the call. Ends in exactly one
	 * api_answer_reply() or api_answer_fail(), at once or later. */
	void (*cb)(struct api_answer *answer, const json_t *body, void *arg);
	void *arg;
};

/* kind is borrowed and outlives api. */
void api_add_answer(struct api *api, const struct api_answer_kind *kind);
/* 201 with obj; steals obj. The answer is gone afterwards. A client that has left meanwhile is no
 * error. */
void api_answer_reply(struct api_answer *answer, json_t *obj);
void api_answer_fail(struct api_answer *answer, const struct err *err);
