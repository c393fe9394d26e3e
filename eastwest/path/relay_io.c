/* SPDX-License-Identifier: Apache-2.0 */
#include "path/relay_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"

/* What one step of a pump came to. */
enum step {
	STEP_ON,      /* something moved, or may */
	STEP_BLOCKED, /* to takes nothing now */
	STEP_EMPTY,   /* from has nothing now */
	STEP_FROM_BAD,
	STEP_TO_BAD
};

static bool is_again(int errnum)
{
	return errnum == EAGAIN || errnum == EINTR;
}

/* --- pipes ------------------------------------------------------------------------------------ */

static bool pipes_take(struct ew_pipes *pipes, struct ew_pipe *ret_pipe)
{
	if (pipes->n_used >= EW_PIPES_MAX)
		return false;
	if (pipes->n_idle > 0) {
		*ret_pipe = pipes->idle[--pipes->n_idle];
	} else {
		struct ew_pipe pipe;
		if (pipe2(pipe.fd, O_NONBLOCK | O_CLOEXEC) < 0)
			return false;
		/* over the user's limit it stays at 64 KiB, or less: slower, not wrong */
		IGNORE(fcntl(pipe.fd[1], F_SETPIPE_SZ, EW_PIPE_SIZE) < 0);
		*ret_pipe = pipe;
	}
	pipes->n_used++;
	return true;
}

static void pipe_close(struct ew_pipe pipe)
{
	close(pipe.fd[0]);
	close(pipe.fd[1]);
}

/* An empty pipe can serve the next flow; one with bytes in it cannot. */
static void pipes_give(struct ew_pipes *pipes, struct ew_pipe pipe, bool is_empty)
{
	pipes->n_used--;
	if (is_empty && pipes->n_idle < EW_PIPES_IDLE_MAX)
		pipes->idle[pipes->n_idle++] = pipe;
	else
		pipe_close(pipe);
}

void ew_pipes_fini(struct ew_pipes *pipes)
{
	while (pipes->n_idle > 0)
		pipe_close(pipes->idle[--pipes->n_idle]);
}

static bool has_pipe(const struct ew_flow *flow)
{
	return flow->pipe.fd[0] != flow->pipe.fd[1];
}

static void drop_pipe(struct ew_flow *flow, struct ew_pipes *pipes)
{
	if (!has_pipe(flow))
		return;
	pipes_give(pipes, flow->pipe, flow->in_pipe == 0);
	flow->pipe = (struct ew_pipe){{0, 0}};
	flow->in_pipe = 0;
}

/* Both say what errno means. */
static enum step to_failed(struct ew_flow *flow)
{
	flow->error = errno;
	return STEP_TO_BAD;
}

static enum step from_stopped(struct ew_flow *flow, struct ew_side *from)
{
	from->readable = false;
	if (errno == EAGAIN)
		return STEP_EMPTY;
	flow->error = errno;
	return STEP_FROM_BAD;
}

/* --- to --------------------------------------------------------------------------------------- */

bool ew_flow_holds(const struct ew_flow *flow)
{
	return flow->carry_len > 0 || flow->in_pipe > 0;
}

bool ew_flow_push(struct ew_flow *flow, struct ew_side *to, const uint8_t *data, size_t len,
                  uint64_t *bytes)
{
	ssize_t n = to->writable ? send(to->fd, data, len, MSG_NOSIGNAL) : 0;
	if (n < 0 && !is_again(errno)) {
		flow->error = errno;
		return false;
	}
	size_t sent = n > 0 ? (size_t)n : 0;
	*bytes += sent;
	if (sent == len)
		return true;
	to->writable = false;
	flow->carry = xmemdup(data + sent, len - sent);
	flow->carry_at = 0;
	flow->carry_len = (uint32_t)(len - sent);
	return true;
}

static enum step flush_carry(struct ew_flow *flow, struct ew_side *to, uint64_t *bytes)
{
	if (!to->writable)
		return STEP_BLOCKED;
	ssize_t n = send(to->fd, flow->carry + flow->carry_at, flow->carry_len, MSG_NOSIGNAL);
	if (n < 0 && !is_again(errno))
		return to_failed(flow);
	if (n > 0) {
		*bytes += (uint64_t)n;
		flow->carry_at += (uint32_t)n;
		flow->carry_len -= (uint32_t)n;
	}
	if (flow->carry_len > 0) {
		to->writable = false;
		return STEP_BLOCKED;
	}
	free(flow->carry);
	flow->carry = NULL;
	return STEP_ON;
}

static enum step flush_pipe(struct ew_flow *flow, struct ew_side *to, uint64_t *bytes)
{
	while (flow->in_pipe > 0) {
		if (!to->writable)
			return STEP_BLOCKED;
		ssize_t n = splice(flow->pipe.fd[0], NULL, to->fd, NULL, flow->in_pipe,
		                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0 && !is_again(errno))
			return to_failed(flow);
		if (n <= 0) {
			to->writable = false;
			return STEP_BLOCKED;
		}
		*bytes += (uint64_t)n;
		flow->in_pipe -= (uint32_t)n;
	}
	return STEP_ON;
}

/* --- from ------------------------------------------------------------------------------------- */

static enum step read_by_copy(struct ew_flow *flow, struct ew_side *from, struct ew_side *to,
                              uint8_t *buffer, uint64_t *bytes)
{
	ssize_t n = recv(from->fd, buffer, EW_COPY_MAX, 0);
	if (n < 0) {
		if (errno == EINTR)
			return STEP_ON;
		return from_stopped(flow, from);
	}
	if (n == 0) {
		/* what is readable from now on is an error */
		from->readable = false;
		flow->ended = true;
		return STEP_ON;
	}
	flow->ended = ew_side_on_read(from, EW_COPY_MAX, (size_t)n);
	flow->splice = n == EW_COPY_MAX;
	return ew_flow_push(flow, to, buffer, (size_t)n, bytes) ? STEP_ON : STEP_TO_BAD;
}

static enum step read_by_splice(struct ew_flow *flow, struct ew_side *from)
{
	ssize_t n = splice(from->fd, NULL, flow->pipe.fd[1], NULL, EW_PIPE_SIZE,
	                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0) {
		if (errno == EINTR)
			return STEP_ON;
		return from_stopped(flow, from);
	}
	if (n == 0) {
		/* what is readable from now on is an error */
		from->readable = false;
		flow->ended = true;
		return STEP_ON;
	}
	flow->in_pipe = (uint32_t)n;
	/* back to copying when the stream has become thin */
	flow->splice = n >= EW_COPY_MAX / 4;
	return STEP_ON;
}

static enum step read_some(struct ew_flow *flow, struct ew_side *from, struct ew_side *to,
                           struct ew_pipes *pipes, uint8_t *buffer, uint64_t *bytes)
{
	if (!from->readable)
		return STEP_EMPTY;
	if (flow->splice && (has_pipe(flow) || pipes_take(pipes, &flow->pipe)))
		return read_by_splice(flow, from);
	return read_by_copy(flow, from, to, buffer, bytes);
}

/* Passes the end on, once everything before it is out. */
static enum ew_pump finish(struct ew_flow *flow, struct ew_side *to)
{
	flow->done = true;
	if (flow->is_last)
		return EW_PUMP_DONE;
	if (shutdown(to->fd, SHUT_WR) < 0) {
		flow->error = errno;
		return EW_PUMP_TO_RESET;
	}
	return EW_PUMP_DONE;
}

static enum ew_pump pump_result(enum step step)
{
	switch (step) {
	case STEP_FROM_BAD:
		return EW_PUMP_FROM_RESET;
	case STEP_TO_BAD:
		return EW_PUMP_TO_RESET;
	case STEP_ON:
	case STEP_BLOCKED:
	case STEP_EMPTY:
		break;
	}
	return EW_PUMP_WAIT;
}

enum ew_pump ew_flow_pump(struct ew_flow *flow, struct ew_side *from, struct ew_side *to,
                          struct ew_pipes *pipes, uint8_t *buffer, uint64_t *bytes)
{
	uint64_t limit = *bytes + EW_PUMP_BUDGET;
	enum step step = STEP_ON;
	if (flow->done)
		return EW_PUMP_DONE;
	for (;;) {
		if (flow->carry_len > 0)
			step = flush_carry(flow, to, bytes);
		else if (flow->in_pipe > 0)
			step = flush_pipe(flow, to, bytes);
		if (step != STEP_ON)
			break;
		if (flow->ended && !ew_flow_holds(flow)) {
			drop_pipe(flow, pipes);
			return finish(flow, to);
		}
		if (*bytes >= limit)
			return EW_PUMP_AGAIN;
		if (ew_flow_holds(flow))
			continue;
		step = read_some(flow, from, to, pipes, buffer, bytes);
		if (step != STEP_ON)
			break;
	}
	if (flow->in_pipe == 0)
		drop_pipe(flow, pipes);
	return pump_result(step);
}

void ew_flow_fini(struct ew_flow *flow, struct ew_pipes *pipes)
{
	drop_pipe(flow, pipes);
	free(flow->carry);
	flow->carry = NULL;
	flow->carry_len = 0;
}
