/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table says what an end means at the stage where it came: which stage failed, and the cause
 * code, for a path through a gateway and for a direct one.
 */
#include "probe/ladder.h"

#include <assert.h>
#include <stdio.h>

static const char *const stage_names[N_PROBE_STAGES] = {
	[PROBE_STAGE_ADDRESS] = "address", [PROBE_STAGE_CONNECT] = "connect",
	[PROBE_STAGE_TLS] = "tls",         [PROBE_STAGE_IDENTITY] = "identity",
	[PROBE_STAGE_ROUTE] = "route",     [PROBE_STAGE_REPLY] = "reply",
};

struct rule {
	enum probe_end end;
	enum probe_stage at;     /* where the ladder stood */
	enum probe_stage failed; /* what is to blame */
	const char *code;
	const char *code_direct;
	const char *text; /* when the event has none */
};

static const struct rule rules[] = {
	{PROBE_END_UNRESOLVED, PROBE_STAGE_ADDRESS, PROBE_STAGE_ADDRESS, "FED-102", "FED-102",
         "the name does not resolve"},
	{PROBE_END_TIMEOUT, PROBE_STAGE_ADDRESS, PROBE_STAGE_ADDRESS, "FED-102", "FED-102",
         "no answer from DNS in time"},
	{PROBE_END_REFUSED, PROBE_STAGE_CONNECT, PROBE_STAGE_CONNECT, "FED-110", "FED-161",
         "connection refused"},
	{PROBE_END_CUT, PROBE_STAGE_CONNECT, PROBE_STAGE_CONNECT, "FED-110", "FED-161",
         "connection reset"},
	{PROBE_END_UNREACHABLE, PROBE_STAGE_CONNECT, PROBE_STAGE_CONNECT, "FED-111", "FED-161",
         "no route to the address"},
	{PROBE_END_TIMEOUT, PROBE_STAGE_CONNECT, PROBE_STAGE_CONNECT, "FED-111", "FED-161",
         "TCP timeout"},
	{PROBE_END_TIMEOUT, PROBE_STAGE_TLS, PROBE_STAGE_TLS, "FED-112", "FED-112",
         "TCP opens, then silence"},
	{PROBE_END_CUT, PROBE_STAGE_TLS, PROBE_STAGE_TLS, "FED-112", "FED-112",
         "closed during the TLS handshake"},
	{PROBE_END_UNTRUSTED, PROBE_STAGE_TLS, PROBE_STAGE_IDENTITY, "FED-120", "FED-120",
         "certificate from an unknown root"},
	{PROBE_END_EXPIRED, PROBE_STAGE_TLS, PROBE_STAGE_IDENTITY, "FED-121", "FED-121",
         "certificate is not valid now"},
	{PROBE_END_WRONG_PEER, PROBE_STAGE_IDENTITY, PROBE_STAGE_IDENTITY, "FED-122", "FED-160",
         "somebody else answered"},
	{PROBE_END_TIMEOUT, PROBE_STAGE_REPLY, PROBE_STAGE_REPLY, "FED-140", "FED-140",
         "no reply in time"},
	{PROBE_END_CUT, PROBE_STAGE_REPLY, PROBE_STAGE_REPLY, "FED-140", "FED-140",
         "closed before the reply was complete"},
	{PROBE_END_WRONG_BYTES, PROBE_STAGE_REPLY, PROBE_STAGE_REPLY, "FED-140", "FED-140",
         "the reply is not what was sent"},
};

/* RFC 8446 6; what is not listed is stage tls, FED-112. */
static const struct alert {
	int number;
	enum probe_stage failed;
	const char *code;
	const char *text;
} alerts[] = {
	{42, PROBE_STAGE_IDENTITY, "FED-122", "our certificate is refused (alert 42)"},
	{43, PROBE_STAGE_IDENTITY, "FED-122", "our certificate is refused (alert 43)"},
	{44, PROBE_STAGE_IDENTITY, "FED-121", "our certificate counts as revoked (alert 44)"},
	{45, PROBE_STAGE_IDENTITY, "FED-121", "our certificate counts as expired (alert 45)"},
	{46, PROBE_STAGE_IDENTITY, "FED-122", "our certificate is refused (alert 46)"},
	{48, PROBE_STAGE_IDENTITY, "FED-120", "our root is unknown there (alert 48)"},
	{49, PROBE_STAGE_IDENTITY, "FED-122", "access denied (alert 49)"},
	{80, PROBE_STAGE_ROUTE, "FED-131", "no usable endpoint behind the gateway (alert 80)"},
	{112, PROBE_STAGE_ROUTE, "FED-130", "the gateway does not know the name (alert 112)"},
	{116, PROBE_STAGE_IDENTITY, "FED-122", "a certificate is required (alert 116)"},
};

const char *probe_stage_name(enum probe_stage stage)
{
	return stage_names[stage];
}

bool probe_stage_parse(struct str name, enum probe_stage *ret_stage)
{
	for (int i = 0; i < N_PROBE_STAGES; i++) {
		if (str_is(name, stage_names[i])) {
			*ret_stage = (enum probe_stage)i;
			return true;
		}
	}
	return false;
}

const struct probe_step *probe_result_find(const struct probe_result *result,
                                           enum probe_stage stage)
{
	for (size_t i = 0; i < result->n_steps; i++) {
		if (result->steps[i].stage == stage)
			return &result->steps[i];
	}
	return NULL;
}

enum probe_stage probe_result_failed(const struct probe_result *result)
{
	assert(!result->ok && result->n_steps > 0);
	return result->steps[result->n_steps - 1].stage;
}

/* --- the machine ------------------------------------------------------------------------------ */

void probe_ladder_init(struct probe_ladder *ladder, const struct probe_check *check, int64_t now_us)
{
	*ladder = (struct probe_ladder){.check = check, .since_us = now_us};
}

static void add_step(struct probe_ladder *ladder, enum probe_stage stage, bool ok, int64_t now_us)
{
	struct probe_result *result = &ladder->result;
	int64_t took = now_us - ladder->since_us;
	assert(result->n_steps < N_PROBE_STAGES);
	if (took < 0)
		took = 0;
	result->steps[result->n_steps++] = (struct probe_step){
		.stage = stage,
		.ok = ok,
		.took_us = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took,
	};
	ladder->since_us = now_us;
}

static void set_evidence(struct probe_ladder *ladder, enum probe_stage stage, const char *code,
                         const char *text)
{
	struct probe_result *result = &ladder->result;
	result->evidence_of = stage;
	snprintf(result->code, sizeof(result->code), "%s", code);
	snprintf(result->evidence, sizeof(result->evidence), "%s", text);
}

void probe_ladder_pass(struct probe_ladder *ladder, int64_t now_us)
{
	assert(ladder->stage != PROBE_STAGE_REPLY);
	add_step(ladder, ladder->stage, true, now_us);
	ladder->stage++;
}

void probe_ladder_set_answered(struct probe_ladder *ladder)
{
	ladder->answered = true;
}

void probe_ladder_add_alarm(struct probe_ladder *ladder, enum probe_stage stage, const char *code,
                            const char *text)
{
	set_evidence(ladder, stage, code, text);
}

/* Steps from stage on are taken back: what was thought of them was wrong. */
static void fail(struct probe_ladder *ladder, enum probe_stage stage, const char *code,
                 const char *text, int64_t now_us)
{
	struct probe_result *result = &ladder->result;
	while (result->n_steps > 0 && result->steps[result->n_steps - 1].stage >= stage)
		result->n_steps--;
	add_step(ladder, stage, false, now_us);
	set_evidence(ladder, stage, code, text);
	result->ok = false;
}

static void end_by_alert(struct probe_ladder *ladder, const struct probe_event *event,
                         int64_t now_us)
{
	const struct alert *known = NULL;
	char text[64];
	snprintf(text, sizeof(text), "TLS alert %d", event->alert);
	for (size_t i = 0; i < N_ELEMS(alerts); i++) {
		if (alerts[i].number == event->alert)
			known = &alerts[i];
	}
	if (known != NULL)
		snprintf(text, sizeof(text), "%s", known->text);
	if (ladder->answered) {
		fail(ladder, PROBE_STAGE_REPLY, "FED-140", text, now_us);
	} else if (ladder->stage > PROBE_STAGE_TLS) {
		/* In TLS 1.3 a refused client certificate shows only now. */
		bool about_us = known != NULL && known->failed == PROBE_STAGE_IDENTITY;
		fail(ladder, PROBE_STAGE_IDENTITY, about_us ? known->code : "FED-122", text,
		     now_us);
	} else if (known != NULL) {
		/* It speaks TLS, so the stage before holds. */
		add_step(ladder, PROBE_STAGE_TLS, true, now_us);
		fail(ladder, known->failed, known->code, text, now_us);
	} else {
		fail(ladder, PROBE_STAGE_TLS, "FED-112", text, now_us);
	}
}

/* What may happen while a name is asked for that nobody has. True: that was it. */
static bool end_refusal(struct probe_ladder *ladder, const struct probe_event *event,
                        int64_t now_us)
{
	char text[PROBE_EVIDENCE_MAX];
	if (ladder->stage < PROBE_STAGE_TLS)
		return false;
	switch (event->end) {
	case PROBE_END_ALERT:
		if (event->alert != 112)
			break;
		add_step(ladder, PROBE_STAGE_TLS, true, now_us);
		add_step(ladder, PROBE_STAGE_ROUTE, true, now_us);
		set_evidence(ladder, PROBE_STAGE_ROUTE, "", "refused with alert 112, as it must");
		ladder->result.ok = true;
		return true;
	case PROBE_END_DONE:
	case PROBE_END_UNTRUSTED:
	case PROBE_END_EXPIRED:
	case PROBE_END_WRONG_PEER:
	case PROBE_END_WRONG_BYTES:
		fail(ladder, PROBE_STAGE_ROUTE, "FED-112",
		     "a name that nobody has was answered: TLS ends before the gateway", now_us);
		return true;
	case PROBE_END_TIMEOUT:
	case PROBE_END_CUT:
	case PROBE_END_UNRESOLVED:
	case PROBE_END_REFUSED:
	case PROBE_END_UNREACHABLE:
		return false;
	}
	snprintf(text, sizeof(text), "refused with alert %d instead of 112", event->alert);
	fail(ladder, PROBE_STAGE_ROUTE, "FED-112", text, now_us);
	return true;
}

static const struct rule *find_rule(enum probe_end end, enum probe_stage at)
{
	for (size_t i = 0; i < N_ELEMS(rules); i++) {
		if (rules[i].end == end && rules[i].at == at)
			return &rules[i];
	}
	return NULL;
}

static void end_by_rule(struct probe_ladder *ladder, const struct probe_event *event,
                        int64_t now_us)
{
	const struct rule *rule = find_rule(event->end, ladder->stage);
	const char *text = event->text;
	if (rule == NULL) {
		fail(ladder, ladder->stage, "FED-112", text != NULL ? text : "failed", now_us);
		return;
	}
	const char *code = ladder->check->direct ? rule->code_direct : rule->code;
	if (text == NULL)
		text = rule->text;
	if (event->end == PROBE_END_TIMEOUT && ladder->answered) {
		code = "FED-162";
		text = "a few bytes came back, many do not";
	}
	if (rule->failed > PROBE_STAGE_TLS && ladder->stage == PROBE_STAGE_TLS)
		add_step(ladder, PROBE_STAGE_TLS, true, now_us);
	fail(ladder, rule->failed, code, text, now_us);
}

void probe_ladder_end(struct probe_ladder *ladder, const struct probe_event *event, int64_t now_us)
{
	if (ladder->check->must_refuse && end_refusal(ladder, event, now_us))
		return;
	if (event->end == PROBE_END_DONE) {
		assert(ladder->stage == PROBE_STAGE_REPLY);
		add_step(ladder, PROBE_STAGE_REPLY, true, now_us);
		ladder->result.ok = true;
	} else if (event->end == PROBE_END_ALERT) {
		end_by_alert(ladder, event, now_us);
	} else {
		end_by_rule(ladder, event, now_us);
	}
}
