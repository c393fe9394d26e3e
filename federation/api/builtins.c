/* SPDX-License-Identifier: Apache-2.0 */
#include "builtins.h"

#include "base/yaml.h"

/* The assembler puts the file into the program; the build names its path. */
__asm__(".pushsection .rodata\n"
        "api_builtins_yaml:\n"
        ".incbin \"" API_BUILTINS_FILE "\"\n"
        "api_builtins_yaml_end:\n"
        ".byte 0\n"
        ".popsection\n");
extern const char api_builtins_yaml[];
extern const char api_builtins_yaml_end[];

static bool define(struct api_kinds *kinds, json_t *definition, struct err *err)
{
	/* One version is all that built-in kinds have here. */
	json_t *version = json_array_get(json_object_get(definition, "versions"), 0);
	json_object_set_new(version, "storage", json_true());
	json_object_set_new(definition, "builtin", json_true());
	return api_kinds_define(kinds, definition, err) != NULL ||
	       err_wrap(err, "kind %s", json_str_at(definition, "kind", ""));
}

bool api_builtins_load(struct api_kinds *kinds, struct schema **ret_object_meta, struct err *err)
{
	struct str text =
		str_make(api_builtins_yaml, (size_t)(api_builtins_yaml_end - api_builtins_yaml));
	json_t *document CLEANUP(json_cleanup) = yaml_parse(text, "builtins.yaml", err);
	if (document == NULL)
		return false;
	size_t at;
	json_t *definition;
	json_array_foreach (json_object_get(document, "kinds"), at, definition) {
		if (!define(kinds, definition, err))
			return false;
	}
	*ret_object_meta = schema_create(json_object_get(document, "objectMeta"), err);
	return *ret_object_meta != NULL;
}
