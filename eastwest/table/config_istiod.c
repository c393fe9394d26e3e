/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/alloc.h"
#include "table/config_priv.h"

enum {
	LABEL_LEN_MAX = 317 /* of a key: prefix, slash and name; a value is shorter */
};

static bool read_labels(const struct ew_config_at *at, json_t **ret_labels)
{
	struct ew_config_at labels;
	const char *key;
	json_t *value;
	if (!ew_config_object(at, "labels", &labels))
		return false;
	if (json_object_size(labels.value) > EW_CONFIG_LABELS_MAX)
		return ew_config_fail(at, "labels", "has more than %d items", EW_CONFIG_LABELS_MAX);
	json_object_foreach (labels.value, key, value) {
		if (!json_is_string(value))
			return ew_config_fail(&labels, key, "must be a string");
		if (strlen(key) > LABEL_LEN_MAX || json_string_length(value) > LABEL_LEN_MAX)
			return ew_config_fail(&labels, key, "is longer than a label can be");
	}
	*ret_labels = labels.value;
	return true;
}

static bool read_label(const struct ew_config_at *at, const char *key, struct str *ret_text)
{
	if (!ew_config_text(at, key, true, ret_text))
		return false;
	return str_is_dns_label(*ret_text) || ew_config_fail(at, key, "must be a DNS label");
}

bool ew_config_read_istiod(const struct ew_config_at *plane, struct ew_istiod_config *to)
{
	static const char *const known[] = {"namespace", "serviceAccount", "trustDomain", "domain",
	                                    "meshId",    "labels",         NULL};
	struct ew_config_at at;
	struct str namespace_;
	struct str account;
	struct str trust_domain = STR_LIT("cluster.local");
	struct str domain = STR_LIT("cluster.local");
	struct str mesh_id = STR_LIT("");
	if (!ew_config_object(plane, "istiod", &at))
		return false;
	if (at.value == NULL)
		return ew_config_fail(plane, "istiod",
		                      "is missing; type istiod needs namespace and serviceAccount");
	if (!ew_config_keys(&at, known) || !read_label(&at, "namespace", &namespace_) ||
	    !ew_config_text(&at, "serviceAccount", true, &account) ||
	    !ew_config_text(&at, "trustDomain", false, &trust_domain) ||
	    !ew_config_text(&at, "domain", false, &domain) ||
	    !ew_config_text(&at, "meshId", false, &mesh_id) || !read_labels(&at, &to->labels))
		return false;
	to->namespace_ = str_dup(namespace_);
	to->account = str_dup(account);
	to->trust_domain = str_dup(trust_domain);
	to->domain = str_dup(domain);
	to->mesh_id = str_dup(mesh_id);
	return true;
}

void ew_config_free_istiod(struct ew_istiod_config *istiod)
{
	free(istiod->namespace_);
	free(istiod->account);
	free(istiod->trust_domain);
	free(istiod->domain);
	free(istiod->mesh_id);
}
