/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What parses, formats and parses to the same; nothing names a file or runs a command.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "kube/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kubeconfig config = {0};
	struct kubeconfig again = {0};
	struct err err;

	if (!kubeconfig_parse(str_make((const char *)data, size), "fuzz", NULL, &config, &err))
		return 0;
	assert(config.token_file == NULL);
	char *text = kubeconfig_format(&config);

	assert(kubeconfig_parse(str_from(text), "again", NULL, &again, &err));
	assert(kubeconfig_eq(&config, &again));
	free(text);
	kubeconfig_fini(&config);
	kubeconfig_fini(&again);
	return 0;
}
