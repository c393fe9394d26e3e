/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text: a configuration that is taken makes a table, and its disk copy reads as the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "control/copy.h"
#include "eastwest/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct ew_config *config)
{
	struct err err;
	struct ew_table *table;
	struct ew_health_registry *registry = ew_health_registry_create();
	if (ew_config_table(config, registry, NULL, NULL, &table, &err)) {
		assert(ew_table_n_routes(table) == config->n_routes);
		ew_table_unref(table);
	}
	ew_health_registry_destroy(registry);
	char *text = ew_copy_format(config->tree);
	json_t *tree = ew_copy_parse(str_from(text), &err);
	assert(tree != NULL && json_equal(tree, config->tree));
	json_decref(tree);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err;
	struct ew_config *config;
	if (ew_config_parse(str_make((const char *)data, size), "fuzz", &config, &err)) {
		check(config);
		ew_config_destroy(config);
	}
	return 0;
}
