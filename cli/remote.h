/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote - one API server, asked and waited for: a command has nothing else to do meanwhile.
 * What returns NULL or false has filled err (kube/client.h says with what).
 */
#pragma once

#include "common.h"

#include <jansson.h>

#include "kube/meta.h"

enum {
	REMOTE_REQUEST_MS = 15000
};

struct remote;

/* The control plane, by the options of CLI_SERVER_ROWS. */
MUST_CHECK
struct remote *remote_open(const struct cli_common *common, struct err *err);
/* Any cluster, by a kubeconfig of the operator's; path NULL: $KUBECONFIG or ~/.kube/config. context
 * may be NULL. */
MUST_CHECK
struct remote *remote_open_file(const char *path, const char *context, struct err *err);
/* Another server that knows hub's bearer token. ERR_INVALID: hub has none. */
MUST_CHECK
struct remote *remote_open_beside(const struct remote *hub, const char *address, const char *ca_pem,
                                  struct err *err);
/* Harmless on NULL. */
void remote_close(struct remote *remote);
const char *remote_server(const struct remote *remote);
/* The flattened kubeconfig, as a Secret may hold it; owned. */
char *remote_kubeconfig(const struct remote *remote);
/* Of the last request. */
int64_t remote_took_ms(const struct remote *remote);

/* Answers are owned. */
json_t *remote_get(struct remote *remote, const struct kube_ref *ref, struct err *err);
json_t *remote_get_path(struct remote *remote, const char *path, struct err *err);
/* {metadata, items}. selector: of labels, NULL: all. */
json_t *remote_list(struct remote *remote, const struct kube_ref *ref, const char *selector,
                    struct err *err);
json_t *remote_create(struct remote *remote, const struct kube_ref *ref, const json_t *obj,
                      struct err *err);
/* Create, or patch what differs. */
json_t *remote_apply(struct remote *remote, const struct kube_ref *ref, const json_t *obj,
                     struct err *err);
json_t *remote_patch(struct remote *remote, const struct kube_ref *ref, const json_t *patch,
                     struct err *err);
MUST_CHECK
bool remote_delete(struct remote *remote, const struct kube_ref *ref, struct err *err);
/* GET as a Table of meta.k8s.io/v1. */
json_t *remote_table(struct remote *remote, const char *path, struct err *err);
/* POST to a path that is no resource's (answers). */
json_t *remote_post(struct remote *remote, const char *path, const json_t *obj, struct err *err);

/* True: enough seen. obj NULL: the object is gone (or was never there, once the list has ended). */
typedef bool (*remote_seen_cb)(const json_t *obj, void *arg);
/* Follows one object until cb is content. ERR_TIMEOUT after timeout_ms. */
MUST_CHECK
bool remote_follow(struct remote *remote, const struct kube_ref *ref, int64_t timeout_ms,
                   remote_seen_cb cb, void *arg, struct err *err);

/* Does nothing for this long. */
void remote_pause(struct remote *remote, int64_t ms);

/* Prints the error; EXIT_UNREACHABLE when there was no answer, else as cli_fail. */
int remote_fail(const struct err *err);
