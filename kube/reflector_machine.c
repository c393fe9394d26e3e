/* SPDX-License-Identifier: Apache-2.0 */
#include "reflector_machine_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "kube/meta.h"
#include "kube/reflector.h"

enum {
	WAIT_LEAST_MS = 50
};

static const struct {
	const char *name;
	unsigned next;
} STATES[] = {
#define X(state, name, next) [state] = {name, next},
	REFLECTOR_STATES(X)
#undef X
};

const char *reflector_state_name(enum reflector_state state)
{
	return STATES[state].name;
}

static void move(struct reflector_machine *machine, enum reflector_state state)
{
	assert(state == REFLECTOR_IDLE || (STATES[machine->state].next & 1u << state) != 0);
	machine->state = state;
}

void reflector_machine_init(struct reflector_machine *machine)
{
	*machine = (struct reflector_machine){.backoff_ms = REFLECTOR_BACKOFF_MIN_MS};
}

void reflector_machine_fini(struct reflector_machine *machine)
{
	free(machine->cont);
	machine->cont = NULL;
}

static void set_cont(struct reflector_machine *machine, struct str cont)
{
	free(machine->cont);
	machine->cont = cont.len > 0 ? str_dup(cont) : NULL;
}

static void set_rv(struct reflector_machine *machine, struct str rv)
{
	if (rv.len == 0 || rv.len >= REFLECTOR_RV_MAX)
		return;
	memcpy(machine->rv, rv.ptr, rv.len);
	machine->rv[rv.len] = '\0';
}

/* --- what to do ------------------------------------------------------------------------------- */

static const char *list_version(const struct reflector_machine *machine)
{
	/* A continue token carries its own version, and none means the most recent. */
	if (machine->cont != NULL || machine->latest)
		return NULL;
	/* "0" is answered from the server's cache; later lists must not be older than we are. */
	return machine->rv[0] != '\0' ? machine->rv : "0";
}

static struct reflector_action list_page(struct reflector_machine *machine)
{
	move(machine, REFLECTOR_LIST);
	return (struct reflector_action){
		.what = REFLECTOR_DO_LIST,
		.forget = machine->cont == NULL,
		.rv = list_version(machine),
		.cont = machine->cont,
		.limit = machine->whole ? 0 : REFLECTOR_PAGE,
	};
}

static struct reflector_action list_anew(struct reflector_machine *machine)
{
	set_cont(machine, STR_NULL);
	return list_page(machine);
}

static struct reflector_action watch(struct reflector_machine *machine,
                                     const struct reflector_input *input)
{
	move(machine, REFLECTOR_WATCH);
	machine->watch_began_ms = input->now_ms;
	machine->watch_had_events = false;
	return (struct reflector_action){
		.what = REFLECTOR_DO_WATCH,
		.rv = machine->rv,
		.timeout_s = REFLECTOR_WATCH_MIN_S +
	                     (int)(input->chance % (REFLECTOR_WATCH_SPREAD_S + 1)),
	};
}

/* Full jitter: anything up to the range, so that many clients of a server that comes back do not
 * all come at once. */
static struct reflector_action wait(struct reflector_machine *machine, enum reflector_state state,
                                    const struct reflector_input *input)
{
	if (input->now_ms - machine->failed_ms > REFLECTOR_QUIET_MS)
		machine->backoff_ms = REFLECTOR_BACKOFF_MIN_MS;
	int64_t wait_ms = (int64_t)((uint64_t)machine->backoff_ms * input->chance >> 32);

	machine->failed_ms = input->now_ms;
	machine->backoff_ms *= 2;
	if (machine->backoff_ms > REFLECTOR_BACKOFF_MAX_MS)
		machine->backoff_ms = REFLECTOR_BACKOFF_MAX_MS;
	if (wait_ms < WAIT_LEAST_MS)
		wait_ms = WAIT_LEAST_MS;
	if (wait_ms < input->retry_after_ms)
		wait_ms = input->retry_after_ms;
	move(machine, state);
	return (struct reflector_action){.what = REFLECTOR_DO_WAIT, .wait_ms = wait_ms};
}

/* --- what came -------------------------------------------------------------------------------- */

static struct reflector_action on_page(struct reflector_machine *machine,
                                       const struct reflector_input *input)
{
	if (input->cont.len > 0) {
		set_cont(machine, input->cont);
		return list_page(machine);
	}
	set_cont(machine, STR_NULL);
	/* A cluster that was restored from a backup is younger than what we saw of it. */
	machine->went_back = kube_rv_cmp(input->rv, str_from(machine->rv)) < 0;
	set_rv(machine, input->rv);
	machine->latest = false;
	machine->whole = false;
	struct reflector_action action = watch(machine, input);

	action.apply = true;
	return action;
}

static struct reflector_action on_list_failed(struct reflector_machine *machine,
                                              const struct reflector_input *input)
{
	bool expired = input->code == ERR_EXPIRED;

	if (expired && machine->cont != NULL) {
		machine->whole = true;
		return list_anew(machine);
	}
	if ((expired || input->rv_too_large) && !machine->latest) {
		machine->latest = true;
		return list_anew(machine);
	}
	return wait(machine, REFLECTOR_WAIT_LIST, input);
}

static bool was_short(const struct reflector_machine *machine, const struct reflector_input *input)
{
	return !machine->watch_had_events &&
	       input->now_ms - machine->watch_began_ms < REFLECTOR_SHORT_WATCH_MS;
}

/* Something that a new watch may heal; if it does not, a list. */
static struct reflector_action watch_or_list(struct reflector_machine *machine,
                                             const struct reflector_input *input)
{
	if (++machine->odd < REFLECTOR_ODD_MAX)
		return wait(machine, REFLECTOR_WAIT_WATCH, input);
	machine->odd = 0;
	return wait(machine, REFLECTOR_WAIT_LIST, input);
}

static struct reflector_action on_watch_failed(struct reflector_machine *machine,
                                               const struct reflector_input *input)
{
	/* err_code is base's enum: what is not named here leads to a list. */
	if (input->code == ERR_EXPIRED)
		return was_short(machine, input) ? wait(machine, REFLECTOR_WAIT_LIST, input)
		                                 : list_anew(machine);
	if (input->code == ERR_INTERNAL)
		return watch_or_list(machine, input);
	if (input->code == ERR_IO || input->code == ERR_TIMEOUT || input->code == ERR_TOO_MANY ||
	    input->code == ERR_UNAVAILABLE)
		return wait(machine, REFLECTOR_WAIT_WATCH, input);
	return wait(machine, REFLECTOR_WAIT_LIST, input);
}

static struct reflector_action on_watch_end(struct reflector_machine *machine,
                                            const struct reflector_input *input)
{
	if (was_short(machine, input))
		return watch_or_list(machine, input);
	machine->odd = 0;
	return watch(machine, input);
}

struct reflector_action reflector_machine_step(struct reflector_machine *machine,
                                               const struct reflector_input *input)
{
	struct reflector_action nothing = {.what = REFLECTOR_DO_NOTHING};

	switch (input->kind) {
	case REFLECTOR_ON_START:
		return machine->state == REFLECTOR_IDLE ? list_anew(machine) : nothing;
	case REFLECTOR_ON_PAGE:
		assert(machine->state == REFLECTOR_LIST);
		return on_page(machine, input);
	case REFLECTOR_ON_EVENT:
		assert(machine->state == REFLECTOR_WATCH);
		set_rv(machine, input->rv);
		machine->watch_had_events = true;
		machine->odd = 0;
		return nothing;
	case REFLECTOR_ON_END:
		assert(machine->state == REFLECTOR_WATCH);
		return on_watch_end(machine, input);
	case REFLECTOR_ON_FAIL:
		if (machine->state == REFLECTOR_LIST)
			return on_list_failed(machine, input);
		assert(machine->state == REFLECTOR_WATCH);
		return on_watch_failed(machine, input);
	case REFLECTOR_ON_TIMER:
		if (machine->state == REFLECTOR_WAIT_WATCH)
			return watch(machine, input);
		return machine->state == REFLECTOR_WAIT_LIST ? list_anew(machine) : nothing;
	case REFLECTOR_ON_STOP:
		move(machine, REFLECTOR_IDLE);
		return nothing;
	}
	UNREACHABLE("every input has its case");
}
