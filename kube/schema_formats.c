/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_formats.h"

#include <ctype.h>
#include <string.h>

#include "base/addr.h"
#include "base/macros.h"
#include "base/str.h"

/* Matches text against a mask: 9 = digit, X = hexadecimal digit, others stand for themselves.
 * Returns the rest, or NULL. */
static const char *match_mask(const char *text, const char *mask)
{
	for (; *mask != '\0'; mask++, text++) {
		bool ok = *text == *mask;
		if (*mask == '9')
			ok = isdigit((unsigned char)*text);
		else if (*mask == 'X')
			ok = isxdigit((unsigned char)*text);
		if (!ok)
			return NULL;
	}
	return text;
}

static bool is_date(const char *text)
{
	const char *rest = match_mask(text, "9999-99-99");
	return rest != NULL && *rest == '\0';
}

static bool is_date_time(const char *text)
{
	const char *rest = match_mask(text, "9999-99-99T99:99:99");
	if (rest == NULL)
		return false;
	if (*rest == '.') {
		rest++;
		if (!isdigit((unsigned char)*rest))
			return false;
		while (isdigit((unsigned char)*rest))
			rest++;
	}
	if (strcmp(rest, "Z") == 0 || strcmp(rest, "z") == 0)
		return true;
	if (*rest != '+' && *rest != '-')
		return false;
	rest = match_mask(rest + 1, "99:99");
	return rest != NULL && *rest == '\0';
}

static bool is_duration(const char *text)
{
	uint64_t ms;
	if (text[0] == '-')
		text++;
	return str_to_duration_ms(str_from(text), &ms);
}

static bool is_ipv4(const char *text)
{
	struct ip ip;
	return ip_parse(str_from(text), &ip) && strchr(text, ':') == NULL;
}

static bool is_ipv6(const char *text)
{
	struct ip ip;
	return ip_parse(str_from(text), &ip) && strchr(text, ':') != NULL;
}

static bool is_cidr(const char *text)
{
	struct cidr cidr;
	return strchr(text, '/') != NULL && cidr_parse(str_from(text), &cidr);
}

static bool is_uuid(const char *text)
{
	const char *rest = match_mask(text, "XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX");
	return rest != NULL && *rest == '\0';
}

static bool is_byte(const char *text)
{
	size_t len = strlen(text);
	size_t used = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                           "0123456789+/");
	size_t padding = strspn(text + used, "=");
	return len % 4 == 0 && used + padding == len && padding <= 2;
}

static const struct {
	const char *name;
	bool (*has)(const char *text);
} formats[] = {
	{"date", is_date}, {"date-time", is_date_time}, {"duration", is_duration},
	{"ipv4", is_ipv4}, {"ipv6", is_ipv6},           {"cidr", is_cidr},
	{"uuid", is_uuid}, {"byte", is_byte},
};

bool schema_has_format(const char *format, const char *text)
{
	for (size_t i = 0; i < N_ELEMS(formats); i++) {
		if (strcmp(formats[i].name, format) == 0)
			return formats[i].has(text);
	}
	return true;
}
