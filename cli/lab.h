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
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum {
	LAB_HOSTS_MAX = 16
};

struct lab_host {
	const char *name;    /* of the network namespace */
	const char *wan;     /* address on the wan */
	const char *pods;    /* range of pods, "" none: any address of it can be used at once */
	const char *cluster; /* "" none */
	const char *network;
	const char *locality;
};

/* NULL-name terminated. */
extern const struct lab_host lab_hosts[];
/* NULL: no such host. */
const struct lab_host *lab_host_find(const char *name);

/* Makes the lab and returns when it stands. dir is made; it holds `supervisor.pid`. ERR_EXISTS: it
 * is up already; ERR_IO: what could not be set up, with the words of the program that failed. */
MUST_CHECK
bool lab_up(const char *dir, struct err *err);

/* Ends every process of the lab. ERR_NOT_FOUND: not up. */
MUST_CHECK
bool lab_down(const char *dir, struct err *err);

/* Pid of the lab's first process, seen from outside; 0: not up. */
pid_t lab_pid(const char *dir);

/* Runs a program inside a host (NULL: the wan's own namespace) and waits; it inherits what this
 * process has open, so a listener opened before serves the host's network from inside. ret_status
 * as of waitpid(); a program that a signal ended counts as exited with 128 plus its number. */
MUST_CHECK
bool lab_exec(const char *dir, const char *host, char *const argv[], int *ret_status,
              struct err *err);

/* Drops every packet from one host to the other, both ways, silently; heal takes it back. */
MUST_CHECK
bool lab_cut(const char *dir, const char *a, const char *b, struct err *err);
MUST_CHECK
bool lab_heal(const char *dir, const char *a, const char *b, struct err *err);
