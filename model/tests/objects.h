/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes objects for tests: from one line of YAML, and at random. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/yaml.h"
#include "model/snapshot_builder.h"
#include "tests/check.h"

static inline void objects_put(struct snapshot_builder *b, const char *text)
{
	struct err err = {0};
	json_t *obj = yaml_parse(str_from(text), "test", &err);

	if (obj == NULL || !snapshot_builder_put(b, json_str_at(obj, "kind", ""), obj, &err))
		fail_msg("%s: %s", text, err.msg);
	json_decref(obj);
}

static inline void objects_remove(struct snapshot_builder *b, const char *kind, const char *ns,
                                  const char *name)
{
	snapshot_builder_remove(b, kind, ns, name);
}

enum {
	WALK_SERVICES = 5,
	WALK_SLICES = 8,
	WALK_PODS = 12,
	WALK_NODES = 3,
	WALK_N = WALK_SERVICES + WALK_SLICES + WALK_PODS + WALK_NODES
};

/* The text of each object as it stands now, "" if it does not exist. Slots by kind. */
struct objects_walk {
	char text[WALK_N][1024];
};

static inline void objects_walk_init(struct objects_walk *walk)
{
	memset(walk, 0, sizeof(*walk));
}

static inline void objects_walk_slice(char *to, size_t size, unsigned n)
{
	int len = snprintf(to, size,
	                   "{kind: EndpointSlice, metadata: {namespace: ns, name: s%u, labels:"
	                   " {kubernetes.io/service-name: svc%d}}, ports: [{name: a, port: %d},"
	                   " {name: b, port: 81}], endpoints: [",
	                   n, rand() % WALK_SERVICES, 80 + rand() % 2);

	for (int i = rand() % 5; i > 0; i--)
		len += snprintf(
			to + len, size - (size_t)len,
			"{addresses: [10.%u.0.%d], conditions: {ready: %s, terminating: %s},"
			" nodeName: n%d, targetRef: {kind: %s, name: p%d}},",
			n, i, rand() % 3 ? "true" : "false", rand() % 5 ? "false" : "true",
			rand() % WALK_NODES, rand() % 6 ? "Pod" : "Other", rand() % WALK_PODS);
	snprintf(to + len, size - (size_t)len, "]}");
}

static inline const char *objects_walk_kind(unsigned slot, unsigned *ret_n)
{
	static const struct {
		const char *kind;
		unsigned n;
	} kinds[] = {{"Service", WALK_SERVICES},
	             {"EndpointSlice", WALK_SLICES},
	             {"Pod", WALK_PODS},
	             {"Node", WALK_NODES}};
	size_t k = 0;

	for (; slot >= kinds[k].n; k++)
		slot -= kinds[k].n;
	*ret_n = slot;
	return kinds[k].kind;
}

static inline void objects_walk_make(char *to, size_t size, const char *kind, unsigned n)
{
	if (strcmp(kind, "Service") == 0)
		snprintf(to, size,
		         "{kind: Service, metadata: {namespace: ns, name: svc%u, labels: {x: v%d}},"
		         " spec: {ports: [{name: a, port: %d}, {name: %s, port: 81}]}}",
		         n, rand() % 2, 80 + 10 * (rand() % 2), rand() % 3 ? "b" : "c");
	else if (strcmp(kind, "EndpointSlice") == 0)
		objects_walk_slice(to, size, n);
	else if (strcmp(kind, "Pod") == 0)
		snprintf(to, size,
		         "{kind: Pod, metadata: {namespace: ns, name: p%u, labels: {version: v%d,"
		         " security.istio.io/tlsMode: %s}}}",
		         n, 1 + rand() % 2, rand() % 4 ? "istio" : "none");
	else
		snprintf(
			to, size,
			"{kind: Node, metadata: {name: n%u, labels:"
			" {topology.kubernetes.io/region: r%d, topology.kubernetes.io/zone: z%d}}}",
			n, 1 + rand() % 2, 1 + rand() % 2);
}

/* One object is written anew or removed. */
static inline void objects_walk_step(struct objects_walk *walk, struct snapshot_builder *b)
{
	static const char *const prefixes[][2] = {
		{"Service", "svc"}, {"EndpointSlice", "s"}, {"Pod", "p"}, {"Node", "n"}};
	unsigned slot = (unsigned)rand() % WALK_N, n;
	const char *kind = objects_walk_kind(slot, &n), *ns = strcmp(kind, "Node") ? "ns" : "";

	if (rand() % 4 != 0) {
		objects_walk_make(walk->text[slot], sizeof(walk->text[slot]), kind, n);
		objects_put(b, walk->text[slot]);
		return;
	}
	for (size_t i = 0; i < N_ELEMS(prefixes); i++) {
		char name[32];

		if (strcmp(prefixes[i][0], kind) != 0)
			continue;
		snprintf(name, sizeof(name), "%s%u", prefixes[i][1], n);
		objects_remove(b, kind, ns, name);
	}
	walk->text[slot][0] = '\0';
}

static inline void objects_walk_replay(const struct objects_walk *walk, struct snapshot_builder *b)
{
	for (size_t i = 0; i < WALK_N; i++) {
		if (walk->text[i][0] != '\0')
			objects_put(b, walk->text[i]);
	}
}
