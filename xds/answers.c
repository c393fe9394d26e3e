/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/answers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/discovery.pb-c.h"

enum {
	NACK_CODE = 3 /* google.rpc.Code INVALID_ARGUMENT */
};

static void answer_fini(struct xds_answer *answer)
{
	free(answer->nonce);
	free(answer->nack);
}

void xds_answers_clear(struct xds_answers *answers)
{
	for (size_t i = 0; i < answers->n; i++)
		answer_fini(&answers->list[i]);
	answers->n = 0;
}

bool xds_answers_have_room(const struct xds_answers *answers, struct err *err)
{
	if (answers->n < XDS_ANSWERS_MAX)
		return true;
	return err_set(err, ERR_TOO_MANY, "%d responses wait for their answer", XDS_ANSWERS_MAX);
}

void xds_answers_add(struct xds_answers *answers, enum xds_type type, struct str nonce,
                     const char *nack)
{
	assert(answers->n < XDS_ANSWERS_MAX);
	answers->list[answers->n++] =
		(struct xds_answer){type, str_dup(nonce), nack != NULL ? xstrdup(nack) : NULL};
}

static void pack(const struct xds_answer *answer, struct buf *out)
{
	Google__Status detail = GOOGLE__STATUS__INIT;
	Envoy__DeltaDiscoveryRequest msg = ENVOY__DELTA_DISCOVERY_REQUEST__INIT;
	detail.has_code = true;
	detail.code = NACK_CODE;
	detail.message = answer->nack;
	msg.type_url = str_lend(xds_type_url(answer->type));
	msg.response_nonce = answer->nonce;
	msg.error_detail = answer->nack != NULL ? &detail : NULL;
	xds_message_pack(&msg.base, out);
}

bool xds_answers_next(struct xds_answers *answers, struct buf *out)
{
	if (answers->n == 0)
		return false;
	pack(&answers->list[0], out);
	answer_fini(&answers->list[0]);
	answers->n--;
	memmove(&answers->list[0], &answers->list[1], answers->n * sizeof(answers->list[0]));
	return true;
}
