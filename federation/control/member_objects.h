/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member_objects - what we make in a member cluster, as data: namespace, trust bundle, accounts;
 * and what of it is there. Pure.
 */
#pragma once

#include "world.h"

#include <jansson.h>

#include "kube/meta.h"

/* Array of objects, in the order to make them; owned. */
json_t *member_objects_wanted(const struct world *world, const struct member *member,
                              struct str roots_pem, const char *xds_address);

/* Of an object that is made in members. Texts are borrowed from it. */
struct kube_ref member_object_ref(const json_t *obj);

/* Adds what a get or a list has answered, each with the kind that list items lack. */
void member_objects_gather(json_t *objects, const struct kube_resource *resource, json_t *answer);

/* What is to be done so that found becomes wanted. */
struct member_survey {
	json_t *todo;      /* of wanted, what is missing or differs; owned */
	json_t *surplus;   /* of found, accounts of gateways that are wanted no more; owned */
	const char *older; /* a Cluster whose label is there and which member must yield to; NULL
	                    * none; borrowed from found */
	bool younger;      /* the label of another Cluster is there, which must yield */
};
struct member_survey member_objects_compare(const struct world *world, const struct member *member,
                                            const json_t *wanted, const json_t *found);
