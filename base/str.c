/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"

int str_cmp(struct str a, struct str b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool str_starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_make(s.ptr, prefix.len), prefix);
}

bool str_ends_with(struct str s, struct str suffix)
{
	if (s.len < suffix.len)
		return false;
	return suffix.len == 0 ||
	       str_eq(str_make(s.ptr + (s.len - suffix.len), suffix.len), suffix);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.len > 0 && is_space(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool str_split(struct str *rest, char sep, struct str *ret_head)
{
	if (rest->ptr == NULL)
		return false;
	const char *cut = rest->len > 0 ? memchr(rest->ptr, sep, rest->len) : NULL;
	if (cut == NULL) {
		*ret_head = *rest;
		*rest = STR_NULL;
		return true;
	}
	size_t head_len = (size_t)(cut - rest->ptr);
	*ret_head = str_make(rest->ptr, head_len);
	*rest = str_make(cut + 1, rest->len - head_len - 1);
	return true;
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s.ptr[i] - '0');
		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

char *str_dup(struct str s)
{
	char *copy = xmalloc(s.len + 1);

	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

/* --- durations -------------------------------------------------------------------------------- */

#define DURATION_MAX_US (10ULL * 366 * 24 * 3600 * 1000 * 1000)

struct duration_unit {
	const char *name;
	uint64_t us;
};

static const struct duration_unit units[] = {
	{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000ULL}, {"h", 3600000000ULL},
};

static size_t count_digits(struct str s)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
		n++;
	return n;
}

static void skip(struct str *s, size_t n)
{
	s->ptr += n;
	s->len -= n;
}

static const struct duration_unit *take_unit(struct str *s)
{
	const struct duration_unit *best = NULL;

	/* The longest that fits: "ms" before "m". */
	for (size_t i = 0; i < N_ELEMS(units); i++) {
		if (str_starts_with(*s, str_from(units[i].name)) &&
		    (best == NULL || strlen(units[i].name) > strlen(best->name)))
			best = &units[i];
	}
	if (best != NULL)
		skip(s, strlen(best->name));
	return best;
}

/* The digits behind a point, as a share of one unit: at most six count. */
static uint64_t fraction_us(struct str digits, uint64_t unit_us)
{
	uint64_t value = 0;
	uint64_t scale = 1;

	for (size_t i = 0; i < digits.len && i < 6; i++) {
		value = value * 10 + (uint64_t)(digits.ptr[i] - '0');
		scale *= 10;
	}
	return value * unit_us / scale;
}

/* One "<number>[.<digits>]<unit>". */
static bool take_part(struct str *s, uint64_t *ret_us)
{
	struct str whole = str_make(s->ptr, count_digits(*s));
	struct str part = STR_NULL;
	uint64_t value = 0;

	skip(s, whole.len);
	if (s->len > 0 && s->ptr[0] == '.') {
		skip(s, 1);
		part = str_make(s->ptr, count_digits(*s));
		skip(s, part.len);
	}
	if (whole.len == 0 && part.len == 0)
		return false;
	const struct duration_unit *unit = take_unit(s);
	if (unit == NULL)
		return false;
	if (whole.len > 0 && !str_to_u64(whole, DURATION_MAX_US / unit->us, &value))
		return false;
	*ret_us = value * unit->us + fraction_us(part, unit->us);
	return true;
}

bool str_to_duration_ms(struct str s, uint64_t *ret_ms)
{
	uint64_t sum_us = 0;

	if (str_is(s, "0")) {
		*ret_ms = 0;
		return true;
	}
	if (s.len == 0)
		return false;
	while (s.len > 0) {
		uint64_t us;
		if (!take_part(&s, &us))
			return false;
		sum_us += us;
		if (sum_us > DURATION_MAX_US)
			return false;
	}
	*ret_ms = sum_us / 1000;
	return true;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool is_label_char(char c, bool at_end)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && !at_end);
}

bool str_is_dns_label(struct str s)
{
	if (s.len < 1 || s.len > 63)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_label_char(s.ptr[i], i == 0 || i == s.len - 1))
			return false;
	}
	return true;
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's table, one row at a time. */
size_t str_distance(struct str a, struct str b)
{
	size_t row[STR_DISTANCE_MAX];

	if (a.len >= STR_DISTANCE_MAX || b.len >= STR_DISTANCE_MAX)
		return STR_DISTANCE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t above = row[j];
			bool same = a.ptr[i - 1] == b.ptr[j - 1];
			row[j] = least(above + 1, row[j - 1] + 1, diagonal + !same);
			diagonal = above;
		}
	}
	return row[b.len];
}
