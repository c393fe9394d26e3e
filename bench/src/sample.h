/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/*
 * sample - what a proxy has used so far: CPU time of its control group (cgroup v1 cpuacct, or v2),
 * memory of the processes in it. CPU time of a group counts masters, workers and children.
 */

struct sample {
	uint64_t proxy_ns;    /* CPU time of the proxy's group */
	uint64_t upstream_ns; /* ... of the upstream's */
	uint64_t self_ns;     /* ... of this process */
	uint64_t wall_ns;
	uint64_t idle_ns;  /* of all CPUs together, in steps of 10 ms */
	uint64_t steal_ns; /* likewise */
	unsigned cpus;
};

/* Folders of control groups; NULL: counts as nothing. */
void sample_take(struct sample *ret_sample, const char *proxy, const char *upstream);

/* Share of the machine's CPU time between two samples, in percent, that went to neither proxy, nor
 * upstream, nor this process: how much other work has disturbed the measurement. */
double sample_foreign(const struct sample *from, const struct sample *to);

/* Resident bytes, and those counted by share (PSS), of all processes of a group. */
struct memory {
	uint64_t resident, proportional;
};
struct memory sample_memory(const char *group);
