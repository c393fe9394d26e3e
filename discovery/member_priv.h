/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member - one cluster that is followed: its client, a reflector a kind, the builder that they
 * feed, the copy, and what is known of its health.
 *
 * Reflectors only note what there is to do; the member's own timer does it in a later turn, once
 * for all events that came together, and calls the handlers last.
 */
#pragma once

#include "copy_priv.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "discovery/discovery.h"
#include "kube/client.h"
#include "kube/reflector.h"
#include "model/snapshot_builder.h"

enum {
	MEMBER_SAVE_RETRY_MS = 1000,
	MEMBER_NAME_MAX = 63,
	MEMBER_TEXT_MAX = 600
};

struct member;

/* One kind of one member. */
struct member_kind {
	struct member *member;
	const struct kube_resource *resource;
	struct reflector *reflector; /* NULL without client */
	uint64_t lists_before;       /* ended before it was last started: they do not count */
	/* as the status last told it */
	bool synced;
	bool reachable;
	enum err_code error_code;
};

struct member {
	struct discovery *discovery; /* parent */
	struct loop *loop;
	const struct discovery_handlers *handlers; /* the parent's */
	char name[MEMBER_NAME_MAX + 1];
	struct kubeconfig config;
	struct kube_client *client; /* NULL: no kubeconfig */
	struct kube_call *version_call;
	struct member_kind kinds[DISCOVERY_KINDS];
	struct snapshot_builder *builder;
	struct snapshot *snapshot; /* in force; NULL: nothing known */
	struct copy copy;
	bool paused;
	bool complete;
	bool from_copy;
	bool reachable;
	bool must_tell;          /* status */
	struct loop_timer timer; /* what was noted is done */
	struct loop_timer lost;  /* set: nothing answers; not yet unreachable */
	int64_t observed_wall_s;
	uint64_t bad;
	char version[64];
	char bad_object[MEMBER_TEXT_MAX];
	char copy_error[MEMBER_TEXT_MAX];
};

/* How connections are made: the parent's. */
struct member_dial {
	int (*dial)(void *arg);
	void *arg;
};

struct member *member_create(struct discovery *discovery, struct loop *loop, const char *dir,
                             const char *name, const struct discovery_handlers *handlers);
void member_destroy(struct member *member);
/* Loads the copy and tells on_snapshot. The member may be gone afterwards. */
void member_load(struct member *member);
MUST_CHECK
bool member_set_config(struct member *member, const struct kubeconfig *config,
                       const struct member_dial *dial, struct err *err);
void member_set_paused(struct member *member, bool paused);
/* Monotonic time of the last sign of life of any kind; 0: never. */
int64_t member_contact_ms(const struct member *member);
/* Once in a while: the copy is still right. */
void member_touch(struct member *member);
void member_get_status(const struct member *member, struct discovery_status *ret_status);

/* The parent's: is it still this one? Handlers may have removed it. */
bool discovery_has(const struct discovery *discovery, const char *name,
                   const struct member *member);
