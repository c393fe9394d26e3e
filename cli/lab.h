/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab - three clusters on one laptop, without Kubernetes: network namespaces that cannot reach each
 * other's pods, joined by a wide-area network on which only gateways and API servers have an
 * address.
 *
 *        wan 192.0.2.0/24 (a bridge in the lab's own namespace)
 *     ┌──────────┬───────────────┬───────────────┐
 *   control   cluster1        cluster2        cluster3
 *   .10       .21             .22             .23
 *             10.201.0.0/16   10.201.0.0/16   10.100.0.0/16   pod ranges, on lo
 *
 * Everything lives in namespaces of its own (net, mount, pid, and user when not root) that a
 * supervisor holds; nothing of the host's network is seen or changed, and ending the supervisor
 * ends every process of the lab.
 *
 *   DIR/supervisor.pid      DIR/HOST/PROGRAM/   where a program runs: its files, log.txt, lock
 *   DIR/HOST/kubeconfig     of the host's API server
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum {
	LAB_HOSTS_MAX = 16,
	LAB_PATH_MAX = 4096
};

struct lab_host {
	const char *name;    /* of the network namespace */
	const char *wan;     /* address on the wan */
	const char *pods;    /* range of pods, "" none: any address of it can be used at once */
	const char *prefix;  /* its first two numbers */
	const char *cluster; /* "" none */
	const char *network;
	const char *locality;
	int number; /* of the cluster, from 1 */
};

/* NULL-name terminated. */
extern const struct lab_host lab_hosts[];
/* By its own or its cluster's name; NULL: no such host. */
const struct lab_host *lab_host_find(const char *name);

/* Makes the lab's network and returns when it stands. dir is made if need be; what an earlier lab
 * left there is removed. ERR_EXISTS: it is up already; ERR_INVALID: dir holds what is not a lab's;
 * ERR_IO: what could not be set up, with the words of the program that failed. */
MUST_CHECK
bool lab_up(const char *dir, struct err *err);

/* Ends every process of the lab. ERR_NOT_FOUND: not up. */
MUST_CHECK
bool lab_down(const char *dir, struct err *err);

/* Pid of the lab's first process, seen from outside; 0: not up. */
pid_t lab_pid(const char *dir);

/* ERR_INVALID unless dir is missing, empty or a lab's; then empties it of what a lab made there. */
MUST_CHECK
bool lab_dir_clear(const char *dir, struct err *err);
