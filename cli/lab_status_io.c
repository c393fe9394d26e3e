/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_inside.h"
#include "lab_start.h"
#include "lab_status.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/json.h"

enum {
	PROGRAMS_MAX = 64
};

struct errand {
	const char *dir;
	bool embedded;
	bool *open; /* shared with the child that goes inside; one each program, in order */
};

/* In the order of the report. */
#define FOR_EACH_PROGRAM(host, program, embedded)                                                  \
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++)                  \
		for (const struct lab_program *program = lab_programs; program->name != NULL;      \
		     program++)                                                                    \
			if (lab_program_runs_on(program, host, embedded))

static bool look_inside(void *arg, struct err *err)
{
	struct errand *errand = arg;
	size_t n = 0;
	(void)err;
	FOR_EACH_PROGRAM(host, program, errand->embedded)
	{
		struct lab_place place = {errand->dir, host, errand->embedded};
		char *door CLEANUP(free_ptr) = lab_expand(str_from(program->door), &place);
		if (n < PROGRAMS_MAX)
			errand->open[n++] = door[0] == '\0' || lab_door_is_open(host, door);
	}
	return true;
}

static json_t *report_program(const struct lab_place *place, const struct lab_program *program,
                              bool open)
{
	pid_t pid = lab_program_pid(place->dir, place->host->name, program->name);
	char *door CLEANUP(free_ptr) = lab_expand(str_from(program->door), place);
	char *folder CLEANUP(free_ptr) =
		xasprintf("%s/%s/%s", place->dir, place->host->name, program->name);
	return json_pack("{ss ss ss si ss ss}", "host", place->host->name, "program", program->name,
	                 "state",
	                 pid == 0 ? "Ended"
	                 : open   ? "Running"
	                          : "Starting",
	                 "pid", (int)pid, "address", door, "folder", folder);
}

static json_t *report_host(const char *dir, const struct lab_host *host)
{
	char *folder CLEANUP(free_ptr) = xasprintf("%s/%s", dir, host->name);
	return json_pack("{ss ss ss ss ss ss ss}", "host", host->name, "cluster", host->cluster,
	                 "network", host->network, "locality", host->locality, "address", host->wan,
	                 "pods", host->pods, "folder", folder);
}

static json_t *report(const struct errand *errand)
{
	size_t n = 0;
	json_t *programs = json_array();
	json_t *hosts = json_array();
	FOR_EACH_PROGRAM(host, program, errand->embedded)
	{
		struct lab_place place = {errand->dir, host, errand->embedded};
		if (n < PROGRAMS_MAX)
			json_array_append_new(programs,
			                      report_program(&place, program, errand->open[n++]));
	}
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++)
		json_array_append_new(hosts, report_host(errand->dir, host));
	return json_pack("{ss si ss so so}", "dir", errand->dir, "pid", (int)lab_pid(errand->dir),
	                 "members", errand->embedded ? "embedded" : "external", "programs",
	                 programs, "hosts", hosts);
}

json_t *lab_status_gather(const char *dir, bool embedded, struct err *err)
{
	bool *open =
		mmap(NULL, PROGRAMS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct errand errand = {dir, embedded, open};
	if (open == MAP_FAILED) {
		IGNORE(err_set(err, ERR_IO, "no memory to share with the lab"));
		return NULL;
	}
	json_t *status = lab_inside(dir, look_inside, &errand, err) ? report(&errand) : NULL;
	munmap(open, PROGRAMS_MAX);
	return status;
}
