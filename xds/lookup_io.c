/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup_io.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"

/* Shared by the loop's side and the thread; the last one frees it. */
struct job {
	atomic_uint refs;
	int bell; /* eventfd: rung when the result below is complete */
	char *host;
	uint16_t port;
	int error; /* of getaddrinfo, 0 if none */
	struct addr addrs[LOOKUP_ADDRS_MAX];
	size_t n;
};

struct lookup {
	struct job *job;
	struct loop_io io;
	struct loop_timer timer; /* for literals */
	lookup_cb cb;
	void *arg;
};

static void job_unref(struct job *job)
{
	if (atomic_fetch_sub(&job->refs, 1) > 1)
		return;
	if (job->bell >= 0)
		close(job->bell);
	free(job->host);
	free(job);
}

static void *run(void *arg)
{
	struct job *job = arg;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	job->error = getaddrinfo(job->host, NULL, &hints, &list);
	for (struct addrinfo *it = list; it != NULL && job->n < LOOKUP_ADDRS_MAX;
	     it = it->ai_next) {
		struct sockaddr_storage sa = {0};
		if (it->ai_addrlen > sizeof(sa))
			continue;
		memcpy(&sa, it->ai_addr, it->ai_addrlen);
		addr_from_sockaddr(&sa, &job->addrs[job->n]);
		job->addrs[job->n++].port = job->port;
	}
	if (list != NULL)
		freeaddrinfo(list);
	uint64_t one = 1;
	/* the counter of a fresh eventfd takes a one */
	IGNORE(write(job->bell, &one, sizeof(one)) != sizeof(one));
	job_unref(job);
	return NULL;
}

static void finish(struct lookup *lookup)
{
	struct job *job = lookup->job;
	struct err err;
	if (job->n == 0)
		err_set(&err, ERR_UNAVAILABLE, "looking up '%s': %s", job->host,
		        job->error != 0 ? gai_strerror(job->error) : "no address");
	lookup_cb cb = lookup->cb;
	void *arg = lookup->arg;
	atomic_fetch_add(&job->refs, 1);
	lookup_cancel(lookup);
	cb(job->addrs, job->n, &err, arg);
	job_unref(job);
}

static void on_bell(unsigned ready, void *arg)
{
	(void)ready;
	finish(arg);
}

static void on_timer(void *arg)
{
	finish(arg);
}

static bool start_thread(struct job *job)
{
	pthread_t thread;
	pthread_attr_t attr;
	job->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->bell < 0)
		return false;
	atomic_fetch_add(&job->refs, 1);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int failed = pthread_create(&thread, &attr, run, job);
	pthread_attr_destroy(&attr);
	if (failed != 0)
		atomic_fetch_sub(&job->refs, 1);
	return failed == 0;
}

struct lookup *lookup_start(struct loop *loop, const char *host, uint16_t port, lookup_cb cb,
                            void *arg)
{
	struct lookup *lookup = xcalloc(1, sizeof(*lookup));
	struct job *job = xcalloc(1, sizeof(*job));
	atomic_init(&job->refs, 1);
	job->bell = -1;
	job->host = xstrdup(host);
	job->port = port;
	lookup->job = job;
	lookup->cb = cb;
	lookup->arg = arg;
	loop_timer_init(&lookup->timer, loop, on_timer, lookup);
	if (ip_parse(str_from(host), &job->addrs[0].ip)) {
		job->addrs[0].port = port;
		job->n = 1;
		loop_timer_set(&lookup->timer, 0);
	} else if (start_thread(job)) {
		loop_io_init(&lookup->io, loop, job->bell, on_bell, lookup);
		loop_io_set(&lookup->io, LOOP_READ);
	} else {
		job->error = EAI_SYSTEM;
		loop_timer_set(&lookup->timer, 0);
	}
	return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
	if (lookup == NULL)
		return;
	loop_timer_fini(&lookup->timer);
	loop_io_fini(&lookup->io);
	job_unref(lookup->job);
	free(lookup);
}
