/* SPDX-License-Identifier: Apache-2.0 */
#include "bulk.h"

#include "tcp.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define FILE_SIZE (4 << 20)
#define SEND_MAX  (1 << 20)

int bulk_open(void)
{
	uint8_t part[65536];
	const int fd = memfd_create("bulk", MFD_CLOEXEC);

	memset(part, 0x5a, sizeof(part));
	for (size_t n = 0; n < FILE_SIZE; n += sizeof(part)) {
		if (write(fd, part, sizeof(part)) != (ssize_t)sizeof(part))
			die("memory file");
	}
	return fd;
}

ssize_t bulk_send(int bulk_fd, int fd, uint64_t left)
{
	/* From another page each time, so that no copy stays in a cache. */
	off_t from = (off_t)(left * 7919 % (FILE_SIZE / 2)) & ~(off_t)4095;

	return sendfile(fd, bulk_fd, &from, left < SEND_MAX ? left : SEND_MAX);
}
