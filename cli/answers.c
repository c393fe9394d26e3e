/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"

#include "join.h"

#include "base/alloc.h"
#include "base/json.h"

#define GROUP_VERSION "answers.fedway.io/v1alpha1"

/* What a 404 means: no such object, or nobody here who answers. */
static bool are_served(struct remote *hub)
{
	struct err err;
	json_t *known CLEANUP(json_cleanup) = remote_get_path(hub, "/apis/" GROUP_VERSION, &err);
	return known != NULL;
}

/* Beside an external API server the answers have a listener of their own. Owned; NULL with err. */
static struct remote *open_own(struct remote *hub, struct err *err)
{
	struct kube_ref ref = {&KUBE_CONFIG_MAPS, JOIN_NAMESPACE, "fedway-answers", NULL};
	json_t *map CLEANUP(json_cleanup) = remote_get(hub, &ref, err);
	const json_t *data = json_object_get(map, "data");
	const char *ca_pem = json_string_value(json_object_get(data, "ca.pem"));
	const char *address = json_string_value(json_object_get(data, "address"));
	if (map != NULL && ca_pem != NULL && address != NULL)
		return remote_open_beside(hub, address, ca_pem, err);
	if (map != NULL || err->code == ERR_NOT_FOUND)
		err_set(err, ERR_NOT_ACCEPTABLE,
		        "this API server does not serve " GROUP_VERSION ", and no ConfigMap "
		        "%s/fedway-answers says who does (fedwayd --api-listen)",
		        JOIN_NAMESPACE);
	return NULL;
}

static json_t *ask_own(struct remote *hub, const char *path, const json_t *question,
                       struct err *err)
{
	struct remote *own = open_own(hub, err);
	json_t *answer = own != NULL ? remote_post(own, path, question, err) : NULL;
	remote_close(own);
	return answer;
}

json_t *answers_ask(struct remote *hub, const char *plural, const char *kind, json_t *spec,
                    struct err *err)
{
	char *path CLEANUP(free_ptr) = xasprintf("/apis/" GROUP_VERSION "/%s", plural);
	json_t *question CLEANUP(json_cleanup) =
		json_pack("{ss ss so}", "apiVersion", GROUP_VERSION, "kind", kind, "spec", spec);
	json_t *answer = remote_post(hub, path, question, err);
	bool absent = answer == NULL && (err->code == ERR_NOT_FOUND || err->code == ERR_PROTOCOL ||
	                                 err->code == ERR_METHOD);
	return absent && !are_served(hub) ? ask_own(hub, path, question, err) : answer;
}
