/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localityLbSetting, in a Mesh or a DestinationRule. Rules that break Istio's own validation are
 * left out with a note, one by one, so that one typo does not switch the rest off.
 */
#include "notes_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "model/locality.h"
#include "model/policy.h"

static void free_text(const char *text)
{
	free((char *)(uintptr_t)text);
}

static int by_rule(const void *a, const void *b)
{
	const struct distribute_to *x = a, *y = b;

	return strcmp(x->rule, y->rule);
}

static void distribute_fini(struct distribute *rule)
{
	for (size_t i = 0; i < rule->n_to; i++)
		free_text(rule->to[i].rule);
	free(rule->to);
	free_text(rule->from);
}

/* False: the rule is left out. */
static bool decode_distribute(json_t *obj, struct distribute *rule, struct notes *notes)
{
	const char *from = json_str_at(obj, "from", "");
	json_t *to = json_object_get(obj, "to"), *value;
	const char *key;
	json_int_t sum = 0;

	*rule = (struct distribute){0};
	if (!locality_rule_is_valid(str_from(from)) || json_object_size(to) == 0 ||
	    json_object_size(to) > POLICY_RULES_MAX) {
		notes_add(notes, "distribute from '%.200s' is no rule and is left out", from);
		return false;
	}
	rule->to = xcalloc(json_object_size(to), sizeof(rule->to[0]));
	json_object_foreach (to, key, value) {
		json_int_t percent = json_integer_value(value);

		if (!locality_rule_is_valid(str_from(key)) || percent < 1 || percent > 100) {
			notes_add(notes,
			          "distribute from '%.100s' to '%.100s' is no rule with 1 to 100 "
			          "percent",
			          from, key);
			continue;
		}
		rule->to[rule->n_to++] = (struct distribute_to){xstrdup(key), (uint32_t)percent};
		sum += percent;
	}
	if (sum != 100) {
		notes_add(notes, "distribute from '%.200s' does not sum up to 100 and is left out",
		          from);
		distribute_fini(rule);
		return false;
	}
	rule->from = xstrdup(from);
	qsort(rule->to, rule->n_to, sizeof(rule->to[0]), by_rule);
	return true;
}

static bool decode_failover(const json_t *obj, struct failover *rule, struct notes *notes)
{
	const char *from = json_str_at(obj, "from", ""), *to = json_str_at(obj, "to", "");

	if (from[0] == '\0' || to[0] == '\0' || strcmp(from, to) == 0 ||
	    strpbrk(from, "/*") != NULL || strpbrk(to, "/*") != NULL) {
		notes_add(notes, "failover from '%.100s' to '%.100s' needs two different regions",
		          from, to);
		return false;
	}
	*rule = (struct failover){xstrdup(from), xstrdup(to)};
	return true;
}

static bool decode_priority(const json_t *value, struct priority_label *label, struct notes *notes)
{
	struct str rest = str_from(json_string_value(value)), key;

	if (rest.ptr == NULL || !str_split(&rest, '=', &key) || key.len == 0) {
		notes_add(notes, "failoverPriority has an entry that is no label");
		return false;
	}
	label->key = str_dup(key);
	label->value = rest.ptr != NULL ? str_dup(rest) : NULL;
	return true;
}

/* Entries of an array that are looked at. */
static size_t bounded(const json_t *array, const char *what, struct notes *notes)
{
	size_t n = json_array_size(array);

	if (n <= POLICY_RULES_MAX)
		return n;
	notes_add(notes, "%s has %zu entries, at most %d are taken", what, n, POLICY_RULES_MAX);
	return POLICY_RULES_MAX;
}

static void decode_rules(const json_t *obj, struct locality_setting *s, struct notes *notes)
{
	const json_t *distribute = json_object_get(obj, "distribute");
	const json_t *failover = json_object_get(obj, "failover");
	const json_t *priority = json_object_get(obj, "failoverPriority");
	size_t n_distribute = bounded(distribute, "distribute", notes);
	size_t n_failover = bounded(failover, "failover", notes);
	size_t n_priority = bounded(priority, "failoverPriority", notes);

	if (n_distribute > 0 && n_failover + n_priority > 0) {
		notes_add(notes, "distribute and failover exclude each other: distribute counts");
		n_failover = n_priority = 0;
	}
	s->distribute = xcalloc(n_distribute + 1, sizeof(s->distribute[0]));
	s->failover = xcalloc(n_failover + 1, sizeof(s->failover[0]));
	s->priority = xcalloc(n_priority + 1, sizeof(s->priority[0]));
	for (size_t i = 0; i < n_distribute; i++) {
		if (decode_distribute(json_array_get(distribute, i),
		                      &s->distribute[s->n_distribute], notes))
			s->n_distribute++;
	}
	for (size_t i = 0; i < n_failover; i++) {
		if (decode_failover(json_array_get(failover, i), &s->failover[s->n_failover],
		                    notes))
			s->n_failover++;
	}
	for (size_t i = 0; i < n_priority; i++) {
		if (decode_priority(json_array_get(priority, i), &s->priority[s->n_priority],
		                    notes))
			s->n_priority++;
	}
}

void locality_setting_decode(const json_t *obj, struct locality_setting *ret_setting,
                             const char ***notes, size_t *n_notes)
{
	struct locality_setting s = {0};
	struct notes out = {0};

	if (json_is_object(obj)) {
		s.present = true;
		s.enabled = json_bool_at(obj, "enabled", true);
		decode_rules(obj, &s, &out);
	}
	*ret_setting = s;
	notes_take(&out, notes, n_notes);
}

void locality_setting_copy(struct locality_setting *to, const struct locality_setting *from)
{
	*to = *from;
	to->distribute = xcalloc(from->n_distribute + 1, sizeof(to->distribute[0]));
	to->failover = xcalloc(from->n_failover + 1, sizeof(to->failover[0]));
	to->priority = xcalloc(from->n_priority + 1, sizeof(to->priority[0]));
	for (size_t i = 0; i < from->n_distribute; i++) {
		const struct distribute *rule = &from->distribute[i];
		struct distribute *copy = &to->distribute[i];

		*copy = (struct distribute){xstrdup(rule->from), NULL, rule->n_to};
		copy->to = xcalloc(rule->n_to + 1, sizeof(copy->to[0]));
		for (size_t k = 0; k < rule->n_to; k++)
			copy->to[k] = (struct distribute_to){xstrdup(rule->to[k].rule),
			                                     rule->to[k].percent};
	}
	for (size_t i = 0; i < from->n_failover; i++)
		to->failover[i] = (struct failover){xstrdup(from->failover[i].from),
		                                    xstrdup(from->failover[i].to)};
	for (size_t i = 0; i < from->n_priority; i++) {
		const struct priority_label *label = &from->priority[i];

		to->priority[i] = (struct priority_label){
			xstrdup(label->key), label->value != NULL ? xstrdup(label->value) : NULL};
	}
}

static bool distribute_eq(const struct distribute *a, const struct distribute *b)
{
	if (strcmp(a->from, b->from) != 0 || a->n_to != b->n_to)
		return false;
	for (size_t i = 0; i < a->n_to; i++) {
		if (strcmp(a->to[i].rule, b->to[i].rule) != 0 ||
		    a->to[i].percent != b->to[i].percent)
			return false;
	}
	return true;
}

static bool text_eq(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool locality_setting_eq(const struct locality_setting *a, const struct locality_setting *b)
{
	if (a->present != b->present || a->enabled != b->enabled ||
	    a->n_distribute != b->n_distribute || a->n_failover != b->n_failover ||
	    a->n_priority != b->n_priority)
		return false;
	for (size_t i = 0; i < a->n_distribute; i++) {
		if (!distribute_eq(&a->distribute[i], &b->distribute[i]))
			return false;
	}
	for (size_t i = 0; i < a->n_failover; i++) {
		if (strcmp(a->failover[i].from, b->failover[i].from) != 0 ||
		    strcmp(a->failover[i].to, b->failover[i].to) != 0)
			return false;
	}
	for (size_t i = 0; i < a->n_priority; i++) {
		if (strcmp(a->priority[i].key, b->priority[i].key) != 0 ||
		    !text_eq(a->priority[i].value, b->priority[i].value))
			return false;
	}
	return true;
}

void locality_setting_fini(struct locality_setting *setting)
{
	for (size_t i = 0; i < setting->n_distribute; i++)
		distribute_fini(&setting->distribute[i]);
	for (size_t i = 0; i < setting->n_failover; i++) {
		free_text(setting->failover[i].from);
		free_text(setting->failover[i].to);
	}
	for (size_t i = 0; i < setting->n_priority; i++) {
		free_text(setting->priority[i].key);
		free_text(setting->priority[i].value);
	}
	free(setting->distribute);
	free(setting->failover);
	free(setting->priority);
	*setting = (struct locality_setting){0};
}
