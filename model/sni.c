/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sni.h"

#include <stdio.h>

#include "base/macros.h"

#define SEP      "_."
#define INTERNAL "fedway.internal"

bool sni_fold(struct str text, char ret_name[SNI_MAX + 1])
{
	if (text.len > 0 && text.ptr[text.len - 1] == '.')
		text.len--;
	if (text.len == 0 || text.len > SNI_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c <= 0x20 || c >= 0x7f)
			return false;
		ret_name[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	ret_name[text.len] = '\0';
	return true;
}

/* Cuts at the first "_." as istiod does; *rest is what stands behind it. */
static bool cut(struct str *rest, struct str *ret_head)
{
	for (size_t i = 0; i + 1 < rest->len; i++) {
		if (rest->ptr[i] == '_' && rest->ptr[i + 1] == '.') {
			*ret_head = str_make(rest->ptr, i);
			*rest = str_make(rest->ptr + i + 2, rest->len - i - 2);
			return true;
		}
	}
	return false;
}

/* No empty label at either end, and no further separator: istiod finds no host then either. */
static bool is_host(struct str text)
{
	struct str head, rest = text;

	return text.len > 0 && text.ptr[0] != '.' && text.ptr[text.len - 1] != '.' &&
	       !cut(&rest, &head);
}

static bool parse_service(struct str rest, struct sni *ret_sni)
{
	struct str head, port, subset;
	uint64_t number;

	if (!cut(&rest, &head) || !cut(&rest, &port) || !cut(&rest, &subset))
		return false;
	if (!str_to_u64(port, 65535, &number) || number == 0 || !is_host(rest))
		return false;
	*ret_sni = (struct sni){SNI_SERVICE, (uint16_t)number, subset, rest};
	return true;
}

static bool parse_builtin(struct str name, struct sni *ret_sni)
{
	static const struct {
		struct str prefix;
		enum sni_kind kind;
	} forms[] = {
		{{"_canary.", 8}, SNI_CANARY},
		{{"_probe.", 7}, SNI_PROBE},
	};
	struct str suffix = STR_LIT("." INTERNAL);

	for (size_t i = 0; i < N_ELEMS(forms); i++) {
		if (!str_starts_with(name, forms[i].prefix) || !str_ends_with(name, suffix) ||
		    name.len <= forms[i].prefix.len + suffix.len)
			continue;
		struct str who = str_make(name.ptr + forms[i].prefix.len,
		                          name.len - forms[i].prefix.len - suffix.len);
		if (!str_is_dns_label(who))
			return false;
		*ret_sni = (struct sni){forms[i].kind, 0, STR_LIT(""), who};
		return true;
	}
	return false;
}

bool sni_parse(struct str name, struct sni *ret_sni)
{
	if (name.len == 0 || name.len > SNI_MAX)
		return false;
	if (str_starts_with(name, STR_LIT("outbound" SEP)))
		return parse_service(name, ret_sni);
	return parse_builtin(name, ret_sni);
}

/* Folds what was printed; n is what snprintf returned. */
static bool finish(int n, const char *raw, char ret_name[SNI_MAX + 1])
{
	return n > 0 && n <= SNI_MAX && sni_fold(str_make(raw, (size_t)n), ret_name);
}

bool sni_format(uint16_t port, struct str subset, struct str host, char ret_name[SNI_MAX + 1])
{
	char raw[SNI_MAX + 1];

	if (subset.len > SNI_MAX || host.len > SNI_MAX)
		return false;
	int n = snprintf(raw, sizeof(raw), "outbound" SEP "%u" SEP "%.*s" SEP "%.*s", port,
	                 STR_ARG(subset), STR_ARG(host));

	return finish(n, raw, ret_name);
}

static bool format_builtin(const char *prefix, struct str who, char ret_name[SNI_MAX + 1])
{
	char raw[SNI_MAX + 1];

	if (who.len > SNI_MAX)
		return false;
	return finish(snprintf(raw, sizeof(raw), "%s.%.*s." INTERNAL, prefix, STR_ARG(who)), raw,
	              ret_name);
}

bool sni_format_canary(struct str network, char ret_name[SNI_MAX + 1])
{
	return format_builtin("_canary", network, ret_name);
}

bool sni_format_probe(struct str cluster, char ret_name[SNI_MAX + 1])
{
	return format_builtin("_probe", cluster, ret_name);
}

bool sni_is_refused_host(struct str host)
{
	return str_is(host, INTERNAL) || str_ends_with(host, STR_LIT("." INTERNAL));
}

bool sni_split_host(struct str host, struct str *ret_namespace, struct str *ret_name,
                    struct str *ret_domain)
{
	struct str rest = host, name, ns, svc;

	if (!str_split(&rest, '.', &name) || !str_split(&rest, '.', &ns) ||
	    !str_split(&rest, '.', &svc))
		return false;
	if (name.len == 0 || ns.len == 0 || !str_is(svc, "svc") || rest.len == 0)
		return false;
	*ret_namespace = ns;
	*ret_name = name;
	*ret_domain = rest;
	return true;
}
