/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* bulk - many bytes that cost next to nothing to send: a memory file and sendfile. */

/* Makes the file; ends the process if it cannot. */
int bulk_open(void);
/* Sends up to `left` bytes of it to socket fd, as sendfile(2) does. */
ssize_t bulk_send(int bulk_fd, int fd, uint64_t left);
