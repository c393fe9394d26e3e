/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes. The first walks record headers and adds up how much of the handshake message is
 * there; its place is kept between calls. The second runs once, when the message is whole: a
 * cursor reads it byte by byte or in runs, stepping over record headers, so that nothing is copied
 * but the name.
 */
#include "eastwest/hello.h"

#include <assert.h>
#include <string.h>

#include "base/macros.h"

enum {
	RECORD_HEADER = 5,
	RECORD_HANDSHAKE = 22,
	RECORD_MAX = 16384,
	MESSAGE_HEADER = 4,
	MESSAGE_CLIENT_HELLO = 1,
	VERSION_TLS_1_0 = 0x0301,
	RANDOM_LEN = 32,
	SESSION_ID_MAX = 32,
	EXT_SERVER_NAME = 0,
	EXT_ALPN = 16,
	EXT_PRE_SHARED_KEY = 41,
	NAME_TYPE_HOST = 0,
	ALPN_MAX = 255
};

/* Reads the handshake message across records. Lengths are those of the message. */
struct cursor {
	const uint8_t *data;
	size_t pos;         /* in data */
	size_t record_left; /* bytes of the message left in this record */
	size_t left;        /* bytes left in the innermost open vector */
};

static enum ew_hello_result bad(struct ew_hello *hello, uint8_t alert, const char *why)
{
	hello->alert = alert;
	hello->why = why;
	return EW_HELLO_BAD;
}

static void take(struct cursor *c, uint8_t *out, size_t n)
{
	assert(n <= c->left);
	c->left -= n;
	while (n > 0) {
		if (c->record_left == 0) {
			c->record_left = (size_t)c->data[c->pos + 3] << 8 | c->data[c->pos + 4];
			c->pos += RECORD_HEADER;
		}
		size_t run = n < c->record_left ? n : c->record_left;
		if (out != NULL) {
			memcpy(out, c->data + c->pos, run);
			out += run;
		}
		c->pos += run;
		c->record_left -= run;
		n -= run;
	}
}

static bool take_number(struct cursor *c, unsigned bytes, size_t *ret)
{
	uint8_t raw[4];
	if (c->left < bytes)
		return false;
	take(c, raw, bytes);
	size_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | raw[i];
	*ret = value;
	return true;
}

/* Begins a vector with a length of so many bytes: c->left becomes its length, *outer what follows
 * it. */
static bool open_vector(struct cursor *c, unsigned length_bytes, size_t *outer)
{
	size_t n;
	if (!take_number(c, length_bytes, &n) || n > c->left)
		return false;
	*outer = c->left - n;
	c->left = n;
	return true;
}

/* Skips what is left of the vector and goes back to the one around it. */
static void close_vector(struct cursor *c, size_t outer)
{
	take(c, NULL, c->left);
	c->left = outer;
}

bool ew_hello_is_mesh_alpn(const uint8_t *name, size_t len)
{
	static const char *const names[] = {"istio", "istio-peer-exchange", "istio-http/1.0",
	                                    "istio-http/1.1", "istio-h2"};
	for (size_t i = 0; i < N_ELEMS(names); i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return true;
	}
	return false;
}

/* Lower case, no final dot, nothing that is not printable ASCII. */
static enum ew_hello_result read_host_name(struct cursor *c, struct ew_hello *hello)
{
	size_t len = c->left;
	if (len == 0)
		return bad(hello, EW_ALERT_DECODE_ERROR, "the server name is empty");
	uint8_t raw[EW_SNI_MAX + 1];
	if (len > sizeof(raw))
		return bad(hello, EW_ALERT_UNRECOGNIZED_NAME, "the server name is too long");
	take(c, raw, len);
	if (len > 1 && raw[len - 1] == '.')
		len--;
	if (len > EW_SNI_MAX)
		return bad(hello, EW_ALERT_UNRECOGNIZED_NAME, "the server name is too long");
	for (size_t i = 0; i < len; i++) {
		if (raw[i] <= ' ' || raw[i] >= 0x7f)
			return bad(hello, EW_ALERT_ILLEGAL_PARAMETER,
			           "the server name has a character that no host name has");
		bool upper = raw[i] >= 'A' && raw[i] <= 'Z';
		hello->sni[i] = (char)(upper ? raw[i] - 'A' + 'a' : raw[i]);
	}
	hello->sni[len] = '\0';
	hello->sni_len = (uint8_t)len;
	return EW_HELLO_DONE;
}

/* RFC 6066 3: a list of names, at most one of each type. */
static enum ew_hello_result read_server_names(struct cursor *c, struct ew_hello *hello)
{
	size_t after_list;
	if (!open_vector(c, 2, &after_list) || c->left == 0 || after_list != 0)
		return bad(hello, EW_ALERT_DECODE_ERROR, "the server name list is malformed");
	bool seen_host = false;
	while (c->left > 0) {
		size_t type;
		size_t after_name;
		if (!take_number(c, 1, &type) || !open_vector(c, 2, &after_name))
			return bad(hello, EW_ALERT_DECODE_ERROR,
			           "the server name list is malformed");
		if (type == NAME_TYPE_HOST) {
			if (seen_host)
				return bad(hello, EW_ALERT_ILLEGAL_PARAMETER,
				           "there are two server names");
			seen_host = true;
			enum ew_hello_result result = read_host_name(c, hello);
			if (result != EW_HELLO_DONE)
				return result;
		}
		close_vector(c, after_name);
	}
	return EW_HELLO_DONE;
}

/* RFC 7301 3.1. */
static enum ew_hello_result read_alpn(struct cursor *c, struct ew_hello *hello)
{
	size_t after_list;
	if (!open_vector(c, 2, &after_list) || c->left < 2 || after_list != 0)
		return bad(hello, EW_ALERT_DECODE_ERROR, "the ALPN list is malformed");
	while (c->left > 0) {
		uint8_t name[ALPN_MAX];
		size_t after_name;
		if (!open_vector(c, 1, &after_name) || c->left == 0)
			return bad(hello, EW_ALERT_DECODE_ERROR, "the ALPN list is malformed");
		size_t len = c->left;
		take(c, name, len);
		hello->mesh_alpn |= ew_hello_is_mesh_alpn(name, len);
		close_vector(c, after_name);
	}
	return EW_HELLO_DONE;
}

static enum ew_hello_result read_extension(struct cursor *c, struct ew_hello *hello, size_t type,
                                           bool *seen)
{
	if (type != EXT_SERVER_NAME && type != EXT_ALPN)
		return EW_HELLO_DONE;
	if (*seen)
		return bad(hello, EW_ALERT_ILLEGAL_PARAMETER, "an extension is repeated");
	*seen = true;
	return type == EXT_SERVER_NAME ? read_server_names(c, hello) : read_alpn(c, hello);
}

static enum ew_hello_result read_extensions(struct cursor *c, struct ew_hello *hello)
{
	bool seen_name = false;
	bool seen_alpn = false;
	bool seen_psk = false;
	size_t after_all;
	if (c->left == 0)
		return EW_HELLO_DONE; /* TLS 1.2 and older may have none */
	if (!open_vector(c, 2, &after_all) || after_all != 0)
		return bad(hello, EW_ALERT_DECODE_ERROR, "the extensions have a wrong length");
	while (c->left > 0) {
		size_t type;
		size_t after_one;
		if (!take_number(c, 2, &type) || !open_vector(c, 2, &after_one))
			return bad(hello, EW_ALERT_DECODE_ERROR, "an extension is cut off");
		/* RFC 8446 4.2.11 */
		if (seen_psk)
			return bad(hello, EW_ALERT_ILLEGAL_PARAMETER,
			           "pre_shared_key is not the last extension");
		seen_psk = type == EXT_PRE_SHARED_KEY;
		enum ew_hello_result result = read_extension(
			c, hello, type, type == EXT_SERVER_NAME ? &seen_name : &seen_alpn);
		if (result != EW_HELLO_DONE)
			return result;
		close_vector(c, after_one);
	}
	return EW_HELLO_DONE;
}

/* RFC 8446 4.1.2: one of the methods has to be "null", in TLS 1.3 the only one. */
static enum ew_hello_result read_compression(struct cursor *c, struct ew_hello *hello)
{
	size_t outer;
	uint8_t methods[255];
	if (!open_vector(c, 1, &outer) || c->left == 0)
		return bad(hello, EW_ALERT_DECODE_ERROR, "there are no compression methods");
	size_t n = c->left;
	take(c, methods, n);
	close_vector(c, outer);
	if (memchr(methods, 0, n) == NULL)
		return bad(hello, EW_ALERT_ILLEGAL_PARAMETER,
		           "the compression method 'null' is missing");
	return EW_HELLO_DONE;
}

/* The whole ClientHello, from behind its header. */
static enum ew_hello_result read_message(struct cursor *c, struct ew_hello *hello)
{
	size_t version;
	size_t outer;
	if (!take_number(c, 2, &version))
		return bad(hello, EW_ALERT_DECODE_ERROR, "the hello is too short");
	/* a larger one is for the server to answer with what it knows: RFC 5246 E.1 */
	if (version < VERSION_TLS_1_0)
		return bad(hello, EW_ALERT_PROTOCOL_VERSION, "the client's version is not TLS");
	if (c->left < RANDOM_LEN)
		return bad(hello, EW_ALERT_DECODE_ERROR, "the hello is too short");
	take(c, NULL, RANDOM_LEN);
	if (!open_vector(c, 1, &outer) || c->left > SESSION_ID_MAX)
		return bad(hello, EW_ALERT_DECODE_ERROR, "the session id is malformed");
	close_vector(c, outer);
	if (!open_vector(c, 2, &outer) || c->left == 0 || c->left % 2 != 0)
		return bad(hello, EW_ALERT_DECODE_ERROR, "the cipher suites are malformed");
	close_vector(c, outer);
	enum ew_hello_result result = read_compression(c, hello);
	if (result != EW_HELLO_DONE)
		return result;
	return read_extensions(c, hello);
}

/* Judges the header of the record at reader->pos as far as it is there. Any minor version is good:
 * RFC 5246 E.1, RFC 8446 5.1. */
static enum ew_hello_result check_record(const uint8_t *head, size_t len, bool first,
                                         struct ew_hello *hello)
{
	if (head[0] != RECORD_HANDSHAKE)
		return first ? EW_HELLO_NOT_TLS
		             : bad(hello, EW_ALERT_DECODE_ERROR,
		                   "a record inside the hello is no handshake record");
	if (len >= 2 && head[1] != 3)
		return first ? EW_HELLO_NOT_TLS
		             : bad(hello, EW_ALERT_DECODE_ERROR, "a record's version is not TLS");
	if (len < RECORD_HEADER)
		return EW_HELLO_MORE;
	size_t n = (size_t)head[3] << 8 | head[4];
	if (n == 0)
		return bad(hello, EW_ALERT_DECODE_ERROR, "a record is empty");
	if (n > RECORD_MAX)
		return bad(hello, EW_ALERT_RECORD_OVERFLOW, "a record is longer than 16384 bytes");
	return EW_HELLO_DONE;
}

/* Learns the message's length from its first four bytes, which may lie in four records. */
static enum ew_hello_result read_message_header(struct ew_hello_reader *reader, const uint8_t *data,
                                                struct ew_hello *hello)
{
	struct cursor c = {.data = data, .left = MESSAGE_HEADER};
	uint8_t head[MESSAGE_HEADER];
	take(&c, head, MESSAGE_HEADER);
	if (head[0] != MESSAGE_CLIENT_HELLO)
		return bad(hello, EW_ALERT_DECODE_ERROR, "the first message is no client hello");
	uint32_t n = (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
	if (n > EW_HELLO_MAX - RECORD_HEADER - MESSAGE_HEADER)
		return bad(hello, EW_ALERT_HANDSHAKE_FAILURE, "the hello is too large");
	reader->whole = n + MESSAGE_HEADER;
	return EW_HELLO_DONE;
}

static enum ew_hello_result read_whole(const struct ew_hello_reader *reader, const uint8_t *data,
                                       size_t end, struct ew_hello *hello)
{
	struct cursor c = {.data = data, .left = reader->whole};
	/* a larger one may come in one read and would else depend on the buffer of the moment */
	if (end > EW_HELLO_MAX)
		return bad(hello, EW_ALERT_HANDSHAKE_FAILURE, "the hello is too large");
	take(&c, NULL, MESSAGE_HEADER);
	enum ew_hello_result result = read_message(&c, hello);
	hello->len = (uint32_t)end;
	return result;
}

enum ew_hello_result ew_hello_read(struct ew_hello_reader *reader, const uint8_t *data, size_t len,
                                   struct ew_hello *ret_hello)
{
	*ret_hello = (struct ew_hello){.sni = ""};
	while (reader->pos < len) {
		const uint8_t *head = data + reader->pos;
		size_t there = len - reader->pos;
		enum ew_hello_result result =
			check_record(head, there, reader->pos == 0, ret_hello);
		if (result == EW_HELLO_MORE)
			break;
		if (result != EW_HELLO_DONE)
			return result;
		size_t n = (size_t)head[3] << 8 | head[4];
		size_t got = there - RECORD_HEADER < n ? there - RECORD_HEADER : n;
		if (reader->whole == 0 && reader->have + got >= MESSAGE_HEADER) {
			result = read_message_header(reader, data, ret_hello);
			if (result != EW_HELLO_DONE)
				return result;
		}
		if (reader->whole != 0 && reader->have + got >= reader->whole)
			return read_whole(reader, data, reader->pos + RECORD_HEADER + got,
			                  ret_hello);
		if (got < n)
			break;
		reader->have += (uint32_t)n;
		reader->pos += (uint32_t)(RECORD_HEADER + n);
	}
	if (len >= EW_HELLO_MAX)
		return bad(ret_hello, EW_ALERT_HANDSHAKE_FAILURE, "the hello is too large");
	return EW_HELLO_MORE;
}
