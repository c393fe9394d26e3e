/* SPDX-License-Identifier: Apache-2.0 */
#include "eastwest/config.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/yaml.h"
#include "table/config_priv.h"

#define API_VERSION "fedway.io/v1alpha1"
#define KIND        "GatewayConfig"

static bool check_head(const struct ew_config_at *top)
{
	static const char *const known[] = {"apiVersion",   "kind",      "workers",   "locality",
	                                    "network",      "listeners", "routes",    "networks",
	                                    "controlPlane", "dataDir",   "metrics",   "health",
	                                    "admin",        "limits",    "accessLog", NULL};
	struct str version;
	struct str kind;
	if (!ew_config_keys(top, known) || !ew_config_text(top, "apiVersion", true, &version) ||
	    !ew_config_text(top, "kind", true, &kind))
		return false;
	if (!str_is(version, API_VERSION))
		return ew_config_fail(top, "apiVersion", "must be %s", API_VERSION);
	if (!str_is(kind, KIND))
		return ew_config_fail(top, "kind", "must be %s", KIND);
	return true;
}

const char *ew_door_name(enum ew_door door)
{
	return door == EW_DOOR_INGRESS ? "ingress" : "egress";
}

static bool read_door(const struct ew_config_at *at, enum ew_door *ret_door)
{
	struct str mode;
	if (!ew_config_text(at, "mode", true, &mode))
		return false;
	if (!str_is(mode, "ingress") && !str_is(mode, "egress"))
		return ew_config_fail(at, "mode", "must be ingress or egress");
	*ret_door = str_is(mode, "ingress") ? EW_DOOR_INGRESS : EW_DOOR_EGRESS;
	return true;
}

static bool read_proxy_protocol(const struct ew_config_at *at, struct ew_listener_config *listener)
{
	static const char *const known[] = {"trusted", NULL};
	struct ew_config_at object;
	if (!ew_config_object(at, "proxyProtocol", &object))
		return false;
	return object.value == NULL || (ew_config_keys(&object, known) &&
	                                ew_config_ranges(&object, "trusted", &listener->trusted));
}

static bool read_listener(const struct ew_config_at *at, struct ew_listener_config *listener)
{
	static const char *const known[] = {"name",  "mode",          "address", "port",
	                                    "allow", "proxyProtocol", NULL};
	struct str name;
	uint32_t port = 0;
	if (!ew_config_keys(at, known) || !ew_config_text(at, "name", true, &name) ||
	    !read_door(at, &listener->door) ||
	    !ew_config_address(at, "address", &listener->addr.ip) ||
	    !ew_config_number(at, "port", 0, UINT16_MAX, &port) ||
	    !ew_config_ranges(at, "allow", &listener->allow) || !read_proxy_protocol(at, listener))
		return false;
	if (!str_is_dns_label(name))
		return ew_config_fail(at, "name", "must be a DNS label");
	if (json_object_get(at->value, "port") == NULL)
		return ew_config_fail(at, "port", "is missing");
	if (listener->door == EW_DOOR_EGRESS && listener->allow.n == 0)
		return ew_config_fail(at, "allow",
		                      "an egress listener needs the ranges of its workloads");
	listener->addr.port = (uint16_t)port;
	listener->name = str_dup(name);
	return true;
}

/* Two at one address would share its connections at random. */
static bool check_others(const struct ew_config_at *at, const struct ew_config *config, size_t i)
{
	const struct ew_listener_config *one = &config->listeners[i];
	for (size_t k = 0; k < i; k++) {
		const struct ew_listener_config *other = &config->listeners[k];
		if (strcmp(other->name, one->name) == 0)
			return ew_config_fail(at, "name", "another listener has this name");
		if (one->addr.port != 0 && addr_eq(&other->addr, &one->addr))
			return ew_config_fail(at, "port", "listener '%s' has this address and port",
			                      other->name);
	}
	return true;
}

static bool read_listeners(const struct ew_config_at *top, struct ew_config *config)
{
	struct ew_config_at array;
	size_t n;
	if (!ew_config_array(top, "listeners", EW_CONFIG_LISTENERS_MAX, &array, &n))
		return false;
	if (n == 0)
		return ew_config_fail(top, "listeners", "needs at least one listener");
	config->listeners = xcalloc(n, sizeof(*config->listeners));
	config->n_listeners = n;
	for (size_t i = 0; i < n; i++) {
		struct ew_config_at item = ew_config_item(&array, i);
		if (!read_listener(&item, &config->listeners[i]) || !check_others(&item, config, i))
			return false;
	}
	return true;
}

/* metrics and health: {address, port}. */
static bool read_socket(const struct ew_config_at *top, const char *key, bool *ret_has,
                        struct addr *ret_addr)
{
	static const char *const known[] = {"address", "port", NULL};
	struct ew_config_at object;
	uint32_t port = 0;
	if (!ew_config_object(top, key, &object))
		return false;
	if (object.value == NULL)
		return true;
	if (!ew_config_keys(&object, known) ||
	    !ew_config_address(&object, "address", &ret_addr->ip) ||
	    !ew_config_number(&object, "port", 0, UINT16_MAX, &port))
		return false;
	if (json_object_get(object.value, "port") == NULL)
		return ew_config_fail(&object, "port", "is missing");
	ret_addr->port = (uint16_t)port;
	*ret_has = true;
	return true;
}

static bool read_admin(const struct ew_config_at *top, struct ew_config *config)
{
	static const char *const known[] = {"path", NULL};
	struct ew_config_at object;
	struct str path;
	if (!ew_config_object(top, "admin", &object))
		return false;
	if (object.value == NULL)
		return true;
	if (!ew_config_keys(&object, known) || !ew_config_text(&object, "path", true, &path))
		return false;
	/* sun_path */
	if (path.len > 107)
		return ew_config_fail(&object, "path", "is longer than 107 characters");
	config->admin_path = str_dup(path);
	return true;
}

static bool read_texts(const struct ew_config_at *at, const char *const *keys, char **const *fields)
{
	for (size_t i = 0; keys[i] != NULL; i++) {
		struct str text = STR_NULL;
		if (!ew_config_text(at, keys[i], false, &text))
			return false;
		if (text.ptr != NULL)
			*fields[i] = str_dup(text);
	}
	return true;
}

static bool read_control_plane(const struct ew_config_at *top, struct ew_config *config)
{
	static const char *const known[] = {"address", "trustFile", "tokenFile", "cluster",
	                                    "name",    "type",      "istiod",    NULL};
	static const char *const texts[] = {"address", "trustFile", "tokenFile", "cluster",
	                                    "name",    "type",      NULL};
	struct ew_control_plane_config *to = &config->control_plane;
	char **const fields[] = {&to->address, &to->trust_file, &to->token_file,
	                         &to->cluster, &to->name,       &to->type};
	struct ew_config_at object;
	struct str address;
	if (!ew_config_object(top, "controlPlane", &object))
		return false;
	if (object.value == NULL)
		return true;
	if (!ew_config_keys(&object, known) ||
	    !ew_config_text(&object, "address", true, &address) ||
	    !read_texts(&object, texts, fields))
		return false;
	if (to->type == NULL)
		to->type = xstrdup("fedwayd");
	if (strcmp(to->type, "fedwayd") != 0 && strcmp(to->type, "istiod") != 0)
		return ew_config_fail(&object, "type", "must be fedwayd or istiod");
	if (strcmp(to->type, "istiod") == 0)
		return ew_config_read_istiod(&object, &to->istiod);
	if (json_object_get(object.value, "istiod") != NULL)
		return ew_config_fail(&object, "istiod", "is for type istiod only");
	return true;
}

/* Routes come from one place. */
static bool check_sources(const struct ew_config_at *top, const struct ew_config *config)
{
	static const char *const statics[] = {"network", "routes", "networks"};
	if (config->control_plane.address == NULL)
		return true;
	bool istiod = strcmp(config->control_plane.type, "istiod") == 0;
	for (size_t i = 0; i < N_ELEMS(statics); i++) {
		if (i == 0 && istiod)
			continue;
		if (json_object_get(top->value, statics[i]) != NULL)
			return ew_config_fail(
				top, statics[i],
				"comes from the control plane; leave out one of both");
	}
	return true;
}

static bool read_rest(const struct ew_config_at *top, struct ew_config *config)
{
	struct str locality = STR_LIT("");
	struct str network = STR_LIT("");
	struct str data_dir = STR_NULL;
	if (!ew_config_number(top, "workers", 1, EW_CONFIG_WORKERS_MAX, &config->workers) ||
	    !ew_config_text(top, "locality", false, &locality) ||
	    !ew_config_text(top, "network", false, &network) ||
	    !ew_config_text(top, "dataDir", false, &data_dir))
		return false;
	config->locality = str_dup(locality);
	config->network = str_dup(network);
	if (data_dir.len > 0)
		config->data_dir = str_dup(data_dir);
	return true;
}

static bool read_tree(json_t *tree, const struct ew_config_file *file,
                      struct ew_config **ret_config)
{
	struct ew_config_at top = {NULL, file, tree, NULL, 0};
	struct ew_config *config = xcalloc(1, sizeof(*config));
	config->tree = json_incref(tree);
	if (check_head(&top) && read_rest(&top, config) && read_listeners(&top, config) &&
	    read_socket(&top, "metrics", &config->has_metrics, &config->metrics) &&
	    read_socket(&top, "health", &config->has_health, &config->health) &&
	    read_admin(&top, config) && ew_config_read_limits(&top, &config->limits) &&
	    ew_config_read_access_log(&top, &config->access_log) &&
	    read_control_plane(&top, config) && check_sources(&top, config) &&
	    ew_config_read_networks(&top, config) && ew_config_read_routes(&top, config)) {
		*ret_config = config;
		return true;
	}
	ew_config_destroy(config);
	return false;
}

bool ew_config_from_json(json_t *tree, const char *name, struct ew_config **ret_config,
                         struct err *err)
{
	struct ew_config_file file = {STR_NULL, name, err};
	return read_tree(tree, &file, ret_config);
}

bool ew_config_parse(struct str text, const char *name, struct ew_config **ret_config,
                     struct err *err)
{
	if (text.len > EW_CONFIG_TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s: larger than %d MiB", name,
		               EW_CONFIG_TEXT_MAX >> 20);
	json_t *tree CLEANUP(json_cleanup) = yaml_parse(text, name, err);
	if (tree == NULL)
		return false;
	struct ew_config_file file = {text, name, err};
	return read_tree(tree, &file, ret_config);
}

void ew_config_destroy(struct ew_config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config->n_listeners; i++) {
		free(config->listeners[i].name);
		free(config->listeners[i].allow.list);
		free(config->listeners[i].trusted.list);
	}
	free(config->listeners);
	ew_config_free_routes(config);
	struct ew_control_plane_config *plane = &config->control_plane;
	char *texts[] = {config->locality,   config->network,        config->data_dir,
	                 config->admin_path, plane->address,         plane->trust_file,
	                 plane->token_file,  plane->cluster,         plane->name,
	                 plane->type,        config->access_log.path};
	for (size_t i = 0; i < N_ELEMS(texts); i++)
		free(texts[i]);
	ew_config_free_istiod(&plane->istiod);
	json_decref(config->tree);
	free(config);
}

const char *ew_config_restart_key(const struct ew_config *a, const struct ew_config *b)
{
	static const char *const keys[] = {"workers", "dataDir", "metrics",
	                                   "health",  "admin",   "controlPlane"};
	for (size_t i = 0; i < N_ELEMS(keys); i++) {
		json_t *x = json_object_get(a->tree, keys[i]);
		json_t *y = json_object_get(b->tree, keys[i]);
		if (x != y && (x == NULL || y == NULL || !json_equal(x, y)))
			return keys[i];
	}
	return NULL;
}
