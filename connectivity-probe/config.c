/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/yaml.h"
#include "probe/ladder.h"

#define API_VERSION "fedway.io/v1alpha1"
#define KIND        "ProbeConfig"
#define DATA_DIR    "/var/lib/fedway-probe"
#define LISTENER    "0.0.0.0"

struct file {
	struct str text;
	const char *name;
	json_t *tree;
	struct err *err;
};

static bool refuse(const struct file *file, const char *path, const char *why)
{
	int line = yaml_line_of(file->text, path);
	if (line == 0)
		return err_set(file->err, ERR_INVALID, "%s: %s: %s", file->name, path, why);
	return err_set(file->err, ERR_INVALID, "%s:%d: %s: %s", file->name, line, path, why);
}

/* --- keys ------------------------------------------------------------------------------------- */

enum kind {
	KIND_TEXT,
	KIND_NUMBER,
	KIND_OBJECT,
};

/* Every key there is. */
static const struct key {
	const char *path;
	enum kind kind;
	bool needed;
} keys[] = {
	{"apiVersion", KIND_TEXT, true},
	{"kind", KIND_TEXT, true},
	{"dataDir", KIND_TEXT, false},
	{"listener", KIND_OBJECT, false},
	{"listener.address", KIND_TEXT, false},
	{"listener.port", KIND_NUMBER, false},
	{"controlPlane", KIND_OBJECT, true},
	{"controlPlane.address", KIND_TEXT, true},
	{"controlPlane.trustFile", KIND_TEXT, true},
	{"controlPlane.tokenFile", KIND_TEXT, false},
	{"controlPlane.cluster", KIND_TEXT, true},
};

static bool is_of_kind(const json_t *value, enum kind kind)
{
	switch (kind) {
	case KIND_TEXT:
		return json_is_string(value) && json_string_length(value) > 0;
	case KIND_NUMBER:
		return json_is_integer(value);
	case KIND_OBJECT:
		return json_is_object(value);
	}
	UNREACHABLE("kind");
}

static bool check_keys(const struct file *file)
{
	static const char *const words[] = {"a text", "a number", "an object"};
	for (size_t i = 0; i < N_ELEMS(keys); i++) {
		const json_t *value = json_at(file->tree, keys[i].path);
		char why[64];
		if (value == NULL && keys[i].needed)
			return refuse(file, keys[i].path, "is missing");
		snprintf(why, sizeof(why), "must be %s", words[keys[i].kind]);
		if (value != NULL && !is_of_kind(value, keys[i].kind))
			return refuse(file, keys[i].path, why);
	}
	return true;
}

static bool is_known(const char *path)
{
	for (size_t i = 0; i < N_ELEMS(keys); i++) {
		if (strcmp(keys[i].path, path) == 0)
			return true;
	}
	return false;
}

static bool check_unknown(const struct file *file, json_t *object, const char *prefix)
{
	const char *key;
	json_t *value;
	json_object_foreach (object, key, value) {
		char path[128];
		snprintf(path, sizeof(path), "%s%.80s", prefix, key);
		if (!is_known(path))
			return refuse(file, path, "is not a key of a " KIND);
	}
	return true;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool read_listener(const struct file *file, struct addr *ret_addr)
{
	const char *ip = json_str_at(file->tree, "listener.address", LISTENER);
	int64_t port = json_int_at(file->tree, "listener.port", PROBE_PORT);
	if (!ip_parse(str_from(ip), &ret_addr->ip))
		return refuse(file, "listener.address", "must be an IP address");
	if (port < 0 || port > UINT16_MAX)
		return refuse(file, "listener.port", "must be 0 to 65535");
	ret_addr->port = (uint16_t)port;
	return true;
}

static bool check(const struct file *file)
{
	if (!json_is_object(file->tree))
		return err_set(file->err, ERR_INVALID, "%s: must be a " KIND, file->name);
	/* A key that is misspelt before one that is missing. */
	if (!check_unknown(file, file->tree, "") ||
	    !check_unknown(file, json_at(file->tree, "controlPlane"), "controlPlane.") ||
	    !check_unknown(file, json_at(file->tree, "listener"), "listener.") || !check_keys(file))
		return false;
	if (strcmp(json_str_at(file->tree, "apiVersion", ""), API_VERSION) != 0)
		return refuse(file, "apiVersion", "must be " API_VERSION);
	if (strcmp(json_str_at(file->tree, "kind", ""), KIND) != 0)
		return refuse(file, "kind", "must be " KIND);
	if (!str_is_dns_label(str_from(json_str_at(file->tree, "controlPlane.cluster", ""))))
		return refuse(file, "controlPlane.cluster", "must be a DNS label");
	return true;
}

static char *text_at(const struct file *file, const char *path, const char *dflt)
{
	const char *text = json_str_at(file->tree, path, dflt);
	return text != NULL ? xstrdup(text) : NULL;
}

bool probe_config_parse(struct str text, const char *name, struct probe_config *ret_config,
                        struct err *err)
{
	struct addr listener;
	if (text.len > PROBE_CONFIG_TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s: larger than %d bytes", name,
		               PROBE_CONFIG_TEXT_MAX);
	json_t *tree CLEANUP(json_cleanup) = yaml_parse(text, name, err);
	if (tree == NULL)
		return false;
	struct file file = {text, name, tree, err};
	if (!check(&file) || !read_listener(&file, &listener))
		return false;
	*ret_config = (struct probe_config){
		.listener = listener,
		.data_dir = text_at(&file, "dataDir", DATA_DIR),
		.address = text_at(&file, "controlPlane.address", ""),
		.trust_file = text_at(&file, "controlPlane.trustFile", ""),
		.token_file = text_at(&file, "controlPlane.tokenFile", NULL),
		.cluster = text_at(&file, "controlPlane.cluster", ""),
	};
	return true;
}

void probe_config_fini(struct probe_config *config)
{
	char **texts[] = {&config->data_dir, &config->address, &config->trust_file,
	                  &config->token_file, &config->cluster};
	for (size_t i = 0; i < N_ELEMS(texts); i++) {
		free(*texts[i]);
		*texts[i] = NULL;
	}
}
