/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wallclock - preloaded into a program of a test, it sets that program's wall clock off by as many
 * seconds as the file WALLCLOCK holds, 8 bytes, at any time. Other clocks are left alone.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t offset(void)
{
	static const volatile int64_t *shared;
	const char *path = getenv("WALLCLOCK");
	if (shared == NULL && path != NULL) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		void *memory = mmap(NULL, sizeof(*shared), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
		if (memory == MAP_FAILED)
			abort();
		shared = memory;
	}
	return shared != NULL ? *shared : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int failed = (int)syscall(SYS_clock_gettime, clock, now);
	if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += offset();
	return failed;
}

time_t time(time_t *ret_now)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_now != NULL)
		*ret_now = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &precise);
	*now = (struct timeval){precise.tv_sec, precise.tv_nsec / 1000};
	return 0;
}
