/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_machine - what to ask next: a step machine without I/O, clock or chance.
 *
 *   IDLE ──▶ LIST ◀──────────────┐◀───────────────┐
 *             │ ▲  └──▶ WAIT_LIST ┘                │ expired, odd
 *             │ └─ next page                       │
 *             └─ last page ──▶ WATCH ──────────────┤
 *                               ▲ └──▶ WAIT_WATCH ─┘ (every state ──▶ IDLE)
 *                               └────────┘
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/*        state                    name          may move to */
#define REFLECTOR_STATES(X)                                                                        \
	X(REFLECTOR_IDLE, "idle", 1u << REFLECTOR_LIST)                                            \
	X(REFLECTOR_LIST, "list",                                                                  \
	  1u << REFLECTOR_LIST | 1u << REFLECTOR_WAIT_LIST | 1u << REFLECTOR_WATCH)                \
	X(REFLECTOR_WAIT_LIST, "wait-list", 1u << REFLECTOR_LIST)                                  \
	X(REFLECTOR_WATCH, "watch",                                                                \
	  1u << REFLECTOR_WATCH | 1u << REFLECTOR_WAIT_WATCH | 1u << REFLECTOR_WAIT_LIST |         \
	          1u << REFLECTOR_LIST)                                                            \
	X(REFLECTOR_WAIT_WATCH, "wait-watch", 1u << REFLECTOR_WATCH)

enum reflector_state {
#define X(state, name, next) state,
	REFLECTOR_STATES(X)
#undef X
};

enum {
	REFLECTOR_RV_MAX = 64,
	REFLECTOR_CONTINUE_MAX = 8192,
	REFLECTOR_QUIET_MS = 120000, /* without failure: back-off begins anew */
	REFLECTOR_SHORT_WATCH_MS = 1000,
	REFLECTOR_WATCH_MIN_S = 300,
	REFLECTOR_WATCH_SPREAD_S = 300,
	REFLECTOR_ODD_MAX = 3 /* short watches or internal errors in a row: list again */
};

struct reflector_machine {
	enum reflector_state state;
	char rv[REFLECTOR_RV_MAX]; /* newest one seen: where to watch from; "" none */
	char *cont;                /* next page of the list; NULL: the first; owned */
	bool latest;               /* list without a version: the last answer refused ours */
	bool whole;                /* list without pages: the last one expired on the way */
	bool went_back;            /* the last list was older than what we had seen */
	unsigned odd;              /* short watches, internal errors, in a row */
	int64_t backoff_ms;        /* the next one's range */
	int64_t failed_ms;         /* the last failure */
	int64_t watch_began_ms;
	bool watch_had_events;
};

enum reflector_input_kind {
	REFLECTOR_ON_START,
	REFLECTOR_ON_PAGE,  /* rv, cont: a page has ended */
	REFLECTOR_ON_EVENT, /* rv: an event or bookmark came */
	REFLECTOR_ON_END,   /* the watch ended as it should */
	REFLECTOR_ON_FAIL,  /* code ...: list or watch broke off or was refused */
	REFLECTOR_ON_TIMER,
	REFLECTOR_ON_STOP,
};

struct reflector_input {
	enum reflector_input_kind kind;
	int64_t now_ms;
	uint32_t chance; /* any number */
	struct str rv;
	struct str cont;
	enum err_code code;
	bool rv_too_large; /* cause ResourceVersionTooLarge */
	int64_t retry_after_ms;
};

enum reflector_do {
	REFLECTOR_DO_NOTHING,
	REFLECTOR_DO_LIST,
	REFLECTOR_DO_WATCH,
	REFLECTOR_DO_WAIT,
};

struct reflector_action {
	enum reflector_do what;
	bool apply;       /* first: the list has ended, put it into effect */
	bool forget;      /* first: a list begins, drop what an earlier one brought */
	const char *rv;   /* LIST: NULL none; WATCH; borrowed from the machine */
	const char *cont; /* LIST: NULL first page */
	int limit;        /* LIST: 0 all */
	int timeout_s;    /* WATCH */
	int64_t wait_ms;  /* WAIT */
};

void reflector_machine_init(struct reflector_machine *machine);
void reflector_machine_fini(struct reflector_machine *machine);
struct reflector_action reflector_machine_step(struct reflector_machine *machine,
                                               const struct reflector_input *input);
const char *reflector_state_name(enum reflector_state state);
