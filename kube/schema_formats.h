/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The string formats of OpenAPI that custom resources may ask for. A format that is not known
 * accepts everything, as kube-apiserver does.
 */
#pragma once

#include <stdbool.h>

bool schema_has_format(const char *format, const char *text);
