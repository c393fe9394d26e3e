/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay_io - bytes from one socket to another, in one direction.
 *
 * Small reads are copied through the worker's one buffer; once a read fills EW_COPY_MAX the next
 * ones go through a pipe by splice(2) and never enter the process. A flow holds memory only while
 * the far end does not take what was read: at most EW_COPY_MAX bytes, or a pipe.
 *
 *   from ──recv──▶ buffer ──send──▶ to          what `to` did not take stays in carry
 *   from ──splice──▶ pipe ──splice──▶ to        or in the pipe
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EW_BUFFER_SIZE = 64 << 10, /* the worker's */
	EW_COPY_MAX = 16 << 10,
	EW_PIPE_SIZE = 256 << 10,
	EW_PIPES_IDLE_MAX = 16, /* kept open by a worker for the next flow */
	EW_PIPES_MAX = 1024,    /* of a worker */
	/* Bytes of one flow before others have their turn, half a millisecond: with 2 MiB a GiB
	 * costs 5 % more, with 8 MiB no less. */
	EW_PUMP_BUDGET = 4 << 20
};

/*
 * One end of a connection. What is known of the socket, as edge-triggered events tell it.
 *
 * A read that did not fill its buffer has emptied the socket, so the next one, which would only say
 * so, is left out; also the one that would only say that the end has come, when an event has said
 * it before. Not with an error pending, which is only known by reading, nor with TCP's urgent data,
 * which ends a read early.
 */
struct ew_side {
	int fd; /* -1: none */
	bool readable;
	bool writable;
	bool closing; /* its end has come, behind what is to be read */
	bool failed;  /* reset or dead */
	bool urgent;
};

/* After a read of got bytes into room for asked. True: they were the last. */
static inline bool ew_side_on_read(struct ew_side *side, size_t asked, size_t got)
{
	if (got == asked || side->failed || side->urgent)
		return false;
	side->readable = false;
	return side->closing;
}

/* --- pipes ------------------------------------------------------------------------------------ */

struct ew_pipe {
	int fd[2];
};

struct ew_pipes {
	struct ew_pipe idle[EW_PIPES_IDLE_MAX];
	uint32_t n_idle;
	uint32_t n_used;
};

void ew_pipes_fini(struct ew_pipes *pipes);

/* --- flows ------------------------------------------------------------------------------------ */

struct ew_flow {
	struct ew_pipe pipe; /* both 0: none */
	uint32_t in_pipe;
	uint32_t carry_at;
	uint32_t carry_len;
	uint8_t *carry; /* owned */
	bool splice;    /* reads go by pipe */
	bool ended;     /* from has sent its end */
	bool done;      /* and it was passed on */
	bool is_last;   /* the other way has ended: closing `to` is what passes the end on */
	int error;      /* errno of what failed */
};

enum ew_pump {
	EW_PUMP_WAIT,       /* nothing more to do until an event */
	EW_PUMP_AGAIN,      /* the budget is used up: call again soon */
	EW_PUMP_DONE,       /* the end was passed on */
	EW_PUMP_FROM_RESET, /* from was reset, or failed */
	EW_PUMP_TO_RESET
};

/* Moves what can be moved. buffer has EW_BUFFER_SIZE bytes. *bytes is increased by what reached
 * `to`. */
enum ew_pump ew_flow_pump(struct ew_flow *flow, struct ew_side *from, struct ew_side *to,
                          struct ew_pipes *pipes, uint8_t *buffer, uint64_t *bytes);

/* Sends data, or keeps what does not go out. The flow must hold nothing. False: to was reset. */
bool ew_flow_push(struct ew_flow *flow, struct ew_side *to, const uint8_t *data, size_t len,
                  uint64_t *bytes);

/* Does it hold bytes that `to` has not taken? */
bool ew_flow_holds(const struct ew_flow *flow);

/* Gives back what it holds. Harmless on zeroed memory. */
void ew_flow_fini(struct ew_flow *flow, struct ew_pipes *pipes);
