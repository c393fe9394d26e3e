/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table for the process, guarded by a lock that is held for a look-up only. Entries are never
 * freed, so a pointer stays good in every thread.
 */
#include "model/locality.h"

#include <pthread.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/map.h"

enum {
	TEXT_MAX = 3 * LOCALITY_PART_MAX + 3
};

static const struct locality none = {"", "", "", ""};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map table; /* text → struct locality */
static size_t n_table;

const struct locality *locality_none(void)
{
	return &none;
}

/* One allocation: the struct, the whole text, then its parts. */
static struct locality *create(const struct str parts[3], struct str text)
{
	struct locality *l = xmalloc(sizeof(*l) + 2 * (TEXT_MAX + 1));
	char *at = (char *)(l + 1);
	const char **fields[3] = {&l->region, &l->zone, &l->subzone};

	memcpy(at, text.ptr, text.len);
	at[text.len] = '\0';
	l->text = at;
	at += text.len + 1;
	for (size_t i = 0; i < 3; i++) {
		*fields[i] = at;
		if (parts[i].len > 0)
			memcpy(at, parts[i].ptr, parts[i].len);
		at[parts[i].len] = '\0';
		at += parts[i].len + 1;
	}
	return l;
}

static const struct locality *intern(const struct str parts[3], struct str text)
{
	pthread_mutex_lock(&lock);
	struct locality *l = map_find(&table, text);

	if (l == NULL && n_table < LOCALITIES_MAX) {
		l = create(parts, text);
		map_set(&table, text, l);
		n_table++;
	}
	pthread_mutex_unlock(&lock);
	return l != NULL ? l : &none;
}

const struct locality *locality_make(struct str region, struct str zone, struct str subzone)
{
	struct str parts[3] = {region, zone, subzone};
	char text[TEXT_MAX + 1];
	size_t len = 0, n = 0;

	while (n < 3 && parts[n].len > 0 && parts[n].len <= LOCALITY_PART_MAX) {
		if (n > 0)
			text[len++] = '/';
		memcpy(text + len, parts[n].ptr, parts[n].len);
		len += parts[n].len;
		n++;
	}
	if (n == 0)
		return &none;
	for (size_t i = n; i < 3; i++)
		parts[i] = STR_LIT("");
	text[len] = '\0';
	return intern(parts, str_make(text, len));
}

static const struct locality *parse(struct str text, char sep)
{
	struct str parts[3] = {STR_LIT(""), STR_LIT(""), STR_LIT("")};

	for (size_t i = 0; i < 3 && str_split(&text, sep, &parts[i]); i++)
		;
	return locality_make(parts[0], parts[1], parts[2]);
}

const struct locality *locality_parse(struct str text)
{
	return text.len > 0 ? parse(text, '/') : &none;
}

const struct locality *locality_parse_label(struct str text)
{
	if (text.len == 0)
		return &none;
	return parse(text, memchr(text.ptr, '/', text.len) != NULL ? '/' : '.');
}

int locality_cmp(const struct locality *a, const struct locality *b)
{
	return a == b ? 0 : strcmp(a->text, b->text);
}

enum locality_rank locality_rank(const struct locality *own, const struct locality *other)
{
	if (strcmp(own->region, other->region) != 0)
		return LOCALITY_ELSEWHERE;
	if (strcmp(own->zone, other->zone) != 0)
		return LOCALITY_SAME_REGION;
	if (strcmp(own->subzone, other->subzone) != 0)
		return LOCALITY_SAME_ZONE;
	return LOCALITY_SAME_SUBZONE;
}

const char *locality_rank_text(enum locality_rank rank)
{
	static const char *const texts[] = {"same subzone", "same zone", "same region",
	                                    "elsewhere"};

	return texts[rank];
}

bool locality_rule_matches(struct str rule, const struct locality *locality)
{
	const char *const parts[3] = {locality->region, locality->zone, locality->subzone};
	struct str want;

	for (size_t i = 0; i < 3 && str_split(&rule, '/', &want); i++) {
		if (str_is(want, "*") || (i > 0 && want.len == 0))
			return true;
		if (!str_is(want, parts[i]))
			return false;
	}
	return true;
}

bool locality_rule_is_valid(struct str rule)
{
	struct str part;
	bool starred = false;
	size_t n = 0;

	while (str_split(&rule, '/', &part)) {
		if (part.len == 0 || starred || ++n > 3)
			return false;
		starred = str_is(part, "*");
		if (!starred && memchr(part.ptr, '*', part.len) != NULL)
			return false;
	}
	return n > 0;
}
