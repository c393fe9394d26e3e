/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a client's first ones, whole and in pieces: PROXY headers, the mark, the hello, as
 * a door takes them. The first byte says which door and who connects, the second one how the rest
 * is cut. However the bytes come, the same becomes of the connection, and a half hello's memory is
 * given back.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/str.h"
#include "path/limiter.h"
#include "path/path_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The client's socket: pieces of the input, one a wake-up. */
static struct {
	const uint8_t *data;
	size_t len;
	size_t piece; /* bytes of the present one that have not been read */
} wire;

static ssize_t wire_recv(int fd, void *into, size_t cap, int flags)
{
	size_t n = wire.piece < cap ? wire.piece : cap;
	(void)fd;
	(void)flags;
	if (n == 0) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(into, wire.data, n);
	wire.data += n;
	wire.len -= n;
	wire.piece -= n;
	return (ssize_t)n;
}

/* What hello_io.c decides, instead of what would be done about it. */
#define recv wire_recv
#include "path/hello_io.c"
#undef recv

struct outcome {
	enum ew_conn_state state;    /* HELLO: it waits for more; DIAL; or CLOSED */
	enum ew_close_reason reason; /* CLOSED */
	uint8_t alert;
	bool marked;
	struct addr peer;
	char cluster[EW_MARK_CLUSTER_MAX + 1];
	char sni[EW_SNI_MAX + 1];
	uint32_t hello; /* its end */
};

static struct outcome outcome;
static bool may_connect;

bool ew_conn_admit(struct ew_conn *conn)
{
	assert(!conn->admitted);
	conn->admitted = may_connect;
	if (!may_connect)
		ew_conn_refuse(conn, EW_CLOSE_NOT_ALLOWED, 0, NULL);
	return may_connect;
}

void ew_conn_close(struct ew_conn *conn, enum ew_close_reason reason)
{
	ew_conn_move(&conn->state, EW_CONN_CLOSED);
	outcome.reason = reason;
}

void ew_conn_refuse(struct ew_conn *conn, enum ew_close_reason reason, uint8_t alert,
                    const char *detail)
{
	assert(reason != EW_CLOSE_BAD_HELLO || (alert != 0 && detail != NULL));
	outcome.alert = alert;
	ew_conn_close(conn, reason);
}

void ew_dial_start(struct ew_conn *conn, const struct ew_hello *hello)
{
	const struct ew_dialing *dialing = conn->dialing;
	assert(conn->admitted && dialing->taken == 0);
	assert(dialing->skip < dialing->hello && dialing->hello <= dialing->len);
	ew_conn_move(&conn->state, EW_CONN_DIAL);
	outcome.hello = dialing->hello;
	memcpy(outcome.sni, hello->sni, hello->sni_len + 1U);
}

/* --- the connection --------------------------------------------------------------------------- */

enum {
	DOOR_EGRESS = 1,
	PEER_TRUSTED = 2,  /* may put a PROXY header before the stream */
	PEER_ADMITTED = 4, /* before its first byte, as it needs no header for that */
	MAY_CONNECT = 8,
	MEMORY_MIB = 1
};

static void note(const struct ew_conn *conn)
{
	const struct ew_dialing *dialing = conn->dialing;
	outcome.state = conn->state;
	outcome.peer = conn->peer;
	outcome.marked = dialing != NULL && dialing->marked;
	if (outcome.marked)
		memcpy(outcome.cluster, dialing->cluster, sizeof(outcome.cluster));
	assert(!outcome.marked || conn->door->config->door == EW_DOOR_INGRESS);
	assert(dialing == NULL || dialing->skip <= dialing->len);
}

/* cut 0: all at once. */
static void feed(struct ew_conn *conn, size_t cut)
{
	while (wire.len > 0 && conn->state == EW_CONN_HELLO) {
		size_t piece = cut > 0 ? 1 + wire.data[0] % cut : wire.len;
		wire.piece = piece < wire.len ? piece : wire.len;
		conn->client.readable = true;
		ew_hello_io_read(conn);
		assert(wire.piece == 0 || conn->state != EW_CONN_HELLO);
	}
}

static struct outcome run(const uint8_t *data, size_t size, unsigned flags, size_t cut)
{
	const struct ew_limits limits = {.hello_memory_mib = MEMORY_MIB};
	static uint8_t buffer[EW_BUFFER_SIZE];
	struct cidr anybody;
	struct ew_worker_setup setup = {.limiter = ew_limiter_create(&limits)};
	struct ew_worker worker = {.setup = &setup, .buffer = buffer};
	struct ew_listener_config config = {.door = flags & DOOR_EGRESS ? EW_DOOR_EGRESS
	                                                                : EW_DOOR_INGRESS};
	struct ew_door_io door = {.worker = &worker, .config = &config};
	struct ew_conn conn = {.door = &door, .admitted = flags & PEER_ADMITTED};

	assert(cidr_parse(STR_LIT("192.0.2.0/24"), &anybody));
	assert(addr_parse(STR_LIT("192.0.2.1:4000"), &conn.peer));
	if (flags & PEER_TRUSTED)
		config.trusted = (struct ew_ranges){&anybody, 1};
	may_connect = flags & MAY_CONNECT;
	outcome = (struct outcome){.state = EW_CONN_HELLO};
	wire.data = data;
	wire.len = size;
	feed(&conn, cut);
	note(&conn);
	if (conn.dialing != NULL)
		ew_hello_io_give_memory(&conn);
	assert(ew_limiter_take_memory(setup.limiter, (size_t)MEMORY_MIB << 20));
	free(conn.dialing);
	ew_limiter_destroy(setup.limiter);
	return outcome;
}

/* What junk looks like depends on how much of it there is. */
static enum ew_close_reason kind(enum ew_close_reason reason)
{
	return reason == EW_CLOSE_PLAIN_HTTP || reason == EW_CLOSE_SSL2 ? EW_CLOSE_NOT_TLS : reason;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct outcome whole = run(data + 2, size - 2, data[0], 0);
	struct outcome cut = run(data + 2, size - 2, data[0], data[1] + 1U);
	assert(whole.state == cut.state && kind(whole.reason) == kind(cut.reason));
	assert(whole.alert == cut.alert);
	/* of a last record that has more in it than the hello, as much as was there */
	assert(whole.hello >= cut.hello && (whole.hello == 0) == (cut.hello == 0));
	assert(whole.marked == cut.marked && strcmp(whole.cluster, cut.cluster) == 0);
	assert(strcmp(whole.sni, cut.sni) == 0 && addr_eq(&whole.peer, &cut.peer));
	assert(data[0] & PEER_TRUSTED || whole.peer.port == 4000);
	return 0;
}
