/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request - one API call without its transport, and what is answered.
 *
 * A reply is made at once and sent when the revision wait_rev is on disk, so nobody ever sees a
 * state that a crash could take back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum {
	API_BODY_MAX = 3 << 20,    /* bytes of a request body */
	API_OBJECT_MAX = 3 << 19,  /* bytes of a stored object */
	API_REPLY_MAX = 512 << 20, /* bytes of one answer (a list of everything) */
	API_WARNINGS_MAX = 16      /* Warning fields of one answer */
};

enum api_method {
	API_GET,
	API_POST,
	API_PUT,
	API_PATCH,
	API_DELETE,
	API_OTHER,
};

/* Who asks. Texts are owned. */
struct api_user {
	char *name; /* "system:anonymous" without credentials */
	char *uid;
	json_t *groups;
	json_t *extra;
};

void api_user_fini(struct api_user *user);
bool api_user_has_group(const struct api_user *user, const char *group);

struct api_request {
	enum api_method method;
	struct str path;
	struct str query;
	/* "" when absent */
	const char *accept;
	const char *content_type;
	const char *if_none_match;
	struct str body;
	struct api_user user;
};

struct api_watcher;
struct api_answer_kind;

struct api_reply {
	int status;
	const char *content_type;
	struct buf body;
	char *etag;
	json_t *warnings;            /* array of texts, or NULL */
	int retry_after_s;           /* 0: no such field */
	const char *allow;           /* NULL: no such field */
	uint64_t wait_rev;           /* send when this is on disk */
	struct api_watcher *watcher; /* the body is only the beginning; owned */
	/* Computed elsewhere: answer is asked with the body, the reply comes later. */
	const struct api_answer_kind *answer; /* NULL: none */
	json_t *answer_body;
};

void api_reply_init(struct api_reply *reply);
void api_reply_fini(struct api_reply *reply);
/* text is copied; cut to the limit of warnings. */
void api_reply_warn(struct api_reply *reply, const char *text);
/* The whole value as JSON body. */
void api_reply_json(struct api_reply *reply, int status, const json_t *value);
void api_reply_text(struct api_reply *reply, int status, const char *text);
