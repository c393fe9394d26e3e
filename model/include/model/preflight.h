/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight - can this cluster be a member, from what its API server answered: Preflight of
 * answers.fedway.io/v1alpha1. Who asks (fedwayd) fills the facts; judging them is pure.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "model/mesh.h"

enum {
	PREFLIGHT_CLOCK_S = 5,     /* clocks may differ by this much */
	PREFLIGHT_NODES = 500,     /* nodes that are looked at */
	PREFLIGHT_MINOR = 21,      /* oldest Kubernetes 1.x: serves discovery.k8s.io/v1 */
	PREFLIGHT_RIGHTS_MAX = 32, /* rows of the table below */
};

/* What the control plane does in a member, one right each. */
struct preflight_right {
	const char *verb;
	const char *group; /* "": core */
	const char *resource;
	const char *namespace_; /* "" all */
};
extern const struct preflight_right preflight_rights[];
extern const size_t preflight_n_rights;

/* Bodies of questions. Owned. */
json_t *preflight_access_review(const struct preflight_right *right);
/* Of a token that is none: whether the question is answered is what matters. */
json_t *preflight_token_review(void);

/* What one question gave: the answer, or why there is none; neither: not asked. Borrowed. */
struct preflight_reply {
	const json_t *value;
	const struct err *err;
};

struct preflight_facts {
	const char *cluster;
	const char *group;              /* that it shall be in, "" not said */
	bool has_locality;              /* of the Cluster: stands in for labels of nodes */
	const struct err *kubeconfig;   /* why it cannot be used; NULL: it can */
	const char *server;             /* "" unknown */
	bool insecure;                  /* its certificate is not checked */
	struct preflight_reply version; /* GET /version */
	int64_t took_ms;                /* of that request */
	const char *date;               /* header field Date of its answer, "" none */
	int64_t now_s;                  /* wall clock when it came */
	struct preflight_reply tokens;  /* preflight_token_review() */
	struct preflight_reply rights[PREFLIGHT_RIGHTS_MAX]; /* one a row of preflight_rights */
	struct preflight_reply system;                       /* namespace kube-system */
	struct preflight_reply istio;                        /* namespace istio-system */
	struct preflight_reply nodes;                        /* List of the first PREFLIGHT_NODES */
	const json_t *clusters;                              /* List of Clusters */
	const struct mesh *mesh;                             /* NULL: none yet */
	const char *gateway; /* one of its gateways that has a stream, "" none */
	bool probe;          /* one of its probes has a stream */
};

/*
 * {apiVersion, kind, cluster, checks: [{id, state, code, message, evidence, remedy, command}],
 * verdict}. state: Passed, Warning, Failed, Skipped; the verdict is the worst of the first three.
 * Every check is there each time, in the same order. Owned.
 */
json_t *preflight_judge(const struct preflight_facts *facts);
