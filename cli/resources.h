/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources - the types that `fedway get` knows without asking, those that a server has, and ours
 * as refs.
 */
#pragma once

#include <jansson.h>

#include "kube/meta.h"

enum {
	RESOURCES_MATCH_MAX = 64 /* types of one category */
};

extern const struct kube_resource cli_mesh;
extern const struct kube_resource cli_cluster;
extern const struct kube_resource cli_group;
extern const struct kube_resource cli_gateway;
extern const struct kube_resource cli_service;

/* By plural, kind (any case) or a short name; NULL: not known. */
const struct kube_resource *resources_find(const char *word);
/* The plurals, for messages: "clusters, networkgroups, ..." */
const char *resources_known(void);

/*
 * What the word names among a server's types: all of a category; else one by plural, singular, kind
 * (any case), short name or "PLURAL.GROUP", the first there is. types_first: the other way round.
 * lists: array of {group, version, resources} with the entries of APIResourceLists. Texts are
 * borrowed. Returns how many, at most RESOURCES_MATCH_MAX. Pure.
 */
size_t resources_match(const json_t *lists, const char *word, bool types_first,
                       struct kube_resource ret_found[RESOURCES_MATCH_MAX]);
