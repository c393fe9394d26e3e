/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/identity.h"

#include "unit_priv.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs/key.h"

static const char *const kind_names[] = {
	[CERT_CONTROL_PLANE] = "control plane",
	[CERT_GATEWAY] = "gateway",
	[CERT_PROBE] = "probe",
	[CERT_WORKLOAD] = "workload",
};

const char *cert_kind_name(enum cert_kind kind)
{
	return kind_names[kind];
}

/* --- text ------------------------------------------------------------------------------------- */

/* Lower-case labels with dots: trust domains, and names of pods and service accounts (RFC 1123). */
static bool is_dns_name(struct str s, size_t max)
{
	struct str rest = s;
	struct str label;
	if (s.len == 0 || s.len > max)
		return false;
	while (str_split(&rest, '.', &label)) {
		if (!str_is_dns_label(label))
			return false;
	}
	return true;
}

static void copy(char *to, struct str from)
{
	memcpy(to, from.ptr, from.len);
	to[from.len] = '\0';
}

static bool take_label(char to[64], struct str from, const char *what, struct err *err)
{
	if (!str_is_dns_label(from))
		return err_set(err, ERR_INVALID, "'%.*s' is no name of a %s",
		               (int)(from.len < 80 ? from.len : 80), from.ptr, what);
	copy(to, from);
	return true;
}

static bool take_name(char to[CERT_NAME_MAX + 1], struct str from, const char *what,
                      struct err *err)
{
	if (!is_dns_name(from, CERT_NAME_MAX))
		return err_set(err, ERR_INVALID, "'%.*s' is no name of a %s",
		               (int)(from.len < 80 ? from.len : 80), from.ptr, what);
	copy(to, from);
	return true;
}

enum {
	N_PARTS = 5 /* the longest form: fedway/cluster/CLUSTER/gateway/NAME */
};

static bool parse_path(const struct str parts[N_PARTS], size_t n, struct cert_identity *identity,
                       struct err *err)
{
	if (n == 2 && str_is(parts[0], "fedway") && str_is(parts[1], "control-plane")) {
		identity->kind = CERT_CONTROL_PLANE;
		return true;
	}
	if (n == 5 && str_is(parts[0], "fedway") && str_is(parts[1], "cluster")) {
		bool gateway = str_is(parts[3], "gateway");
		identity->kind = gateway ? CERT_GATEWAY : CERT_PROBE;
		if (!gateway && !str_is(parts[3], "probe"))
			return err_set(err, ERR_INVALID, "neither a gateway nor a probe");
		return take_label(identity->cluster, parts[2], "cluster", err) &&
		       (gateway ? take_label(identity->name, parts[4], "gateway", err)
		                : take_name(identity->name, parts[4], "pod", err));
	}
	if (n == 4 && str_is(parts[0], "ns") && str_is(parts[2], "sa")) {
		identity->kind = CERT_WORKLOAD;
		return take_label(identity->namespace_, parts[1], "namespace", err) &&
		       take_name(identity->name, parts[3], "service account", err);
	}
	return err_set(err, ERR_INVALID, "none of the known forms");
}

static bool parse(struct str uri, struct cert_identity *identity, struct err *err)
{
	struct str scheme = STR_LIT("spiffe://");
	struct str parts[N_PARTS];
	struct str domain;
	size_t n = 0;
	if (uri.len >= CERT_URI_MAX || !str_starts_with(uri, scheme))
		return err_set(err, ERR_INVALID, "no SPIFFE ID");
	struct str rest = str_make(uri.ptr + scheme.len, uri.len - scheme.len);
	str_split(&rest, '/', &domain);
	if (!is_dns_name(domain, CERT_TRUST_DOMAIN_MAX))
		return err_set(err, ERR_INVALID, "a trust domain that is no DNS name");
	copy(identity->trust_domain, domain);
	while (rest.ptr != NULL) {
		if (n == N_PARTS)
			return err_set(err, ERR_INVALID, "none of the known forms");
		str_split(&rest, '/', &parts[n++]);
	}
	return parse_path(parts, n, identity, err);
}

bool cert_identity_parse(struct str uri, struct cert_identity *ret_identity, struct err *err)
{
	struct cert_identity identity = {0};
	if (!parse(uri, &identity, err))
		return err_wrap(err, "identity '%.*s'", (int)(uri.len < 200 ? uri.len : 200),
		                uri.ptr);
	*ret_identity = identity;
	return true;
}

const char *cert_identity_format(const struct cert_identity *identity, char text[CERT_URI_MAX])
{
	const char *domain = identity->trust_domain;
	switch (identity->kind) {
	case CERT_CONTROL_PLANE:
		snprintf(text, CERT_URI_MAX, "spiffe://%s/fedway/control-plane", domain);
		break;
	case CERT_GATEWAY:
	case CERT_PROBE:
		snprintf(text, CERT_URI_MAX, "spiffe://%s/fedway/cluster/%s/%s/%s", domain,
		         identity->cluster, identity->kind == CERT_GATEWAY ? "gateway" : "probe",
		         identity->name);
		break;
	case CERT_WORKLOAD:
		snprintf(text, CERT_URI_MAX, "spiffe://%s/ns/%s/sa/%s", domain,
		         identity->namespace_, identity->name);
		break;
	}
	return text;
}

bool cert_identity_eq(const struct cert_identity *a, const struct cert_identity *b)
{
	return a->kind == b->kind && strcmp(a->trust_domain, b->trust_domain) == 0 &&
	       strcmp(a->cluster, b->cluster) == 0 && strcmp(a->namespace_, b->namespace_) == 0 &&
	       strcmp(a->name, b->name) == 0;
}

/* --- chains ----------------------------------------------------------------------------------- */

/* The only URI among the subject's other names. */
static bool read_uri(X509 *leaf, struct cert_identity *ret_identity, struct err *err)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	struct str uri = STR_NULL;
	size_t n = 0;
	for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_URI)
			continue;
		n++;
		uri = str_make(
			(const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
			(size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier));
	}
	bool ok = n == 1 || err_set(err, ERR_INVALID, "%zu URIs as names, exactly 1 is needed", n);
	ok = ok && cert_identity_parse(uri, ret_identity, err);
	GENERAL_NAMES_free(names);
	return ok;
}

/* One value of the subject, "" if there is none or several. */
static void read_part(X509 *cert, int nid, char *text, size_t size)
{
	X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	text[0] = '\0';
	if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
		return;
	int len = X509_NAME_get_text_by_NID(name, nid, text, (int)size);
	if (len < 0 || (size_t)len != strlen(text))
		text[0] = '\0'; /* a NUL inside */
}

static bool check_issuer(STACK_OF(X509) * chain, const struct cert_identity *identity,
                         struct err *err)
{
	char unit[128];
	char name[128];
	if (identity->kind == CERT_WORKLOAD)
		return true;
	if (sk_X509_num(chain) < 3)
		return err_set(err, ERR_FORBIDDEN, "its issuer is no intermediate of ours");
	X509 *issuer = sk_X509_value(chain, 1);
	read_part(issuer, NID_organizationalUnitName, unit, sizeof(unit));
	read_part(issuer, NID_commonName, name, sizeof(name));
	if (identity->kind == CERT_CONTROL_PLANE)
		return strcmp(unit, UNIT_CONTROL_PLANE) == 0 ||
		       err_set(err, ERR_FORBIDDEN,
		               "its issuer is OU='%s', which may not speak for the control plane",
		               unit);
	if (strcmp(unit, UNIT_CLUSTER) != 0 || strcmp(name, identity->cluster) != 0)
		return err_set(err, ERR_FORBIDDEN,
		               "its issuer is OU='%s', CN='%s', which may not speak for cluster "
		               "'%s'",
		               unit, name, identity->cluster);
	return true;
}

bool cert_identity_of_chain(STACK_OF(X509) * chain, const char *trust_domain,
                            struct cert_identity *ret_identity, struct err *err)
{
	struct cert_identity identity = {0};
	char text[CERT_URI_MAX];
	if (chain == NULL || sk_X509_num(chain) < 1)
		return err_set(err, ERR_FORBIDDEN, "no certificate was shown");
	X509 *leaf = sk_X509_value(chain, 0);
	if (!read_uri(leaf, &identity, err)) {
		err->code = ERR_FORBIDDEN;
		return err_wrap(err, "certificate");
	}
	cert_identity_format(&identity, text);
	if (X509_check_ca(leaf) != 0)
		return err_set(err, ERR_FORBIDDEN, "certificate of '%s' is one of a CA", text);
	if (trust_domain != NULL && strcmp(trust_domain, identity.trust_domain) != 0)
		return err_set(err, ERR_FORBIDDEN, "'%s' is not of trust domain '%s'", text,
		               trust_domain);
	if (!check_issuer(chain, &identity, err))
		return err_wrap(err, "certificate of '%s'", text);
	*ret_identity = identity;
	return true;
}

int64_t cert_chain_not_after(STACK_OF(X509) * chain)
{
	int64_t end = INT64_MAX;
	int n = sk_X509_num(chain);
	for (int i = 0; i < n && (i < n - 1 || n == 1); i++) {
		int64_t not_after = cert_x509_not_after(sk_X509_value(chain, i));
		end = not_after < end ? not_after : end;
	}
	return end;
}

bool cert_verifier_check(STACK_OF(X509) * chain, void *arg, struct err *err)
{
	const struct cert_verifier *verifier = arg;
	struct cert_identity identity;
	char text[CERT_URI_MAX];
	if (!cert_identity_of_chain(chain, verifier->trust_domain, &identity, err))
		return false;
	bool ok = (verifier->kinds & (1u << identity.kind)) != 0 &&
	          (verifier->cluster == NULL || strcmp(verifier->cluster, identity.cluster) == 0) &&
	          (verifier->name == NULL || strcmp(verifier->name, identity.name) == 0);
	return ok || err_set(err, ERR_FORBIDDEN, "'%s' is not the one expected here",
	                     cert_identity_format(&identity, text));
}
