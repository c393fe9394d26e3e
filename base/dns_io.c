/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each question has a c-ares channel of its own: names are asked for a few times a minute, and so
 * ending one question is ending its channel. c-ares must not be ended inside its own callback,
 * which is why the answer is told by a timer.
 */
#include <ares.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include "base/alloc.h"
#include "base/dns.h"

enum {
	SOCKETS_MAX = 16, /* c-ares opens one or two for each server it tries */
	TRY_MS = 1000,    /* then the next server, and once more round */
	TRIES = 2
};

struct dns_question {
	struct loop *loop;
	ares_channel channel; /* NULL: none */
	struct loop_io sockets[SOCKETS_MAX];
	struct loop_timer retry; /* what c-ares wants to be woken for */
	struct loop_timer end;   /* the deadline, then "tell" */
	char *host;
	bool done;
	struct dns_answer answer; /* done */
	struct err err;           /* done, and n is 0 */
	dns_cb cb;
	void *arg;
};

/* --- sockets and time ------------------------------------------------------------------------- */

static void set_retry(struct dns_question *question)
{
	struct timeval tv;
	if (question->done || ares_timeout(question->channel, NULL, &tv) == NULL)
		loop_timer_cancel(&question->retry);
	else
		loop_timer_set(&question->retry, tv.tv_sec * 1000 + tv.tv_usec / 1000 + 1);
}

static void on_retry(void *arg)
{
	struct dns_question *question = arg;
	ares_process_fd(question->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_retry(question);
}

/* A socket's callback knows only that it is ready, so all that are watched are tried. */
static void on_ready(unsigned ready, void *arg)
{
	struct dns_question *question = arg;
	ares_socket_t fds[ARES_GETSOCK_MAXNUM];
	int wanted = ares_getsock(question->channel, fds, ARES_GETSOCK_MAXNUM);
	for (int i = 0; i < ARES_GETSOCK_MAXNUM && !question->done; i++) {
		bool reads = (ready & LOOP_READ) != 0 && ARES_GETSOCK_READABLE(wanted, i);
		bool writes = (ready & LOOP_WRITE) != 0 && ARES_GETSOCK_WRITABLE(wanted, i);
		if (reads || writes)
			ares_process_fd(question->channel, reads ? fds[i] : ARES_SOCKET_BAD,
			                writes ? fds[i] : ARES_SOCKET_BAD);
	}
	set_retry(question);
}

static struct loop_io *find_socket(struct dns_question *question, int fd)
{
	for (int i = 0; i < SOCKETS_MAX; i++) {
		struct loop_io *io = &question->sockets[i];
		if (io->impl != NULL && io->fd == fd)
			return io;
	}
	return NULL;
}

static struct loop_io *add_socket(struct dns_question *question, int fd)
{
	for (int i = 0; i < SOCKETS_MAX; i++) {
		struct loop_io *io = &question->sockets[i];
		if (io->impl != NULL)
			continue;
		loop_io_init(io, question->loop, fd, on_ready, question);
		return io;
	}
	/* never read from: c-ares gives its server up */
	return NULL;
}

static void on_socket(void *arg, ares_socket_t fd, int reads, int writes)
{
	struct dns_question *question = arg;
	struct loop_io *io = find_socket(question, fd);
	if (io != NULL && reads == 0 && writes == 0) {
		loop_io_fini(io);
		return;
	}
	if (io == NULL)
		io = add_socket(question, fd);
	if (io != NULL)
		loop_io_set(io, (reads != 0 ? LOOP_READ : 0) | (writes != 0 ? LOOP_WRITE : 0));
}

/* --- answers ---------------------------------------------------------------------------------- */

static void add_ip(struct dns_answer *answer, const struct ares_addrinfo_node *node)
{
	struct sockaddr_storage sa = {0};
	struct addr addr;
	if (answer->n == DNS_ADDRESSES_MAX || node->ai_addrlen > sizeof(sa))
		return;
	memcpy(&sa, node->ai_addr, node->ai_addrlen);
	addr_from_sockaddr(&sa, &addr);
	for (size_t i = 0; i < answer->n; i++) {
		if (ip_eq(&answer->ips[i], &addr.ip))
			return;
	}
	answer->ips[answer->n++] = addr.ip;
	if (node->ai_ttl < answer->ttl_s)
		answer->ttl_s = node->ai_ttl;
}

static enum err_code code_of(int status)
{
	switch (status) {
	case ARES_SUCCESS: /* without an address */
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return ERR_NOT_FOUND;
	case ARES_ETIMEOUT:
		return ERR_TIMEOUT;
	default:
		return ERR_UNAVAILABLE;
	}
}

static void finish(struct dns_question *question, int status)
{
	question->done = true;
	if (question->answer.n == 0)
		err_set(&question->err, code_of(status), "looking up '%s': %s", question->host,
		        status == ARES_SUCCESS ? "no address" : ares_strerror(status));
	loop_timer_set(&question->end, 0);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct dns_question *question = arg;
	(void)timeouts;
	if (status == ARES_EDESTRUCTION)
		return;
	for (struct ares_addrinfo_node *it = result != NULL ? result->nodes : NULL; it != NULL;
	     it = it->ai_next)
		add_ip(&question->answer, it);
	ares_freeaddrinfo(result);
	finish(question, status);
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_end(void *arg)
{
	struct dns_question *question = arg;
	dns_cb cb = question->cb;
	void *cb_arg = question->arg;
	if (!question->done) {
		err_set(&question->err, ERR_TIMEOUT, "looking up '%s': no answer within %d s",
		        question->host, DNS_DEADLINE_MS / 1000);
		question->answer.n = 0;
	}
	struct dns_answer answer = question->answer;
	struct err err = question->err;
	dns_cancel(question);
	cb(answer.n > 0 ? &answer : NULL, &err, cb_arg);
}

static void init_library(void)
{
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		UNREACHABLE("c-ares cannot be set up: out of memory");
}

static int open_channel(struct dns_question *question, const char *servers)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct ares_options options = {
		.timeout = TRY_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = question,
	};
	pthread_once(&once, init_library);
	int status =
		ares_init_options(&question->channel, &options,
	                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (status == ARES_SUCCESS && servers != NULL)
		status = ares_set_servers_ports_csv(question->channel, servers);
	return status;
}

static void look_up(struct dns_question *question, const char *servers)
{
	/* sorting would open sockets to the addresses; who connects has an order of its own */
	static const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	int status = open_channel(question, servers);
	if (status != ARES_SUCCESS) {
		finish(question, status);
		return;
	}
	loop_timer_set(&question->end, DNS_DEADLINE_MS);
	ares_getaddrinfo(question->channel, question->host, NULL, &hints, on_answer, question);
	set_retry(question);
}

/* True: there is nothing to ask. "localhost" is never asked for (RFC 6761 6.3), also where no
 * /etc/hosts has it. */
static bool is_known(const char *host, struct dns_answer *answer)
{
	if (strcasecmp(host, "localhost") == 0 || strcasecmp(host, "localhost.") == 0) {
		IGNORE(ip_parse(STR_LIT("127.0.0.1"), &answer->ips[0]));
		IGNORE(ip_parse(STR_LIT("::1"), &answer->ips[1]));
		answer->n = 2;
	} else if (ip_parse(str_from(host), &answer->ips[0])) {
		answer->n = 1;
	}
	return answer->n > 0;
}

struct dns_question *dns_ask(struct loop *loop, const char *host, const char *servers, dns_cb cb,
                             void *arg)
{
	struct dns_question *question = xcalloc(1, sizeof(*question));
	question->loop = loop;
	question->host = xstrdup(host);
	question->answer.ttl_s = DNS_TTL_LITERAL;
	question->cb = cb;
	question->arg = arg;
	loop_timer_init(&question->retry, loop, on_retry, question);
	loop_timer_init(&question->end, loop, on_end, question);
	if (is_known(host, &question->answer))
		finish(question, ARES_SUCCESS);
	else
		look_up(question, servers);
	return question;
}

void dns_cancel(struct dns_question *question)
{
	if (question == NULL)
		return;
	question->done = true;
	if (question->channel != NULL)
		ares_destroy(question->channel);
	for (int i = 0; i < SOCKETS_MAX; i++)
		loop_io_fini(&question->sockets[i]);
	loop_timer_fini(&question->retry);
	loop_timer_fini(&question->end);
	free(question->host);
	free(question);
}
