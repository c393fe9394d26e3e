/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include "tcp.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool slurp(const char *path, char *into, size_t max)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r;

	into[0] = '\0';
	if (fd < 0)
		return false;
	while (n < max - 1 && (r = read(fd, into + n, max - 1 - n)) > 0)
		n += (size_t)r;
	close(fd);
	into[n] = '\0';
	return true;
}

static uint64_t value_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at != NULL ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static uint64_t group_ns(const char *group)
{
	char path[512], text[2048];

	if (group == NULL)
		return 0;
	snprintf(path, sizeof(path), "%s/cpuacct.usage", group);
	if (slurp(path, text, sizeof(text)))
		return strtoull(text, NULL, 10);
	snprintf(path, sizeof(path), "%s/cpu.stat", group);
	if (!slurp(path, text, sizeof(text)))
		die(path);
	return value_of(text, "usage_usec ") * 1000;
}

void sample_take(struct sample *ret_sample, const char *proxy, const char *upstream)
{
	struct sample s = {.proxy_ns = group_ns(proxy), .upstream_ns = group_ns(upstream)};
	const uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t idle, wait, steal;
	struct timespec t;
	char text[4096];

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	s.self_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	s.cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	slurp("/proc/stat", text, sizeof(text));
	if (sscanf(text, "cpu %*u %*u %*u %" SCNu64 " %" SCNu64 " %*u %*u %" SCNu64, &idle, &wait,
	           &steal) == 3) {
		s.idle_ns = (idle + wait) * tick;
		s.steal_ns = steal * tick;
	}
	s.wall_ns = now_ns();
	*ret_sample = s;
}

double sample_foreign(const struct sample *from, const struct sample *to)
{
	const double all = (double)(to->wall_ns - from->wall_ns) * to->cpus;
	const double known = (double)(to->proxy_ns - from->proxy_ns) +
	                     (double)(to->upstream_ns - from->upstream_ns) +
	                     (double)(to->self_ns - from->self_ns) +
	                     (double)(to->idle_ns - from->idle_ns) +
	                     (double)(to->steal_ns - from->steal_ns);

	return all > 0 ? 100 * (all - known) / all : 0;
}

struct memory sample_memory(const char *group)
{
	struct memory m = {0, 0};
	char path[512], text[4096];
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	f = fopen(path, "re");
	if (f == NULL)
		die(path);
	while (fscanf(f, "%d", &pid) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
		slurp(path, text, sizeof(text));
		m.resident += value_of(text, "\nRss:") * 1024;
		m.proportional += value_of(text, "\nPss:") * 1024;
	}
	fclose(f);
	return m;
}
