/* SPDX-License-Identifier: Apache-2.0 */
#include "negotiate.h"

#include <strings.h>

#include "base/macros.h"

static bool is_word(struct str s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.ptr, text, s.len) == 0;
}

struct clause {
	struct str media;
	struct str as;
	struct str group;
	struct str version;
};

static struct clause read_clause(struct str text)
{
	struct clause clause = {.as = STR_NULL};
	struct str part;
	bool first = true;
	while (str_split(&text, ';', &part)) {
		struct str value = part;
		struct str key;
		if (first) {
			clause.media = str_trim(part);
			first = false;
			continue;
		}
		if (!str_split(&value, '=', &key))
			continue;
		key = str_trim(key);
		value = str_trim(value);
		if (is_word(key, "as"))
			clause.as = value;
		else if (is_word(key, "g"))
			clause.group = value;
		else if (is_word(key, "v"))
			clause.version = value;
	}
	return clause;
}

static bool read_form(const struct clause *clause, enum api_form *ret_form)
{
	static const struct {
		const char *as;
		const char *group;
		const char *version;
		enum api_form form;
	} forms[] = {
		{"Table", "meta.k8s.io", "v1", API_FORM_TABLE},
		{"Table", "meta.k8s.io", "v1beta1", API_FORM_TABLE},
		{"PartialObjectMetadata", "meta.k8s.io", "v1", API_FORM_PARTIAL},
		{"PartialObjectMetadataList", "meta.k8s.io", "v1", API_FORM_PARTIAL},
		{"APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2", API_FORM_DISCOVERY_V2},
	};
	if (clause->as.ptr == NULL) {
		*ret_form = API_FORM_OBJECT;
		return true;
	}
	for (size_t i = 0; i < N_ELEMS(forms); i++) {
		if (str_is(clause->as, forms[i].as) && str_is(clause->group, forms[i].group) &&
		    str_is(clause->version, forms[i].version)) {
			*ret_form = forms[i].form;
			return true;
		}
	}
	return false;
}

bool api_accept_parse(const char *accept, struct api_accept *ret_accept)
{
	struct str rest = str_from(accept);
	struct str item;
	*ret_accept = (struct api_accept){.form = API_FORM_OBJECT};
	if (str_trim(rest).len == 0)
		return true;
	while (str_split(&rest, ',', &item)) {
		struct clause clause = read_clause(item);
		bool json = is_word(clause.media, "application/json") ||
		            is_word(clause.media, "*/*") || is_word(clause.media, "application/*");
		bool yaml = is_word(clause.media, "application/yaml");
		if ((json || yaml) && read_form(&clause, &ret_accept->form)) {
			ret_accept->yaml = yaml;
			return true;
		}
	}
	return false;
}

enum api_media api_media_parse(const char *content_type)
{
	static const struct {
		const char *name;
		enum api_media media;
	} rows[] = {
		{"", API_MEDIA_JSON},
		{"application/json", API_MEDIA_JSON},
		{"application/yaml", API_MEDIA_YAML},
		{"application/merge-patch+json", API_MEDIA_MERGE_PATCH},
		{"application/strategic-merge-patch+json", API_MEDIA_STRATEGIC_PATCH},
	};
	struct str rest = str_from(content_type);
	struct str media = STR_LIT("");
	IGNORE(str_split(&rest, ';', &media)); /* parameters do not matter */
	media = str_trim(media);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (is_word(media, rows[i].name))
			return rows[i].media;
	}
	return API_MEDIA_OTHER;
}
