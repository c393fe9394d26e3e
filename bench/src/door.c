/* SPDX-License-Identifier: Apache-2.0 */
#include "door.h"

#include "hello.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KNOCK_S       2
#define REPLY         100
#define RECORD_ALERT  21
#define NS_PER_SECOND 1000000000u

static int open_socket(const struct addr *to)
{
	const struct timeval deadline = {.tv_sec = KNOCK_S};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
	if (connect(fd, (const struct sockaddr *)&to->in, sizeof(to->in)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* ret_at: when the outcome was known. Waits for the other side's end, so that the ports that have
 * to rest are those of gateway and upstream, where they cost nothing. */
static bool knock(const struct door *door, uint64_t *ret_at)
{
	uint8_t hello[HELLO_MAX], reply[512];
	const size_t len = hello_build(hello, door->sni, (struct command){.reply = REPLY});
	const int fd = open_socket(&door->to);
	bool open = false;

	if (fd >= 0 && send(fd, hello, len, MSG_NOSIGNAL) == (ssize_t)len)
		open = recv(fd, reply, sizeof(reply), 0) > 0 && reply[0] != RECORD_ALERT;
	*ret_at = now_ns();
	while (fd >= 0 && recv(fd, reply, sizeof(reply), 0) > 0)
		;
	if (fd >= 0)
		close(fd);
	return open;
}

static void *run(void *arg)
{
	struct door *door = arg;

	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		const uint64_t begin = now_ns();
		uint64_t at;
		const bool open = knock(door, &at);

		pthread_mutex_lock(&door->lock);
		door->knocks++;
		door->took_ns += at - begin;
		if (open != door->open) {
			door->open = open;
			door->flip_at[door->flips++ % DOOR_FLIPS] = at;
			pthread_cond_broadcast(&door->changed);
		}
		pthread_mutex_unlock(&door->lock);
		usleep(DOOR_PAUSE_US);
	}
	return NULL;
}

void door_start(struct door *door)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&door->lock, NULL);
	pthread_cond_init(&door->changed, &attr);
	pthread_condattr_destroy(&attr);
	errno = pthread_create(&door->thread, NULL, run, door);
	if (errno != 0)
		die("pthread_create");
}

uint64_t door_flips(struct door *door, bool *ret_open)
{
	uint64_t flips;

	pthread_mutex_lock(&door->lock);
	flips = door->flips;
	*ret_open = door->open;
	pthread_mutex_unlock(&door->lock);
	return flips;
}

uint64_t door_wait(struct door *door, uint64_t number, uint64_t deadline_ns)
{
	const struct timespec until = {.tv_sec = (time_t)(deadline_ns / NS_PER_SECOND),
	                               .tv_nsec = (long)(deadline_ns % NS_PER_SECOND)};
	uint64_t at = 0;
	int error = 0;

	pthread_mutex_lock(&door->lock);
	while (door->flips <= number && error == 0)
		error = pthread_cond_timedwait(&door->changed, &door->lock, &until);
	if (door->flips > number)
		at = door->flip_at[number % DOOR_FLIPS];
	pthread_mutex_unlock(&door->lock);
	return at;
}

uint64_t door_mean(struct door *door)
{
	uint64_t mean;

	pthread_mutex_lock(&door->lock);
	mean = door->knocks > 0 ? door->took_ns / door->knocks : 0;
	pthread_mutex_unlock(&door->lock);
	return mean;
}
