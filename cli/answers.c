/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"

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

json_t *answers_ask(struct remote *hub, const char *plural, const char *kind, json_t *spec,
                    struct err *err)
{
	char *path CLEANUP(free_ptr) = xasprintf("/apis/" GROUP_VERSION "/%s", plural);
	json_t *question CLEANUP(json_cleanup) =
		json_pack("{ss ss so}", "apiVersion", GROUP_VERSION, "kind", kind, "spec", spec);
	json_t *answer = remote_post(hub, path, question, err);
	if (answer == NULL &&
	    (err->code == ERR_NOT_FOUND || err->code == ERR_PROTOCOL || err->code == ERR_METHOD) &&
	    !are_served(hub))
		err_set(err, ERR_NOT_ACCEPTABLE,
		        "this API server does not serve %s (" GROUP_VERSION "): it is not "
		        "fedwayd's own, or its version is older",
		        plural);
	return answer;
}
