/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole request against a server in memory: "METHOD PATH\nCONTENT-TYPE\nACCEPT\nBODY".
 * Every reply has a status and, if it is JSON, parses; what was stored can be listed.
 */
#include "call.h"
#include "lifecycle.h"
#include "watcher.h"

#include <stdlib.h>

#include "base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	REQUESTS_A_CORE = 200
};

static const char definition[] =
	"{\"metadata\":{\"name\":\"ws.x.io\"},\"spec\":{\"group\":\"x.io\",\"scope\":"
	"\"Namespaced\","
	"\"names\":{\"plural\":\"ws\",\"kind\":\"W\"},\"versions\":[{\"name\":\"v1\",\"served\":"
	"true,"
	"\"storage\":true,\"subresources\":{\"status\":{}},\"schema\":{\"openAPIV3Schema\":{"
	"\"type\":"
	"\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"
	"\"integer\",\"minimum\":1,\"default\":2},\"s\":{\"type\":\"string\",\"pattern\":\"^a+$\"},"
	"\"l\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-"
	"keys\":"
	"[\"k\"],\"items\":{\"type\":\"object\",\"properties\":{\"k\":{\"type\":\"string\"}}}},"
	"\"any\":"
	"{\"x-kubernetes-preserve-unknown-fields\":true}}}}}}}]}}";

static void send(struct api_core *core, const struct api_request *source)
{
	struct api_reply reply;
	struct api_request request = *source;
	request.user.name = xstrdup("admin");
	request.user.groups = json_pack("[s]", "system:masters");
	api_reply_init(&reply);
	api_handle(core, &request, &reply);
	if (reply.status < 200 || reply.status > 504)
		abort();
	if (strcmp(reply.content_type, "application/json") == 0 && reply.watcher == NULL &&
	    reply.answer == NULL && reply.status != 304) {
		json_t *value = json_loadb(reply.body.ptr, reply.body.len, 0, NULL);
		if (value == NULL)
			abort();
		json_decref(value);
	}
	api_reply_fini(&reply);
	api_user_fini(&request.user);
}

static struct api_core *core_get(void)
{
	static struct api_core core;
	static int requests;
	struct err err;
	if (requests++ % REQUESTS_A_CORE != 0)
		return &core;
	if (requests > 1)
		api_core_fini(&core);
	if (!api_core_init(&core, &err))
		abort();
	core.now_s = 1795514400;
	api_lifecycle_start(&core);
	struct api_request define = {
		.method = API_POST,
		.path = STR_LIT("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
		.query = STR_LIT(""),
		.accept = "",
		.content_type = "",
		.if_none_match = "",
		.body = str_from(definition)};
	send(&core, &define);
	return &core;
}

static enum api_method method_of(struct str text)
{
	static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
	for (size_t i = 0; i < N_ELEMS(names); i++) {
		if (str_is(text, names[i]))
			return (enum api_method)i;
	}
	return API_OTHER;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_core *core = core_get();
	struct str rest = str_make((const char *)data, size);
	struct str line = STR_LIT("");
	struct str method = STR_LIT("");
	struct str type = STR_LIT("");
	struct str accept = STR_LIT("");
	IGNORE(str_split(&rest, '\n', &line)); /* what is missing stays empty */
	IGNORE(str_split(&rest, '\n', &type));
	IGNORE(str_split(&rest, '\n', &accept));
	IGNORE(str_split(&line, ' ', &method));
	char *type_text = str_dup(type);
	char *accept_text = str_dup(accept);
	struct api_request request = {.method = method_of(method),
	                              .accept = accept_text,
	                              .content_type = type_text,
	                              .if_none_match = "",
	                              .body = rest.ptr != NULL ? rest : STR_LIT("")};
	IGNORE(str_split(&line, '?', &request.path));
	request.query = line.ptr != NULL ? line : STR_LIT("");
	send(core, &request);
	api_lifecycle_step(core);
	struct api_request list = {.method = API_GET,
	                           .path = STR_LIT("/apis/x.io/v1/ws"),
	                           .query = STR_LIT(""),
	                           .accept = "",
	                           .content_type = "",
	                           .if_none_match = ""};
	send(core, &list);
	free(type_text);
	free(accept_text);
	return 0;
}
