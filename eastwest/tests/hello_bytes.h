/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello_bytes - builds ClientHello messages for tests, one field at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct hello_bytes {
	uint8_t data[70000];
	size_t len;
};

static inline void put(struct hello_bytes *to, const void *data, size_t len)
{
	memcpy(to->data + to->len, data, len);
	to->len += len;
}

static inline void put_number(struct hello_bytes *to, unsigned bytes, size_t value)
{
	for (unsigned i = bytes; i > 0; i--)
		to->data[to->len++] = (uint8_t)(value >> 8 * (i - 1));
}

/* A vector with a length of so many bytes. */
static inline void put_vector(struct hello_bytes *to, unsigned bytes, const void *data, size_t len)
{
	put_number(to, bytes, len);
	put(to, data, len);
}

static inline void put_extension(struct hello_bytes *to, unsigned type, const void *data,
                                 size_t len)
{
	put_number(to, 2, type);
	put_vector(to, 2, data, len);
}

static inline void put_sni(struct hello_bytes *to, const char *name, size_t len)
{
	struct hello_bytes list = {.len = 0};
	put_number(&list, 2, len + 3);
	put_number(&list, 1, 0);
	put_vector(&list, 2, name, len);
	put_extension(to, 0, list.data, list.len);
}

/* protocols: comma list */
static inline void put_alpn(struct hello_bytes *to, const char *protocols)
{
	struct hello_bytes names = {.len = 0};
	struct hello_bytes list = {.len = 0};
	while (*protocols != '\0') {
		size_t len = strcspn(protocols, ",");
		put_vector(&names, 1, protocols, len);
		protocols += len + (protocols[len] == ',');
	}
	put_vector(&list, 2, names.data, names.len);
	put_extension(to, 16, list.data, list.len);
}

/* The message around extensions; NULL: without any. */
static inline void put_message(struct hello_bytes *to, const struct hello_bytes *extensions)
{
	static const uint8_t random[32] = {0x5a};
	struct hello_bytes body = {.len = 0};
	put_number(&body, 2, 0x0303);
	put(&body, random, sizeof(random));
	put_vector(&body, 1, random, 32);
	put_vector(&body, 2, "\x13\x01\x13\x02\x0a\x0a", 6);
	put_vector(&body, 1, "\x00", 1);
	if (extensions != NULL)
		put_vector(&body, 2, extensions->data, extensions->len);
	put_number(to, 1, 1);
	put_vector(to, 3, body.data, body.len);
}

/* The message in records of at most so many bytes. */
static inline void put_records(struct hello_bytes *to, const struct hello_bytes *message,
                               size_t record_len)
{
	for (size_t at = 0; at < message->len; at += record_len) {
		size_t n = message->len - at < record_len ? message->len - at : record_len;
		put_number(to, 1, 22);
		put_number(to, 2, 0x0301);
		put_vector(to, 2, message->data + at, n);
	}
}

/* A whole ordinary hello. */
static inline void make_hello(struct hello_bytes *to, const char *sni, const char *alpn,
                              size_t record_len)
{
	struct hello_bytes extensions = {.len = 0};
	struct hello_bytes message = {.len = 0};
	put_extension(&extensions, 0x4a4a, "", 0); /* GREASE */
	if (sni != NULL)
		put_sni(&extensions, sni, strlen(sni));
	if (alpn != NULL)
		put_alpn(&extensions, alpn);
	put_extension(&extensions, 43, "\x04\x03\x04\x03\x03", 5);
	put_message(&message, &extensions);
	put_records(to, &message, record_len);
}
