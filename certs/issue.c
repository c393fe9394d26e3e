/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/issue.h"

#include <string.h>

#include "base/str.h"

#define OUR_NAMESPACE  "fedway-system"
#define GATEWAY_PREFIX "fedway-gateway-"
#define PROBE_ACCOUNT  "fedway-probe"

static bool has_audience(const struct cert_token_review *review, const char *audience)
{
	for (size_t i = 0; i < review->n_audiences; i++) {
		if (strcmp(review->audiences[i], audience) == 0)
			return true;
	}
	return false;
}

/* "system:serviceaccount:NS:SA" */
static bool split_user(const char *username, struct str *ret_namespace, struct str *ret_account,
                       struct err *err)
{
	struct str prefix = STR_LIT("system:serviceaccount:");
	struct str user = str_from(username != NULL ? username : "");
	if (!str_starts_with(user, prefix))
		return err_set(err, ERR_UNAUTHORIZED,
		               "the token of '%.100s' is not of a service account", user.ptr);
	struct str rest = str_make(user.ptr + prefix.len, user.len - prefix.len);
	str_split(&rest, ':', ret_namespace);
	*ret_account = rest;
	if (ret_namespace->len == 0 || rest.len == 0)
		return err_set(err, ERR_UNAUTHORIZED, "'%.100s' names no service account",
		               user.ptr);
	return true;
}

static bool copy_text(char *to, size_t size, struct str from, struct err *err)
{
	if (from.len >= size)
		return err_set(err, ERR_FORBIDDEN, "the name '%.80s' is too long", from.ptr);
	memcpy(to, from.ptr, from.len);
	to[from.len] = '\0';
	return true;
}

static bool decide_gateway(const struct cert_issue_context *context, struct str account,
                           struct cert_identity *identity, struct err *err)
{
	struct str prefix = STR_LIT(GATEWAY_PREFIX);
	struct str name = str_make(account.ptr + prefix.len, account.len - prefix.len);
	identity->kind = CERT_GATEWAY;
	if (!copy_text(identity->name, sizeof(identity->name), name, err))
		return false;
	if (context->gateway_exists(context->cluster, identity->name, context->arg))
		return true;
	return err_set(err, ERR_FORBIDDEN,
	               "there is no EastWestGateway '%s' on cluster '%s'; create it first",
	               identity->name, context->cluster);
}

static bool decide_probe(const struct cert_token_review *review, struct cert_identity *identity,
                         struct err *err)
{
	identity->kind = CERT_PROBE;
	if (review->pod_name == NULL || review->pod_name[0] == '\0')
		return err_set(err, ERR_FORBIDDEN,
		               "the probe's token is not bound to a Pod; use a projected token");
	return copy_text(identity->name, sizeof(identity->name), str_from(review->pod_name), err);
}

static bool decide_component(const struct cert_issue_context *context,
                             const struct cert_token_review *review, struct str namespace_,
                             struct str account, struct cert_identity *identity, struct err *err)
{
	if (!copy_text(identity->cluster, sizeof(identity->cluster), str_from(context->cluster),
	               err))
		return false;
	if (str_is(namespace_, OUR_NAMESPACE)) {
		if (str_is(account, PROBE_ACCOUNT))
			return decide_probe(review, identity, err);
		if (str_starts_with(account, STR_LIT(GATEWAY_PREFIX)))
			return decide_gateway(context, account, identity, err);
	}
	return err_set(err, ERR_FORBIDDEN,
	               "audience 'fedway' is for " OUR_NAMESPACE "/" PROBE_ACCOUNT
	               " and " OUR_NAMESPACE "/" GATEWAY_PREFIX "NAME, not for '%.*s/%.*s'",
	               STR_ARG(namespace_), STR_ARG(account));
}

static bool decide_workload(struct str namespace_, struct str account,
                            struct cert_identity *identity, struct err *err)
{
	identity->kind = CERT_WORKLOAD;
	return copy_text(identity->namespace_, sizeof(identity->namespace_), namespace_, err) &&
	       copy_text(identity->name, sizeof(identity->name), account, err);
}

static bool finish(const struct cert_issue_context *context, struct cert_identity *identity,
                   struct cert_identity *ret_identity, struct err *err)
{
	char text[CERT_URI_MAX];
	if (!copy_text(identity->trust_domain, sizeof(identity->trust_domain),
	               str_from(context->trust_domain), err))
		return false;
	/* names come from an API server that is not ours: they must make an identity that parses */
	cert_identity_format(identity, text);
	struct cert_identity parsed;
	if (!cert_identity_parse(str_from(text), &parsed, err) ||
	    !cert_identity_eq(&parsed, identity)) {
		err->code = ERR_FORBIDDEN;
		return false;
	}
	*ret_identity = parsed;
	return true;
}

bool cert_issue_by_token(const struct cert_issue_context *context,
                         const struct cert_token_review *review, struct cert_identity *ret_identity,
                         struct err *err)
{
	struct cert_identity identity = {0};
	struct str namespace_;
	struct str account;
	bool ours = has_audience(review, "fedway");
	if (!review->authenticated)
		return err_set(err, ERR_UNAUTHORIZED,
		               "cluster '%s' does not know the token%s%.200s", context->cluster,
		               review->error != NULL ? ": " : "",
		               review->error != NULL ? review->error : "");
	if (!ours && !has_audience(review, "istio-ca"))
		return err_set(err, ERR_UNAUTHORIZED,
		               "the token has neither audience 'fedway' nor 'istio-ca'");
	if (!split_user(review->username, &namespace_, &account, err))
		return false;
	bool ok = ours ? decide_component(context, review, namespace_, account, &identity, err)
	               : decide_workload(namespace_, account, &identity, err);
	return ok && finish(context, &identity, ret_identity, err);
}

bool cert_issue_by_identity(const struct cert_issue_context *context,
                            const struct cert_identity *current, struct cert_identity *ret_identity,
                            struct err *err)
{
	char text[CERT_URI_MAX];
	cert_identity_format(current, text);
	if (strcmp(current->trust_domain, context->trust_domain) != 0)
		return err_set(err, ERR_FORBIDDEN, "'%s' is not of trust domain '%s'", text,
		               context->trust_domain);
	switch (current->kind) {
	case CERT_CONTROL_PLANE:
		return err_set(err, ERR_FORBIDDEN,
		               "the control plane's certificate is not renewed here");
	case CERT_GATEWAY:
	case CERT_PROBE:
		if (strcmp(current->cluster, context->cluster) != 0)
			return err_set(err, ERR_FORBIDDEN, "'%s' is not of cluster '%s'", text,
			               context->cluster);
		break;
	case CERT_WORKLOAD:
		/* whose intermediate signed it is not in its name, so it must show its token */
		return err_set(err, ERR_UNAUTHORIZED, "'%s' must show a token of its cluster",
		               text);
	}
	if (current->kind == CERT_GATEWAY &&
	    !context->gateway_exists(context->cluster, current->name, context->arg))
		return err_set(err, ERR_FORBIDDEN,
		               "there is no EastWestGateway '%s' on cluster '%s'", current->name,
		               context->cluster);
	*ret_identity = *current;
	return true;
}
