/* SPDX-License-Identifier: Apache-2.0 */
#include "hello.h"

#include "tcp.h"

#include <string.h>

#define MAGIC "FWBN"

struct writer {
	uint8_t *to;
	size_t n;
};

static void put(struct writer *w, const void *bytes, size_t n)
{
	if (w->n + n > HELLO_MAX)
		usage_error("hello", "server name too long");
	memcpy(w->to + w->n, bytes, n);
	w->n += n;
}

static void put_16(struct writer *w, size_t v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	put(w, b, sizeof(b));
}

static void put_extension(struct writer *w, unsigned type, const void *body, size_t n)
{
	put_16(w, type);
	put_16(w, n);
	put(w, body, n);
}

static void put_name(struct writer *w, const char *sni)
{
	const size_t n = strlen(sni);

	put_16(w, 0);
	put_16(w, n + 5);
	put_16(w, n + 3);
	put(w, "", 1);
	put_16(w, n);
	put(w, sni, n);
}

static void put_extensions(struct writer *w, const char *sni)
{
	static const uint8_t groups[] = {0, 4, 0, 29, 0, 23};
	static const uint8_t algorithms[] = {0, 8, 4, 3, 8, 4, 5, 3, 8, 5};
	static const char alpn[] = "\0\x1d\x13istio-peer-exchange\x05istio\x02h2";
	static const uint8_t versions[] = {4, 3, 4, 3, 3};
	static const uint8_t share[2 + 4 + 32] = {0, 36, 0, 29, 0, 32, 9};

	put_name(w, sni);
	put_extension(w, 23, "", 0);
	put_extension(w, 10, groups, sizeof(groups));
	put_extension(w, 11, "\1", 2);
	put_extension(w, 13, algorithms, sizeof(algorithms));
	put_extension(w, 16, alpn, sizeof(alpn) - 1);
	put_extension(w, 43, versions, sizeof(versions));
	put_extension(w, 45, "\1\1", 2);
	put_extension(w, 51, share, sizeof(share));
}

static void write_64(uint8_t *to, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		to[i] = (uint8_t)v;
}

static uint64_t read_64(const uint8_t *from)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | from[i];
	return v;
}

size_t hello_build(uint8_t out[HELLO_MAX], const char *sni, struct command command)
{
	static const uint8_t ciphers[] = {0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f};
	struct writer w = {.to = out};
	uint8_t random[32] = {11, 48, 85}, id[HELLO_COMMAND] = MAGIC;
	size_t at;

	id[4] = command.again;
	write_64(id + 8, command.reply);
	write_64(id + 16, command.take);
	put(&w, "\x16\x03\x01\0\0\x01\0\0\0\x03\x03", 11);
	put(&w, random, sizeof(random));
	put(&w, "\x20", 1);
	put(&w, id, sizeof(id));
	put_16(&w, sizeof(ciphers));
	put(&w, ciphers, sizeof(ciphers));
	put(&w, "\1", 2);
	at = w.n;
	put_16(&w, 0);
	put_extensions(&w, sni);
	out[at] = (uint8_t)((w.n - at - 2) >> 8);
	out[at + 1] = (uint8_t)(w.n - at - 2);
	out[7] = (uint8_t)((w.n - 9) >> 8);
	out[8] = (uint8_t)(w.n - 9);
	out[3] = (uint8_t)((w.n - 5) >> 8);
	out[4] = (uint8_t)(w.n - 5);
	return w.n;
}

bool hello_read(const uint8_t head[HELLO_HEAD], struct command *ret_command, size_t *ret_length)
{
	const uint8_t *id = head + HELLO_HEAD - HELLO_COMMAND;

	if (head[43] != HELLO_COMMAND || memcmp(id, MAGIC, 4) != 0)
		return false;
	*ret_command = (struct command){
		.take = read_64(id + 16), .reply = read_64(id + 8), .again = id[4] != 0};
	*ret_length = 5 + ((size_t)head[3] << 8 | head[4]);
	return true;
}
