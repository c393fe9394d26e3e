/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure - Status answers, in the words of kube-apiserver, because clients look for them.
 *
 * Every function fills the reply and returns false, so that `return api_fail_...(reply, ...)` ends
 * a stage in one line.
 * Source: Kubernetes API conventions, "Response Status Kind"; apimachinery pkg/api/errors.
 */
#pragma once

#include "kinds.h"
#include "request.h"

#include "base/err.h"
#include "base/macros.h"

bool api_fail(struct api_reply *reply, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool api_fail_err(struct api_reply *reply, const struct err *err);

bool api_fail_not_found(struct api_reply *reply, const struct api_resource *resource,
                        const char *name);
/* "the server could not find the requested resource" */
bool api_fail_no_resource(struct api_reply *reply);
bool api_fail_exists(struct api_reply *reply, const struct api_resource *resource,
                     const char *name);
bool api_fail_modified(struct api_reply *reply, const struct api_resource *resource,
                       const char *name);
bool api_fail_conflict(struct api_reply *reply, const struct api_resource *resource,
                       const char *name, const char *why);
bool api_fail_method(struct api_reply *reply);
bool api_fail_media(struct api_reply *reply, const char *accepted);
/* `PLURAL "NAME" is forbidden: why`; cause_reason NULL: none. */
bool api_fail_forbidden(struct api_reply *reply, const struct api_resource *resource,
                        const char *name, const char *why, json_t *cause);

/* causes: [{reason, message, field}]; stolen. */
bool api_fail_invalid(struct api_reply *reply, const struct api_resource *resource,
                      const char *name, json_t *causes);
/* kind "ListOptions": options of a request. */
bool api_fail_options(struct api_reply *reply, const char *kind, const char *field,
                      const char *reason, const char *message);

/* The Status of a deletion. */
void api_reply_deleted(struct api_reply *reply, const struct api_resource *resource,
                       const char *name, const char *uid);

/* A Status object as it stands in an ERROR event of a watch. New. */
json_t *api_status_create(int code, const char *reason, const char *message);
