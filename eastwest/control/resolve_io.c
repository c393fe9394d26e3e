/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread and the loop share one struct under a lock: names in, answers out. getaddrinfo cannot
 * be broken off, so at the end the thread may be left behind; the struct is then freed by it.
 */
#include "control/resolve_io.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/macros.h"

enum {
	STOP_WAIT_MS = 200
};

struct answer {
	char *host;
	bool failed; /* the last time */
	size_t n;
	struct ip ips[EW_RESOLVE_ADDRESSES_MAX];
};

struct ew_resolver {
	struct loop *loop;
	void (*on_change)(void *arg);
	void *arg;
	pthread_t thread;
	/* the rest is shared, under lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping;
	bool wanted; /* names were added */
	struct answer *answers;
	size_t n_answers;
};

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip));
}

/* Sorted, without doubles. 0: not resolved. */
static size_t look_up(const char *host, struct ip *ips)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	size_t n = 0;
	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return 0;
	for (struct addrinfo *it = list; it != NULL && n < EW_RESOLVE_ADDRESSES_MAX;
	     it = it->ai_next) {
		struct sockaddr_storage sa = {0};
		struct addr addr;
		memcpy(&sa, it->ai_addr, it->ai_addrlen);
		addr_from_sockaddr(&sa, &addr);
		ips[n++] = addr.ip;
	}
	freeaddrinfo(list);
	qsort(ips, n, sizeof(*ips), by_bytes);
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || !ip_eq(&ips[kept - 1], &ips[i]))
			ips[kept++] = ips[i];
	}
	return kept;
}

static struct answer *find_answer(struct ew_resolver *resolver, struct str host)
{
	for (size_t i = 0; i < resolver->n_answers; i++) {
		if (str_is(host, resolver->answers[i].host))
			return &resolver->answers[i];
	}
	return NULL;
}

/* True: not what it was. Under lock. */
static bool set_answer(struct ew_resolver *resolver, const char *host, const struct ip *ips,
                       size_t n)
{
	struct answer *answer = find_answer(resolver, str_from(host));
	if (answer == NULL)
		return false;
	if (n == 0 && !answer->failed)
		log_warn("eastwest", "host name cannot be resolved host=%s", host);
	answer->failed = n == 0;
	bool same = n == answer->n && memcmp(ips, answer->ips, n * sizeof(*ips)) == 0;
	if (n == 0 || same)
		return false;
	memcpy(answer->ips, ips, n * sizeof(*ips));
	answer->n = n;
	return true;
}

static void look_up_all(struct ew_resolver *resolver)
{
	bool changed = false;
	pthread_mutex_lock(&resolver->lock);
	resolver->wanted = false;
	for (size_t i = 0; i < resolver->n_answers && !resolver->stopping; i++) {
		struct ip ips[EW_RESOLVE_ADDRESSES_MAX];
		char *host = xstrdup(resolver->answers[i].host);
		pthread_mutex_unlock(&resolver->lock);
		size_t n = look_up(host, ips);
		pthread_mutex_lock(&resolver->lock);
		changed |= set_answer(resolver, host, ips, n);
		free(host);
	}
	/* under the lock, so that the loop is still there when not stopping */
	if (changed && !resolver->stopping)
		loop_post(resolver->loop, resolver->on_change, resolver->arg);
	pthread_mutex_unlock(&resolver->lock);
}

static void wait_turn(struct ew_resolver *resolver)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += EW_RESOLVE_INTERVAL_MS / 1000;
	pthread_mutex_lock(&resolver->lock);
	while (!resolver->stopping && !resolver->wanted) {
		if (pthread_cond_timedwait(&resolver->changed, &resolver->lock, &until) != 0)
			break;
	}
	pthread_mutex_unlock(&resolver->lock);
}

static bool is_stopping(struct ew_resolver *resolver)
{
	pthread_mutex_lock(&resolver->lock);
	bool stopping = resolver->stopping;
	pthread_mutex_unlock(&resolver->lock);
	return stopping;
}

static void *run(void *arg)
{
	struct ew_resolver *resolver = arg;
	while (!is_stopping(resolver)) {
		wait_turn(resolver);
		look_up_all(resolver);
	}
	return NULL;
}

struct ew_resolver *ew_resolver_create(struct loop *loop, void (*on_change)(void *arg), void *arg)
{
	struct ew_resolver *resolver = xcalloc(1, sizeof(*resolver));
	resolver->loop = loop;
	resolver->on_change = on_change;
	resolver->arg = arg;
	pthread_mutex_init(&resolver->lock, NULL);
	pthread_cond_init(&resolver->changed, NULL);
	if (pthread_create(&resolver->thread, NULL, run, resolver) != 0)
		UNREACHABLE("cannot start the resolver's thread");
	return resolver;
}

void ew_resolver_destroy(struct ew_resolver *resolver)
{
	struct timespec until;
	if (resolver == NULL)
		return;
	pthread_mutex_lock(&resolver->lock);
	resolver->stopping = true;
	pthread_cond_signal(&resolver->changed);
	pthread_mutex_unlock(&resolver->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += STOP_WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	if (pthread_timedjoin_np(resolver->thread, NULL, &until) != 0) {
		/* it ends with the process; what it holds has to stay */
		pthread_detach(resolver->thread);
		return;
	}
	for (size_t i = 0; i < resolver->n_answers; i++)
		free(resolver->answers[i].host);
	free(resolver->answers);
	pthread_cond_destroy(&resolver->changed);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}

void ew_resolver_want(struct ew_resolver *resolver, const struct str *hosts, size_t n)
{
	pthread_mutex_lock(&resolver->lock);
	struct answer *old = resolver->answers;
	size_t n_old = resolver->n_answers;
	struct answer *made = xcalloc(n + 1, sizeof(*made));
	size_t n_made = 0;
	for (size_t i = 0; i < n; i++) {
		bool twice = false;
		for (size_t k = 0; k < n_made; k++)
			twice |= str_is(hosts[i], made[k].host);
		if (twice)
			continue;
		struct answer *known = find_answer(resolver, hosts[i]);
		if (known != NULL)
			made[n_made] = *known;
		made[n_made].host = str_dup(hosts[i]);
		resolver->wanted |= known == NULL;
		n_made++;
	}
	resolver->answers = made;
	resolver->n_answers = n_made;
	for (size_t i = 0; i < n_old; i++)
		free(old[i].host);
	free(old);
	if (resolver->wanted)
		pthread_cond_signal(&resolver->changed);
	pthread_mutex_unlock(&resolver->lock);
}

size_t ew_resolver_find(struct str host, struct ip *ret_ips, size_t max, void *arg)
{
	struct ew_resolver *resolver = arg;
	pthread_mutex_lock(&resolver->lock);
	const struct answer *answer = find_answer(resolver, host);
	size_t n = answer != NULL ? answer->n : 0;
	n = n < max ? n : max;
	if (n > 0)
		memcpy(ret_ips, answer->ips, n * sizeof(*ret_ips));
	pthread_mutex_unlock(&resolver->lock);
	return n;
}
