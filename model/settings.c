/* SPDX-License-Identifier: Apache-2.0 */
#include "model/settings.h"

#include <stdlib.h>

#include "base/alloc.h"

enum {
	HOUR_MS = 3600000
};

void mesh_settings_init(struct mesh_settings *settings)
{
	*settings = (struct mesh_settings){
		.trust_domain = xstrdup("cluster.local"),
		.cluster_domain = xstrdup("cluster.local"),
		.interconnect_enabled = true,
		.on_cluster_loss_after_ms = HOUR_MS / 2,
		.root_secret_namespace = xstrdup(""),
		.root_secret_name = xstrdup(""),
		.leaf_ttl_ms = 24ull * HOUR_MS,
		.intermediate_ttl_ms = 2160ull * HOUR_MS,
	};
}

/* Text of the value at path as one of names; its index, or -1 with an error. */
static int enum_at(const json_t *obj, const char *path, const char *const *names, size_t n,
                   struct err *err)
{
	const char *text = json_str_at(obj, path, names[0]);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], text) == 0)
			return (int)i;
	}
	err_set(err, ERR_INVALID, "%s: '%.100s' is not one of the values of the schema", path,
	        text);
	return -1;
}

static bool duration_at(const json_t *obj, const char *path, uint64_t *ret_ms, struct err *err)
{
	const char *text = json_str_at(obj, path, NULL);

	if (text == NULL)
		return true;
	if (!str_to_duration_ms(str_from(text), ret_ms))
		return err_set(err, ERR_INVALID, "%s: '%.100s' is no duration such as 24h", path,
		               text);
	return true;
}

static void text_at(const json_t *obj, const char *path, char **ret_text)
{
	const char *text = json_str_at(obj, path, NULL);

	if (text == NULL)
		return;
	free(*ret_text);
	*ret_text = xstrdup(text);
}

static bool decode_enums(const json_t *obj, struct mesh_settings *s, struct err *err)
{
	static const char *const failover[] = {"Liveness", "OutlierDetection"};
	static const char *const export[] = {"All", "OptIn"};
	static const char *const loss[] = {"Keep", "Drain", "Drop"};
	int f = enum_at(obj, "spec.failover", failover, N_ELEMS(failover), err);
	int e = f < 0 ? -1 : enum_at(obj, "spec.exportPolicy", export, N_ELEMS(export), err);
	int l = e < 0 ? -1 : enum_at(obj, "spec.onClusterLoss.action", loss, N_ELEMS(loss), err);

	if (l < 0)
		return false;
	s->failover = (enum failover_mode)f;
	s->export_policy = (enum export_policy)e;
	s->on_cluster_loss = (enum cluster_loss)l;
	return true;
}

bool mesh_settings_decode(const json_t *obj, struct mesh_settings *ret_settings, struct err *err)
{
	struct mesh_settings s;

	mesh_settings_init(&s);
	if (!decode_enums(obj, &s, err) ||
	    !duration_at(obj, "spec.onClusterLoss.after", &s.on_cluster_loss_after_ms, err) ||
	    !duration_at(obj, "spec.trust.leafTTL", &s.leaf_ttl_ms, err) ||
	    !duration_at(obj, "spec.trust.intermediateTTL", &s.intermediate_ttl_ms, err)) {
		mesh_settings_fini(&s);
		return err_wrap(err, "Mesh '%.63s'", json_str_at(obj, "metadata.name", ""));
	}
	text_at(obj, "spec.trustDomain", &s.trust_domain);
	text_at(obj, "spec.clusterDomain", &s.cluster_domain);
	text_at(obj, "spec.trust.rootSecretRef.namespace", &s.root_secret_namespace);
	text_at(obj, "spec.trust.rootSecretRef.name", &s.root_secret_name);
	s.interconnect_enabled = json_bool_at(obj, "spec.interconnect.enabled", true);
	locality_setting_decode(json_at(obj, "spec.localityLbSetting"), &s.locality, NULL, NULL);
	*ret_settings = s;
	return true;
}

void mesh_settings_copy(struct mesh_settings *to, const struct mesh_settings *from)
{
	*to = *from;
	to->trust_domain = xstrdup(from->trust_domain);
	to->cluster_domain = xstrdup(from->cluster_domain);
	to->root_secret_namespace = xstrdup(from->root_secret_namespace);
	to->root_secret_name = xstrdup(from->root_secret_name);
	locality_setting_copy(&to->locality, &from->locality);
}

bool mesh_settings_eq(const struct mesh_settings *a, const struct mesh_settings *b)
{
	return strcmp(a->trust_domain, b->trust_domain) == 0 &&
	       strcmp(a->cluster_domain, b->cluster_domain) == 0 &&
	       a->interconnect_enabled == b->interconnect_enabled && a->failover == b->failover &&
	       a->export_policy == b->export_policy && a->on_cluster_loss == b->on_cluster_loss &&
	       a->on_cluster_loss_after_ms == b->on_cluster_loss_after_ms &&
	       strcmp(a->root_secret_namespace, b->root_secret_namespace) == 0 &&
	       strcmp(a->root_secret_name, b->root_secret_name) == 0 &&
	       a->leaf_ttl_ms == b->leaf_ttl_ms &&
	       a->intermediate_ttl_ms == b->intermediate_ttl_ms &&
	       locality_setting_eq(&a->locality, &b->locality);
}

void mesh_settings_fini(struct mesh_settings *settings)
{
	free(settings->trust_domain);
	free(settings->cluster_domain);
	free(settings->root_secret_namespace);
	free(settings->root_secret_name);
	locality_setting_fini(&settings->locality);
	*settings = (struct mesh_settings){0};
}
