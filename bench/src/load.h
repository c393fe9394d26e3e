/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "hello.h"
#include "tcp.h"

#include <openssl/ssl.h>

/*
 * load - connections against one proxy at a time, one thread. A connection sends its hello (or does
 * a real TLS 1.3 handshake), takes the reply, and is done when nothing is missing.
 */

enum load_state {
	LOAD_FREE,
	LOAD_HELLO, /* connecting, sending the hello */
	LOAD_TLS,
	LOAD_UP, /* sending what command.take says */
	LOAD_REPLY,
	LOAD_REPLY2,
	LOAD_HELD, /* mode idle: answered, kept open */
};

struct load_conn {
	int fd;
	enum load_state state;
	bool wants_out;
	uint64_t to_send; /* behind the hello */
	uint64_t missing; /* bytes of the reply */
	size_t sent, hello_len;
	uint8_t hello[HELLO_MAX];
	SSL *ssl;
};

struct load {
	struct addr to;
	const char *sni;
	struct command command;
	bool tls;
	size_t partial; /* send only so many bytes of the hello, take no reply; 0: all */
	long total, at_once;
	uint64_t deadline_ns; /* after start; what is missing then has failed */

	int poll_fd;
	SSL_CTX *ctx; /* when tls */
	uint64_t ok, failed, bytes;
};

/* Opens and completes `total` connections, `at_once` at a time; counts in ok, failed, bytes.
 * With keep they stay open in it, an array of `total`; else pass NULL. */
void load_run(struct load *load, struct load_conn *keep);
/* Closes what load_run kept. */
void load_release(struct load *load, struct load_conn *keep);
