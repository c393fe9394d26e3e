/* SPDX-License-Identifier: Apache-2.0 */
#include "path/line.h"

#include <string.h>
#include <time.h>

#include "base/macros.h"

enum {
	KEY_MAX = 64,
	NUMBER_MAX = 24,
	ESCAPED_MAX = 6 /* \u0000 */
};

void ew_line_begin(struct ew_line *line, bool json, char room[EW_LINE_MAX])
{
	line->json = json;
	line->any = false;
	line->at = room;
	/* room for the end */
	line->end = room + EW_LINE_MAX - 2;
	if (json)
		*line->at++ = '{';
}

size_t ew_line_end(struct ew_line *line, const char room[EW_LINE_MAX])
{
	if (line->json)
		*line->at++ = '}';
	*line->at++ = '\n';
	return (size_t)(line->at - room);
}

static void put(struct ew_line *line, const char *text, size_t len)
{
	memcpy(line->at, text, len);
	line->at += len;
}

/* The key, if a value of value_max bytes still fits behind it. */
static bool put_key(struct ew_line *line, const char *key, size_t value_max)
{
	size_t len = strlen(key);
	if (len > KEY_MAX || (size_t)(line->end - line->at) < len + value_max + 4)
		return false;
	char *at = line->at;
	if (line->any)
		*at++ = line->json ? ',' : ' ';
	if (line->json)
		*at++ = '"';
	memcpy(at, key, len);
	at += len;
	if (line->json)
		*at++ = '"';
	*at++ = line->json ? ':' : '=';
	line->at = at;
	line->any = true;
	return true;
}

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static char *escape(char *at, bool json, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	*at++ = '\\';
	if (c == '"' || c == '\\') {
		*at++ = (char)c;
		return at;
	}
	*at++ = json ? 'u' : 'x';
	if (json) {
		*at++ = '0';
		*at++ = '0';
	}
	*at++ = digits[c >> 4];
	*at++ = digits[c & 15];
	return at;
}

/* In text, what has a blank or is empty stands in quotes. */
static bool is_bare(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];
		if (!is_plain(c) || c == ' ' || c == '=')
			return false;
	}
	return value.len > 0;
}

void ew_line_text(struct ew_line *line, const char *key, struct str value)
{
	if (value.len > EW_LINE_TEXT_MAX)
		value.len = EW_LINE_TEXT_MAX;
	if (!put_key(line, key, value.len * ESCAPED_MAX + 2))
		return;
	bool quoted = line->json || !is_bare(value);
	/* not by way of line: the compiler would store and load it with each byte */
	char *at = line->at;
	if (quoted)
		*at++ = '"';
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];
		if (is_plain(c))
			*at++ = (char)c;
		else
			at = escape(at, line->json, c);
	}
	if (quoted)
		*at++ = '"';
	line->at = at;
}

static void put_number(struct ew_line *line, uint64_t value)
{
	char digits[NUMBER_MAX];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	put(line, digits + at, sizeof(digits) - at);
}

/* Three digits. */
static void put_thousandths(struct ew_line *line, uint64_t value)
{
	const char digits[] = {(char)('0' + value / 100 % 10), (char)('0' + value / 10 % 10),
	                       (char)('0' + value % 10)};
	*line->at++ = '.';
	put(line, digits, sizeof(digits));
}

void ew_line_number(struct ew_line *line, const char *key, uint64_t value)
{
	if (put_key(line, key, NUMBER_MAX))
		put_number(line, value);
}

void ew_line_ms(struct ew_line *line, const char *key, uint64_t us)
{
	if (!put_key(line, key, NUMBER_MAX))
		return;
	put_number(line, us / 1000);
	put_thousandths(line, us % 1000);
}

void ew_line_time(struct ew_line *line, const char *key, int64_t wall_ms)
{
	time_t second = (time_t)(wall_ms / 1000);
	if (!put_key(line, key, sizeof(line->day_time) + 8))
		return;
	if (line->second != second || line->day_time[0] == '\0') {
		struct tm tm;
		gmtime_r(&second, &tm);
		IGNORE(strftime(line->day_time, sizeof(line->day_time), "%Y-%m-%dT%H:%M:%S", &tm) ==
		       0);
		line->second = second;
	}
	if (line->json)
		*line->at++ = '"';
	put(line, line->day_time, strlen(line->day_time));
	put_thousandths(line, (uint64_t)(wall_ms % 1000));
	*line->at++ = 'Z';
	if (line->json)
		*line->at++ = '"';
}

void ew_line_addr(struct ew_line *line, const char *key, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];
	if (!ip_is_v4(&addr->ip)) {
		ew_line_text(line, key, str_from(addr_format(addr, text)));
		return;
	}
	/* a third of the time of a line, by way of inet_ntop */
	if (!put_key(line, key, sizeof(text)))
		return;
	if (line->json)
		*line->at++ = '"';
	for (size_t i = 12; i < 16; i++) {
		put_number(line, addr->ip.b[i]);
		*line->at++ = i < 15 ? '.' : ':';
	}
	put_number(line, addr->port);
	if (line->json)
		*line->at++ = '"';
}
