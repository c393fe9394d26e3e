/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_io.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"

/* Of the loop and the thread; whoever lets go last frees it. */
struct question {
	atomic_int holders;
	int done_fd;
	char *host;
	int error;
	struct addr addrs[PROBE_RESOLVE_MAX];
	size_t n;
};

struct probe_resolve {
	struct question *question;
	struct loop_io io;
	struct loop_timer no_fd; /* tells the failure when there is no descriptor for done_fd */
	uint16_t port;
	probe_resolve_cb cb;
	void *arg;
};

static void let_go(struct question *question)
{
	if (atomic_fetch_sub(&question->holders, 1) != 1)
		return;
	if (question->done_fd >= 0)
		close(question->done_fd);
	free(question->host);
	free(question);
}

static void tell_done(struct question *question)
{
	uint64_t one = 1;
	/* a fresh eventfd has room for it */
	IGNORE(write(question->done_fd, &one, sizeof(one)) < 0);
}

static void *ask(void *arg)
{
	struct question *question = arg;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	question->error = getaddrinfo(question->host, NULL, &hints, &list);
	for (struct addrinfo *at = list; at != NULL && question->n < PROBE_RESOLVE_MAX;
	     at = at->ai_next) {
		struct sockaddr_storage sa = {0};
		memcpy(&sa, at->ai_addr, at->ai_addrlen < sizeof(sa) ? at->ai_addrlen : sizeof(sa));
		addr_from_sockaddr(&sa, &question->addrs[question->n++]);
	}
	if (list != NULL)
		freeaddrinfo(list);
	tell_done(question);
	let_go(question);
	return NULL;
}

static void finish(struct probe_resolve *resolve)
{
	struct question *question = resolve->question;
	probe_resolve_cb cb = resolve->cb;
	void *cb_arg = resolve->arg;
	const char *why = question->error != 0 ? gai_strerror(question->error) : "no address";
	for (size_t i = 0; i < question->n; i++)
		question->addrs[i].port = resolve->port;
	atomic_fetch_add(&question->holders, 1);
	probe_resolve_cancel(resolve);
	cb(question->addrs, question->n, why, cb_arg);
	let_go(question);
}

static void on_done(unsigned ready, void *arg)
{
	(void)ready;
	finish(arg);
}

static void on_no_fd(void *arg)
{
	finish(arg);
}

static void ask_in_thread(struct question *question)
{
	pthread_t thread;
	atomic_fetch_add(&question->holders, 1);
	if (pthread_create(&thread, NULL, ask, question) == 0) {
		pthread_detach(thread);
		return;
	}
	question->error = EAI_AGAIN;
	tell_done(question);
	let_go(question);
}

struct probe_resolve *probe_resolve_start(struct loop *loop, const char *host, uint16_t port,
                                          probe_resolve_cb cb, void *arg)
{
	struct question *question = xcalloc(1, sizeof(*question));
	struct probe_resolve *resolve = xcalloc(1, sizeof(*resolve));
	atomic_init(&question->holders, 1);
	question->host = xstrdup(host);
	question->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*resolve = (struct probe_resolve){.question = question, .port = port, .cb = cb, .arg = arg};
	loop_timer_init(&resolve->no_fd, loop, on_no_fd, resolve);
	if (question->done_fd < 0) {
		question->error = EAI_AGAIN;
		loop_timer_set(&resolve->no_fd, 0);
		return resolve;
	}
	loop_io_init(&resolve->io, loop, question->done_fd, on_done, resolve);
	loop_io_set(&resolve->io, LOOP_READ);
	if (ip_parse(str_from(host), &question->addrs[0].ip)) {
		question->n = 1;
		tell_done(question);
	} else {
		ask_in_thread(question);
	}
	return resolve;
}

void probe_resolve_cancel(struct probe_resolve *resolve)
{
	if (resolve == NULL)
		return;
	loop_io_fini(&resolve->io);
	loop_timer_fini(&resolve->no_fd);
	let_go(resolve->question);
	free(resolve);
}
