/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_server - a DNS server for tests, on loopback and in the loop of who asks. It answers any
 * name alike.
 */
#pragma once

#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"

enum {
	NAME_SERVER_A = 1,
	NAME_SERVER_AAAA = 28,
	NAME_SERVER_HEAD = 12
};

/* What it says; RCODEs of RFC 1035, and worse. */
enum {
	NAME_SERVER_ANSWERS = 0,
	NAME_SERVER_FAILS = 2,
	NAME_SERVER_UNKNOWN = 3,
	NAME_SERVER_SILENT = -1,
	NAME_SERVER_JUNK = -2
};

struct name_server {
	int fd;
	char address[32];
	struct loop_io io;
	int rcode;         /* NAME_SERVER_... */
	const char *v4[4]; /* answers to A */
	const char *v6[4]; /* answers to AAAA */
	uint32_t ttl_s;
	int n_asked;
};

static size_t name_server_put(uint8_t *out, int type, const char *text, uint32_t ttl_s)
{
	size_t len = type == NAME_SERVER_A ? 4 : 16;
	const uint8_t head[] = {0xc0,
	                        NAME_SERVER_HEAD,
	                        0,
	                        (uint8_t)type,
	                        0,
	                        1,
	                        (uint8_t)(ttl_s >> 24),
	                        (uint8_t)(ttl_s >> 16),
	                        (uint8_t)(ttl_s >> 8),
	                        (uint8_t)ttl_s,
	                        0,
	                        (uint8_t)len};
	memcpy(out, head, sizeof(head));
	assert_int_equal(
		inet_pton(type == NAME_SERVER_A ? AF_INET : AF_INET6, text, out + sizeof(head)), 1);
	return sizeof(head) + len;
}

/* The question's bytes come back with the answers behind it. */
static size_t name_server_answer(const struct name_server *server, uint8_t *packet, size_t len)
{
	size_t at = NAME_SERVER_HEAD;
	while (packet[at] != 0)
		at += packet[at] + 1U;
	int type = packet[at + 1] << 8 | packet[at + 2];
	const char *const *texts = type == NAME_SERVER_A ? server->v4 : server->v6;
	size_t end = at + 5;
	assert_true(end <= len);
	packet[2] = 0x84;
	packet[3] = (uint8_t)(0x80 | server->rcode);
	memset(packet + 6, 0, 6);
	for (int i = 0; server->rcode == NAME_SERVER_ANSWERS && i < 4 && texts[i] != NULL; i++) {
		end += name_server_put(packet + end, type, texts[i], server->ttl_s);
		packet[7]++;
	}
	return end;
}

static void name_server_on_query(unsigned ready, void *arg)
{
	struct name_server *server = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t packet[1024] = {0};
	ssize_t got = recvfrom(server->fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
	(void)ready;
	assert_true(got > NAME_SERVER_HEAD);
	server->n_asked++;
	if (server->rcode == NAME_SERVER_SILENT)
		return;
	size_t len = (size_t)got;
	if (server->rcode == NAME_SERVER_JUNK)
		memset(packet + 2, 0xff, len - 2);
	else
		len = name_server_answer(server, packet, len);
	sendto(server->fd, packet, len, 0, (struct sockaddr *)&from, from_len);
}

static void name_server_init(struct name_server *server, struct loop *loop)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sa);
	*server = (struct name_server){0};
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(server->address, sizeof(server->address), "127.0.0.1:%u", ntohs(sa.sin_port));
	loop_io_init(&server->io, loop, server->fd, name_server_on_query, server);
	loop_io_set(&server->io, LOOP_READ);
}

static void name_server_fini(struct name_server *server)
{
	loop_io_fini(&server->io);
	close(server->fd);
}
