/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello - the server name a TLS client asks for, and whether it speaks mesh, from its first bytes.
 *
 * Pure: no I/O, no allocation. The hello may be split anywhere over TCP segments and TLS records.
 * Until it is complete only record headers are walked, so the work is in proportion to the bytes.
 * Source: RFC 8446 4.1.2, 4.2, 5.1; RFC 6066 3 (SNI); RFC 7301 3.1 (ALPN); RFC 8701 (GREASE);
 * case folding RFC 4343.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EW_HELLO_MAX = 65536, /* bytes of the stream, record headers included */
	EW_SNI_MAX = 253      /* RFC 1035 2.3.4, without the final dot */
};

/* Alert descriptions, RFC 8446 6.2 and RFC 6066, RFC 7301. */
enum {
	EW_ALERT_RECORD_OVERFLOW = 22,
	EW_ALERT_HANDSHAKE_FAILURE = 40,
	EW_ALERT_ILLEGAL_PARAMETER = 47,
	EW_ALERT_DECODE_ERROR = 50,
	EW_ALERT_PROTOCOL_VERSION = 70,
	EW_ALERT_INTERNAL_ERROR = 80,
	EW_ALERT_UNRECOGNIZED_NAME = 112,
	EW_ALERT_NO_APPLICATION_PROTOCOL = 120
};

enum ew_hello_result {
	EW_HELLO_MORE,    /* valid so far; never with EW_HELLO_MAX bytes or more */
	EW_HELLO_DONE,    /* ret_hello is filled */
	EW_HELLO_NOT_TLS, /* no TLS record at the start: nothing to answer in */
	EW_HELLO_BAD      /* ret_hello->alert and ->why say what is wrong */
};

/* Where a reader stands. Zeroed at first; for the same connection the same one. */
struct ew_hello_reader {
	uint32_t pos;   /* start of the next record header, from the first byte of the stream */
	uint32_t have;  /* bytes of the handshake message in the records before pos */
	uint32_t whole; /* its length with its own header, 0 when not yet known */
};

struct ew_hello {
	char sni[EW_SNI_MAX +
	         1]; /* lower case, no final dot, NUL at the end; "" when none was sent */
	uint8_t sni_len;
	bool mesh_alpn;  /* one of Istio's five protocols was offered */
	uint8_t alert;   /* BAD only */
	const char *why; /* BAD only: static text, lower case */
	uint32_t len;    /* DONE only: bytes of the stream up to the end of its last record */
};

/*
 * data holds all bytes from the first of the stream; each call has those of the call before and
 * maybe more. Any thread.
 */
enum ew_hello_result ew_hello_read(struct ew_hello_reader *reader, const uint8_t *data, size_t len,
                                   struct ew_hello *ret_hello);

/* Is this one of istio, istio-peer-exchange, istio-http/1.0, istio-http/1.1, istio-h2? */
bool ew_hello_is_mesh_alpn(const uint8_t *name, size_t len);
