/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns - host names to addresses, on the loop and without a thread.
 *
 * Asks as the C library's "files dns" would: /etc/hosts, then the servers, search list and options
 * of /etc/resolv.conf (RFC 1035, 3596), both read anew for each question, so that a changed file
 * counts at once. Other sources of nsswitch.conf are not asked.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"

enum {
	DNS_ADDRESSES_MAX = 64,     /* of one name; more are left out */
	DNS_DEADLINE_MS = 10000,    /* of one question, all servers and tries together */
	DNS_TTL_LITERAL = INT32_MAX /* also of localhost */
};

struct dns_answer {
	struct ip ips[DNS_ADDRESSES_MAX]; /* A and AAAA, in the order they came, without doubles */
	size_t n;                         /* at least 1 */
	int32_t ttl_s;                    /* the shortest; 0 from /etc/hosts */
};

struct dns_question;

/* Once, in a later turn; the question is gone then. answer is borrowed for the call; NULL: err says
 * why. ERR_NOT_FOUND: the name has no address; ERR_TIMEOUT, ERR_UNAVAILABLE: nobody could tell. */
typedef void (*dns_cb)(const struct dns_answer *answer, const struct err *err, void *arg);

/* IP literals take the same way. servers: NULL the system's, else "ADDR:PORT,..." */
struct dns_question *dns_ask(struct loop *loop, const char *host, const char *servers, dns_cb cb,
                             void *arg);
/* No callback follows. NULL is harmless. */
void dns_cancel(struct dns_question *question);
