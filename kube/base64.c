/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/base64.h"

#include <ctype.h>
#include <stdint.h>

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_of(char c)
{
	const char *at = c != '\0' ? strchr(DIGITS, c) : NULL;

	return at != NULL ? (int)(at - DIGITS) : -1;
}

/* Four digits, of which the last n_pad are padding. */
static void add_group(uint32_t bits, unsigned n_pad, struct buf *out)
{
	char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};

	buf_add(out, bytes, 3 - n_pad);
}

bool kube_base64_decode(struct str text, struct buf *out)
{
	uint32_t bits = 0;
	unsigned n = 0;
	unsigned n_pad = 0;
	bool ended = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (isspace((unsigned char)c))
			continue;
		int digit = digit_of(c);

		if (ended || (c == '=' ? n < 2 : digit < 0 || n_pad > 0))
			return false;
		n_pad += c == '=';
		bits = bits << 6 | (c == '=' ? 0 : (uint32_t)digit);
		if (++n < 4)
			continue;
		add_group(bits, n_pad, out);
		ended = n_pad > 0;
		bits = n = 0;
	}
	return n == 0 && !buf_failed(out);
}

void kube_base64_encode(struct str data, struct buf *out)
{
	for (size_t i = 0; i < data.len; i += 3) {
		size_t left = data.len - i;
		uint32_t bits = (uint32_t)(unsigned char)data.ptr[i] << 16;

		if (left > 1)
			bits |= (uint32_t)(unsigned char)data.ptr[i + 1] << 8;
		if (left > 2)
			bits |= (uint32_t)(unsigned char)data.ptr[i + 2];
		buf_add_char(out, DIGITS[bits >> 18]);
		buf_add_char(out, DIGITS[bits >> 12 & 63]);
		buf_add_char(out, left > 1 ? DIGITS[bits >> 6 & 63] : '=');
		buf_add_char(out, left > 2 ? DIGITS[bits & 63] : '=');
	}
}
