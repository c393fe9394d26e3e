/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_priv - how the parts of a GatewayConfig are read out of its JSON tree: each function knows
 * where it stands, so that an error can name line and key.
 */
#pragma once

#include "eastwest/config.h"

/* The file as a whole, for messages. */
struct ew_config_file {
	struct str text; /* empty: not read from text, no lines */
	const char *name;
	struct err *err;
};

/* A place in the tree: lives on the stack of whoever reads there. */
struct ew_config_at {
	const struct ew_config_at *up; /* NULL: the top */
	const struct ew_config_file *file;
	json_t *value;
	const char *key; /* NULL: item `index` of an array */
	size_t index;
};

/* Sets the error: "gateway.yaml:14: routes[2].sni: <message>". key may be NULL: the place itself.
 * Returns false. */
bool ew_config_fail(const struct ew_config_at *at, const char *key, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* at->value is an object and has no keys but these (a NULL ends the list). */
bool ew_config_keys(const struct ew_config_at *at, const char *const *known);

/* Absent keys leave *ret as it is; required ones are an error. Text is borrowed from the tree. */
bool ew_config_text(const struct ew_config_at *at, const char *key, bool required,
                    struct str *ret_text);
bool ew_config_number(const struct ew_config_at *at, const char *key, uint32_t min, uint32_t max,
                      uint32_t *ret_number);
bool ew_config_bool(const struct ew_config_at *at, const char *key, bool *ret_value);
bool ew_config_address(const struct ew_config_at *at, const char *key, struct ip *ret_ip);
bool ew_config_ranges(const struct ew_config_at *at, const char *key, struct ew_ranges *ret_ranges);

/* The array under key as a place; n 0 when absent. */
bool ew_config_array(const struct ew_config_at *at, const char *key, size_t max,
                     struct ew_config_at *ret_array, size_t *ret_n);
struct ew_config_at ew_config_item(const struct ew_config_at *array, size_t i);
/* The object under key. value NULL when absent. */
bool ew_config_object(const struct ew_config_at *at, const char *key,
                      struct ew_config_at *ret_object);

/* config_policy.c: trafficPolicy of the route at this place. */
bool ew_config_read_policy(const struct ew_config_at *at, struct ew_route_spec *route);

/* config_routes.c */
bool ew_config_read_routes(const struct ew_config_at *top, struct ew_config *config);
bool ew_config_read_networks(const struct ew_config_at *top, struct ew_config *config);
void ew_config_free_routes(struct ew_config *config);

/* config_limits.c */
bool ew_config_read_limits(const struct ew_config_at *top, struct ew_limits *to);

/* config_log.c */
bool ew_config_read_access_log(const struct ew_config_at *top, struct ew_access_config *to);

/* config_istiod.c */
bool ew_config_read_istiod(const struct ew_config_at *plane, struct ew_istiod_config *to);
void ew_config_free_istiod(struct ew_istiod_config *istiod);
