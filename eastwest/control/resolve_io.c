/* SPDX-License-Identifier: Apache-2.0 */
#include "control/resolve_io.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dns.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/map.h"

struct name {
	struct ew_resolver *resolver;
	char *host;
	struct dns_question *question; /* NULL: none on its way */
	int64_t due_ms;                /* when to ask next */
	bool wanted;
	bool failed; /* the last time */
	size_t n;
	struct ip ips[EW_RESOLVE_ADDRESSES_MAX]; /* sorted */
};

struct ew_resolver {
	struct loop *loop;
	struct ew_resolver_options options;
	struct map names; /* host to struct name */
	size_t n_in_flight;
	struct loop_timer timer; /* the next that is due */
};

static void ask_due(void *arg);

/* --- answers ---------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip));
}

/* True: not what it was. */
static bool take_answer(struct name *name, const struct dns_answer *answer)
{
	struct ip ips[DNS_ADDRESSES_MAX];
	size_t n = answer->n < EW_RESOLVE_ADDRESSES_MAX ? answer->n : EW_RESOLVE_ADDRESSES_MAX;
	memcpy(ips, answer->ips, n * sizeof(*ips));
	qsort(ips, n, sizeof(*ips), by_bytes);
	if (n == name->n && memcmp(ips, name->ips, n * sizeof(*ips)) == 0)
		return false;
	memcpy(name->ips, ips, n * sizeof(*ips));
	name->n = n;
	return true;
}

static int64_t next_in_ms(const struct ew_resolver *resolver, const struct dns_answer *answer)
{
	int64_t ms = answer != NULL ? 1000L * answer->ttl_s : 0;
	ms = ms < 1000 * EW_RESOLVE_TTL_MAX_S ? ms : 1000 * EW_RESOLVE_TTL_MAX_S;
	return ms > resolver->options.min_ms ? ms : resolver->options.min_ms;
}

static void on_answer(const struct dns_answer *answer, const struct err *err, void *arg)
{
	struct name *name = arg;
	struct ew_resolver *resolver = name->resolver;
	name->question = NULL;
	resolver->n_in_flight--;
	name->due_ms = loop_now_ms(resolver->loop) + next_in_ms(resolver, answer);
	if (answer == NULL && !name->failed)
		log_warn("eastwest", "%s; the addresses it had stay: %zu", err->msg, name->n);
	name->failed = answer == NULL;
	bool changed = answer != NULL && take_answer(name, answer);
	ask_due(resolver);
	if (changed)
		resolver->options.on_change(resolver->options.arg);
}

/* --- questions -------------------------------------------------------------------------------- */

static void ask_due(void *arg)
{
	struct ew_resolver *resolver = arg;
	int64_t now_ms = loop_now_ms(resolver->loop);
	int64_t next_ms = INT64_MAX;
	map_for_each (it, &resolver->names) {
		struct name *name = map_value(it);
		if (name->question != NULL)
			continue;
		if (name->due_ms > now_ms) {
			next_ms = name->due_ms < next_ms ? name->due_ms : next_ms;
		} else if (resolver->n_in_flight < EW_RESOLVE_IN_FLIGHT_MAX) {
			resolver->n_in_flight++;
			name->question = dns_ask(resolver->loop, name->host,
			                         resolver->options.servers, on_answer, name);
		}
	}
	/* who found no place has it as soon as somebody is answered */
	if (next_ms != INT64_MAX)
		loop_timer_set(&resolver->timer, next_ms - now_ms);
}

static void free_name(void *value)
{
	struct name *name = value;
	if (name->question != NULL)
		name->resolver->n_in_flight--;
	dns_cancel(name->question);
	free(name->host);
	free(name);
}

static void want_one(struct ew_resolver *resolver, struct str host)
{
	struct name *name = map_find(&resolver->names, host);
	if (name == NULL) {
		name = xcalloc(1, sizeof(*name));
		name->resolver = resolver;
		name->host = str_dup(host);
		map_set(&resolver->names, host, name);
	}
	name->wanted = true;
}

void ew_resolver_want(struct ew_resolver *resolver, const struct str *hosts, size_t n)
{
	map_for_each (it, &resolver->names)
		((struct name *)map_value(it))->wanted = false;
	for (size_t i = 0; i < n; i++)
		want_one(resolver, hosts[i]);
	map_for_each (it, &resolver->names) {
		struct name *name = map_value(it);
		if (!name->wanted)
			free_name(map_remove(&resolver->names, map_key(it)));
	}
	ask_due(resolver);
}

size_t ew_resolver_find(struct str host, struct ip *ret_ips, size_t max, void *arg)
{
	const struct ew_resolver *resolver = arg;
	const struct name *name = map_find(&resolver->names, host);
	size_t n = name != NULL ? name->n : 0;
	n = n < max ? n : max;
	if (n > 0)
		memcpy(ret_ips, name->ips, n * sizeof(*ret_ips));
	return n;
}

/* --- life ------------------------------------------------------------------------------------- */

struct ew_resolver *ew_resolver_create(struct loop *loop, const struct ew_resolver_options *options)
{
	struct ew_resolver *resolver = xcalloc(1, sizeof(*resolver));
	resolver->loop = loop;
	resolver->options = *options;
	if (resolver->options.min_ms == 0)
		resolver->options.min_ms = 1000 * EW_RESOLVE_TTL_MIN_S;
	loop_timer_init(&resolver->timer, loop, ask_due, resolver);
	return resolver;
}

void ew_resolver_destroy(struct ew_resolver *resolver)
{
	if (resolver == NULL)
		return;
	map_fini(&resolver->names, free_name);
	loop_timer_fini(&resolver->timer);
	free(resolver);
}
