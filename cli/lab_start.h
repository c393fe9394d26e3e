/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab_start - the lab's programs as processes. A running one holds a lock on the file `lock` in its
 * folder: by it the kernel knows its pid, and nobody is taken for it who got its number later. For
 * callers that are inside (lab_inside.h), but for lab_program_pid().
 */
#pragma once

#include "lab_programs.h"

enum {
	LAB_WAIT_MS = 30000, /* for a program or a cluster */
	LAB_ASK_MS = 50      /* between two looks at what tells nobody */
};

/* Folder with our programs: that of this one. Returns path. */
const char *lab_bin(char path[LAB_PATH_MAX]);

/* As the caller sees it, inside or outside; 0: not running. */
pid_t lab_program_pid(const char *dir, const char *host, const char *program);

/* bin: of lab_bin(). One that runs is left alone. */
MUST_CHECK
bool lab_start(const struct lab_place *place, const struct lab_program *program, const char *bin,
               struct err *err);
/* Until its door is open. ERR_IO with the end of its log: it ended; ERR_TIMEOUT. */
MUST_CHECK
bool lab_start_wait(const struct lab_place *place, const struct lab_program *program,
                    struct err *err);
/* Runs to its end in a folder of the host (DIR/HOST/folder), with its words in log.txt there.
 * ERR_IO: did not end with 0. */
MUST_CHECK
bool lab_start_once(const struct lab_place *place, const char *folder, const char *words,
                    const char *bin, struct err *err);

/* Does something accept at ADDR:PORT of this process' network? */
bool lab_port_is_open(const char *door);
/* Does something accept at ADDR:PORT of the host? */
bool lab_door_is_open(const struct lab_host *host, const char *door);
/* Waits LAB_ASK_MS. False: it is later than since_ms and timeout_ms. */
bool lab_wait_a_little(int64_t since_ms, int64_t timeout_ms);
