/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/api_ca.h"

#include "ca_priv.h"

#include <stdlib.h>
#include <string.h>

struct cert_ca *cert_api_ca_create(const char *common_name, int64_t ttl_s, int64_t now_wall_s)
{
	struct x509_template template = {
		.use = X509_CA_ROOT,
		.common_name = common_name,
		.not_before_s = now_wall_s - CERT_BACKDATE_S,
		.not_after_s = now_wall_s + ttl_s,
	};
	return ca_create_self_signed(&template);
}

bool cert_api_ca_issue_serving(const struct cert_ca *ca, const char *const *names, size_t n_names,
                               int64_t now_wall_s, struct buf *cert_pem, struct buf *key_pem,
                               struct err *err)
{
	struct x509_template template = {
		.use = X509_LEAF_SERVER,
		.common_name = "fedway-api",
		.names = names,
		.n_names = n_names,
		.not_before_s = now_wall_s - CERT_BACKDATE_S,
	};
	return ca_bound_ttl(ca, CERT_API_TTL_S, now_wall_s, &template.not_after_s, err) &&
	       ca_issue(ca, &template, cert_pem, key_pem, err);
}

bool cert_api_ca_issue_client(const struct cert_ca *ca, const struct cert_api_user *user,
                              int64_t now_wall_s, struct buf *cert_pem, struct buf *key_pem,
                              struct err *err)
{
	struct x509_template template = {
		.use = X509_LEAF_CLIENT,
		.organisations = user->groups,
		.n_organisations = user->n_groups,
		.common_name = user->name,
		.not_before_s = now_wall_s - CERT_BACKDATE_S,
	};
	int64_t ttl_s = user->ttl_s > 0 ? user->ttl_s : CERT_API_TTL_S;
	return ca_bound_ttl(ca, ttl_s, now_wall_s, &template.not_after_s, err) &&
	       ca_issue(ca, &template, cert_pem, key_pem, err);
}

/* The UTF-8 text of one entry of a subject into text. False: too long, or a NUL inside. */
static bool read_entry(const X509_NAME *name, int at, char text[256])
{
	unsigned char *utf8 = NULL;
	ASN1_STRING *string = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	int len = ASN1_STRING_to_UTF8(&utf8, string);
	bool ok = len > 0 && len < 256 && memchr(utf8, '\0', (size_t)len) == NULL;
	if (ok) {
		memcpy(text, utf8, (size_t)len);
		text[len] = '\0';
	}
	OPENSSL_free(utf8);
	return ok;
}

bool cert_api_user_of_chain(STACK_OF(X509) * chain, char name[256],
                            void (*on_group)(const char *group, void *arg), void *arg)
{
	if (chain == NULL || sk_X509_num(chain) < 1)
		return false;
	X509_NAME *subject = X509_get_subject_name(sk_X509_value(chain, 0));
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (at < 0 || !read_entry(subject, at, name))
		return false;
	char group[256];
	int last = -1;
	for (;;) {
		last = X509_NAME_get_index_by_NID(subject, NID_organizationName, last);
		if (last < 0)
			return true;
		if (on_group != NULL && read_entry(subject, last, group))
			on_group(group, arg);
	}
}
