/* SPDX-License-Identifier: Apache-2.0 */
#include "meta_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kube/meta.h"
#include "kube/selector.h"
#include "kube/status.h"

static const char subdomain_rule[] =
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
	"'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
	"used "
	"for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
static const char label_rule[] =
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
	"must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
	"used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
static const char service_rule[] =
	"a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
	"alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
	"'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

static void add_invalid(json_t *causes, const char *field, const char *value, const char *why)
{
	char *message = xasprintf("Invalid value: \"%s\": %s", value, why);
	kube_status_add_cause(causes, "FieldValueInvalid", field, message);
	free(message);
}

static bool is_subdomain(struct str s)
{
	struct str label;
	if (s.len == 0 || s.len > 253)
		return false;
	while (str_split(&s, '.', &label)) {
		/* A label of a subdomain may be longer than a DNS label; the whole is limited. */
		struct str head = label.len > 63 ? str_make(label.ptr, 63) : label;
		if (!str_is_dns_label(head))
			return false;
	}
	return true;
}

static void check_name(const struct api_resource *resource, const char *name, json_t *causes)
{
	struct str text = str_from(name);
	switch (resource->name_rule) {
	case API_NAME_LABEL:
		if (!str_is_dns_label(text))
			add_invalid(causes, "metadata.name", name, label_rule);
		break;
	case API_NAME_SERVICE:
		if (!str_is_dns_label(text) || name[0] < 'a')
			add_invalid(causes, "metadata.name", name, service_rule);
		break;
	case API_NAME_SUBDOMAIN:
		if (!is_subdomain(text))
			add_invalid(causes, "metadata.name", name, subdomain_rule);
		break;
	}
}

static void check_labels(const json_t *obj, json_t *causes)
{
	const char *key;
	json_t *value;
	const char *why;
	json_object_foreach (json_at(obj, "metadata.labels"), key, value) {
		const char *text = json_string_value(value);
		if (!selector_is_label_key(str_from(key), &why))
			add_invalid(causes, "metadata.labels", key, why);
		if (text != NULL && !selector_is_label_value(str_from(text), &why))
			add_invalid(causes, "metadata.labels", text, why);
	}
}

static void check_annotations(const json_t *obj, json_t *causes)
{
	const char *key;
	json_t *value;
	const char *why;
	size_t bytes = 0;
	json_object_foreach (json_at(obj, "metadata.annotations"), key, value) {
		char *lower = xstrdup(key);
		for (char *c = lower; *c != '\0'; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
		if (!selector_is_label_key(str_from(lower), &why))
			add_invalid(causes, "metadata.annotations", key, why);
		free(lower);
		bytes += strlen(key) + json_string_length(value);
	}
	if (bytes > API_ANNOTATIONS_MAX)
		kube_status_add_cause(causes, "FieldValueTooLong", "metadata.annotations",
		                      "Too long: may not be more than 262144 bytes");
}

void api_meta_check(const struct api_resource *resource, const json_t *obj, json_t *causes)
{
	if (kube_name(obj)[0] == '\0')
		kube_status_add_cause(causes, "FieldValueRequired", "metadata.name",
		                      "Required value: name or generateName is required");
	else
		check_name(resource, kube_name(obj), causes);
	check_labels(obj, causes);
	check_annotations(obj, causes);
}

void api_meta_check_update(const json_t *obj, const json_t *old, json_t *causes)
{
	if (!kube_is_deleting(old))
		return;
	struct buf added CLEANUP(buf_fini);
	buf_init(&added, API_ANNOTATIONS_MAX);
	const json_t *finalizers = json_at(obj, "metadata.finalizers");
	for (size_t i = 0; i < json_array_size(finalizers); i++) {
		const char *name = json_string_value(json_array_get(finalizers, i));
		if (name != NULL && !kube_finalizer_has(old, name))
			buf_printf(&added, "%s\"%s\"", added.len > 0 ? ", " : "", name);
	}
	if (added.len == 0)
		return;
	char *message =
		xasprintf("Forbidden: no new finalizers can be added if the object is being "
	                  "deleted, found new finalizers []string{%s}",
	                  buf_text(&added));
	kube_status_add_cause(causes, "FieldValueForbidden", "metadata.finalizers", message);
	free(message);
}
