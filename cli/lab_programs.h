/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_programs - which programs a lab has, where they run and with which words. Pure.
 *
 * Each runs in a folder of its own, DIR/HOST/PROGRAM, so that its words name files without paths.
 */
#pragma once

#include "lab.h"

#include <jansson.h>

#include "kube/meta.h"

#define LAB_EXTERNAL_FILE "external" /* in DIR: the API servers are somebody else's */

enum {
	LAB_WORDS_MAX = 20
};

enum lab_where {
	LAB_CONTROL,
	LAB_CLUSTER,
	LAB_EMBEDDED /* in each cluster whose API server is ours */
};

struct lab_program {
	const char *name;
	enum lab_where where;
	const char *words; /* parted by blanks; {wan} and the like are replaced */
	const char *door;  /* address that accepts when it is up; "" none */
};

/* NULL-name terminated, in the order of their start. */
extern const struct lab_program lab_programs[];
bool lab_program_runs_on(const struct lab_program *program, const struct lab_host *host,
                         bool embedded);
/* NULL: no such program, or none of this host. */
const struct lab_program *lab_program_find(const char *name, const struct lab_host *host,
                                           bool embedded);

struct lab_place {
	const char *dir; /* of the lab, absolute */
	const struct lab_host *host;
	bool embedded;
};

/* Owned words, NULL-terminated. */
struct lab_words {
	char *words[LAB_WORDS_MAX + 1];
	size_t n;
};

void lab_words_make(const char *text, const struct lab_place *place, struct lab_words *ret_words);
/* Harmless twice and on zeroed memory. Usable with CLEANUP(). */
void lab_words_fini(struct lab_words *words);
/* One text with its {…} replaced. Owned. */
char *lab_expand(struct str text, const struct lab_place *place);

/* Configuration files, as YAML. xds: the control plane's address. Owned. */
char *lab_gateway_config(const struct lab_place *place, const char *xds);
char *lab_probe_config(const struct lab_place *place, const char *xds);

/* What the lab writes to an API server. Owned arrays of objects. */
json_t *lab_member_objects(void);
json_t *lab_control_objects(const struct lab_host *host, const char *kubeconfig);
/* Where an object of the lab belongs; borrows from it. */
struct kube_ref lab_ref_of(const json_t *obj);
