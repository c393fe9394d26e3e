/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status - the Kubernetes Status object, to and from struct err.
 *
 * Pure. The reason decides, then the HTTP code.
 * Source: Kubernetes API conventions, "Response Status Kind"; apimachinery meta/v1 StatusReason.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What Status.details holds. Texts NULL or "": left out. */
struct kube_status_details {
	const char *name;
	const char *group;
	const char *
		kind; /* the plural with NotFound, AlreadyExists, Conflict; the Kind with Invalid */
	const char *uid;
	json_t *causes; /* array of {reason, message, field}; NULL: none; borrowed */
	int retry_after_s;
};

/* A failure as Status object; details may be NULL. Owned. */
json_t *kube_status_create(const struct err *err, const struct kube_status_details *details);

/* Appends {reason, message, field} to causes. */
void kube_status_add_cause(json_t *causes, const char *reason, const char *field,
                           const char *message);

/* Is this a Status object with status other than Success? */
bool kube_status_is_failure(const json_t *obj);

/*
 * Fills err from a Status object and the HTTP status that came with it (0: none, use its code).
 * Causes stand in the message already; those that do not are appended. Returns false, as err_set.
 */
bool kube_status_to_err(const json_t *status, int http_status, struct err *err);

/* The code for an answer without Status object. */
enum err_code kube_status_code(int http_status);

/* details.retryAfterSeconds, 0 if absent. */
int kube_status_retry_after_s(const json_t *status);
/* Is there a cause with this reason (e.g. "ResourceVersionTooLarge")? */
bool kube_status_has_cause(const json_t *status, const char *reason);
