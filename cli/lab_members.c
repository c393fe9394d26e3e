/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_members.h"

#include "base/json.h"
#include "base/yaml.h"

json_t *lab_members_parse(struct str text, const char *name, struct err *err)
{
	json_t *given CLEANUP(json_cleanup) = yaml_parse(text, name, err);
	json_t *found CLEANUP(json_cleanup) = json_object();
	const char *key;
	json_t *value;
	if (given == NULL)
		return NULL;
	json_object_foreach (given, key, value) {
		const struct lab_host *host = lab_host_find(key);
		if (host == NULL || host->number == 0 || !json_is_string(value)) {
			IGNORE(err_set(err, ERR_INVALID,
			               "%s: '%s' is no line 'CLUSTER: KUBECONFIG' of a cluster of "
			               "the lab (mdemo-cluster1, ...)",
			               name, key));
			return NULL;
		}
		json_object_set(found, host->name, value);
	}
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		if (host->number == 0 || json_object_get(found, host->name) != NULL)
			continue;
		IGNORE(err_set(err, ERR_INVALID, "%s: add a line '%s: KUBECONFIG'", name,
		               host->cluster));
		return NULL;
	}
	return json_incref(found);
}
