/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ladder - how far one check came: six stages, each reached only when the one before it holds, and
 * the cause code of the one that did not.
 *
 *   address ─▶ connect ─▶ tls ─▶ identity ─▶ route ─▶ reply
 *
 * A gateway that refuses a name answers before any certificate is shown, so such a check has stage
 * route without identity. Pure: what happened and the time are parameters. Any thread.
 * Source: contracts 5 (alerts), 6 (stages), RFC 8446 6.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

enum probe_stage {
	PROBE_STAGE_ADDRESS,
	PROBE_STAGE_CONNECT,
	PROBE_STAGE_TLS,
	PROBE_STAGE_IDENTITY,
	PROBE_STAGE_ROUTE,
	PROBE_STAGE_REPLY,
};

enum {
	N_PROBE_STAGES = 6,
	PROBE_PORT = 15020,       /* where the probes answer */
	PROBE_DEADLINE_MS = 5000, /* of one check, when it names none */
	PROBE_DEADLINE_MAX_MS = 60000,
	PROBE_PAYLOAD_MAX = 64 << 10, /* bytes to be echoed */
	PROBE_EVIDENCE_MAX = 200,
	PROBE_CODE_MAX = 8 /* "FED-111" */
};

/* The name that no mesh has: a gateway must refuse it with alert 112. */
#define PROBE_REFUSED_SNI "outbound_.1_._.refused.fedway.internal"

/* "address", "connect", ... */
const char *probe_stage_name(enum probe_stage stage);
/* False: none of the six. */
bool probe_stage_parse(struct str name, enum probe_stage *ret_stage);

/* What is to be checked. Texts are borrowed; whoever keeps a check says so. */
struct probe_check {
	const char *address; /* IP or host name */
	uint16_t port;
	const char *sni;
	const char *cluster;  /* whose probe must answer */
	uint32_t payload;     /* bytes to be echoed after the first few; 0: none */
	uint32_t deadline_ms; /* 0: PROBE_DEADLINE_MS */
	bool must_refuse;     /* alert 112 is the only good answer */
	bool direct;          /* to the probe itself, within one network */
};

struct probe_step {
	enum probe_stage stage;
	bool ok;
	uint32_t took_us;
};

struct probe_result {
	bool ok;
	char code[PROBE_CODE_MAX]; /* "" none; of an ok result: an alarm (expired certificate) */
	size_t n_steps;
	struct probe_step steps[N_PROBE_STAGES];
	enum probe_stage evidence_of; /* the step that evidence belongs to */
	char evidence[PROBE_EVIDENCE_MAX];
};

/* The step of a stage; NULL: not reached. */
const struct probe_step *probe_result_find(const struct probe_result *result,
                                           enum probe_stage stage);
/* The stage that did not hold. Only for a result that is not ok and has steps. */
enum probe_stage probe_result_failed(const struct probe_result *result);

/* How a check ends. */
enum probe_end {
	PROBE_END_DONE,        /* every byte came back */
	PROBE_END_UNRESOLVED,  /* no address for the name */
	PROBE_END_REFUSED,     /* connection refused */
	PROBE_END_UNREACHABLE, /* the network says that there is no way */
	PROBE_END_TIMEOUT,
	PROBE_END_CUT,        /* closed, reset, or bytes that are no TLS */
	PROBE_END_ALERT,      /* a TLS alert of the peer */
	PROBE_END_UNTRUSTED,  /* its chain does not end at a root of ours */
	PROBE_END_EXPIRED,    /* expired, or not valid yet */
	PROBE_END_WRONG_PEER, /* a good chain of somebody else */
	PROBE_END_WRONG_BYTES /* other bytes than were sent */
};

struct probe_event {
	enum probe_end end;
	int alert;        /* PROBE_END_ALERT */
	const char *text; /* evidence; NULL: none */
};

struct probe_ladder {
	const struct probe_check *check; /* borrowed */
	enum probe_stage stage;          /* the one being tried */
	int64_t since_us;
	bool answered; /* the peer has echoed something */
	struct probe_result result;
};

void probe_ladder_init(struct probe_ladder *ladder, const struct probe_check *check,
                       int64_t now_us);
/* The current stage holds; the next one begins. Not for the last. */
void probe_ladder_pass(struct probe_ladder *ladder, int64_t now_us);
/* The first bytes came back: what follows is about their number only. */
void probe_ladder_set_answered(struct probe_ladder *ladder);
/* An alarm that does not fail the check (expired certificate). */
void probe_ladder_add_alarm(struct probe_ladder *ladder, enum probe_stage stage, const char *code,
                            const char *text);
/* The check is over; ladder->result is complete. Once. */
void probe_ladder_end(struct probe_ladder *ladder, const struct probe_event *event, int64_t now_us);
