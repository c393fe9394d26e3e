/* SPDX-License-Identifier: Apache-2.0 */
#include "table/config_priv.h"

static bool read_per_source(const struct ew_config_at *limits, struct ew_rate_limit *to)
{
	static const char *const known[] = {"rate", "burst", "prefixV4", "prefixV6", NULL};
	struct ew_config_at object;
	if (!ew_config_object(limits, "newConnectionsPerSecond", &object))
		return false;
	if (object.value == NULL)
		return true;
	if (!ew_config_keys(&object, known) ||
	    !ew_config_number(&object, "rate", 1, EW_RATE_MAX, &to->rate) ||
	    !ew_config_number(&object, "burst", 1, EW_RATE_MAX, &to->burst) ||
	    !ew_config_number(&object, "prefixV4", 1, 32, &to->prefix_v4) ||
	    !ew_config_number(&object, "prefixV6", 1, 128, &to->prefix_v6))
		return false;
	if (to->rate == 0)
		return ew_config_fail(&object, "rate", "is missing");
	if (to->burst == 0)
		to->burst = to->rate;
	return true;
}

bool ew_config_read_limits(const struct ew_config_at *top, struct ew_limits *to)
{
	static const char *const known[] = {"connections", "halfHelloMemoryMiB",
	                                    "newConnectionsPerSecond", NULL};
	struct ew_config_at object;
	*to = (struct ew_limits){
		.hello_memory_mib = EW_HELLO_MEMORY_MIB,
		.per_source = {.prefix_v4 = EW_PREFIX_V4, .prefix_v6 = EW_PREFIX_V6},
	};
	if (!ew_config_object(top, "limits", &object))
		return false;
	return object.value == NULL ||
	       (ew_config_keys(&object, known) &&
	        ew_config_number(&object, "connections", 1, EW_CONNECTIONS_MAX, &to->connections) &&
	        ew_config_number(&object, "halfHelloMemoryMiB", 1, EW_HELLO_MEMORY_MIB_MAX,
	                         &to->hello_memory_mib) &&
	        read_per_source(&object, &to->per_source));
}
