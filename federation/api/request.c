/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include "watcher.h"

#include <stdlib.h>

#include "base/alloc.h"

void api_user_fini(struct api_user *user)
{
	free(user->name);
	free(user->uid);
	json_decref(user->groups);
	json_decref(user->extra);
	*user = (struct api_user){0};
}

bool api_user_has_group(const struct api_user *user, const char *group)
{
	size_t at;
	json_t *value;
	json_array_foreach (user->groups, at, value) {
		if (strcmp(json_string_value(value), group) == 0)
			return true;
	}
	return false;
}

void api_reply_init(struct api_reply *reply)
{
	*reply = (struct api_reply){.status = 200, .content_type = "application/json"};
	buf_init(&reply->body, API_REPLY_MAX);
}

void api_reply_fini(struct api_reply *reply)
{
	buf_fini(&reply->body);
	free(reply->etag);
	json_decref(reply->warnings);
	json_decref(reply->answer_body);
	api_watcher_destroy(reply->watcher);
	*reply = (struct api_reply){0};
}

void api_reply_warn(struct api_reply *reply, const char *text)
{
	if (reply->warnings == NULL)
		reply->warnings = json_array();
	if (json_array_size(reply->warnings) < API_WARNINGS_MAX)
		json_array_append_new(reply->warnings, json_string(text));
}

void api_reply_json(struct api_reply *reply, int status, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	reply->status = status;
	buf_clear(&reply->body);
	buf_add_text(&reply->body, text != NULL ? text : "null");
	buf_add_char(&reply->body, '\n');
	free(text);
}

void api_reply_text(struct api_reply *reply, int status, const char *text)
{
	reply->status = status;
	reply->content_type = "text/plain; charset=utf-8";
	buf_clear(&reply->body);
	buf_add_text(&reply->body, text);
}
