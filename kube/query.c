/* SPDX-License-Identifier: Apache-2.0 */
#include "query_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_escaped(struct buf *url, const char *text)
{
	static const char HEX[] = "0123456789ABCDEF";

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x80 && (isalnum(c) || strchr("-._~", c) != NULL)) {
			buf_add_char(url, (char)c);
			continue;
		}
		char escape[3] = {'%', HEX[c >> 4], HEX[c & 15]};

		buf_add(url, escape, sizeof(escape));
	}
}

void kube_query_add(struct buf *url, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_add_char(url, strchr(buf_text(url), '?') == NULL ? '?' : '&');
	buf_add_text(url, key);
	buf_add_char(url, '=');
	add_escaped(url, value);
}

void kube_query_add_int(struct buf *url, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	kube_query_add(url, key, text);
}
