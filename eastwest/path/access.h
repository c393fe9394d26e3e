/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access - a line of the access log: what is told of a connection at its end. Pure.
 *
 * Keys are those of Istio's JSON access log where they mean the same; the others are ours. Times
 * are milliseconds from accept on.
 */
#pragma once

#include "eastwest/conn.h"
#include "eastwest/hello.h"
#include "path/line.h"
#include "path/record.h"

/* A connection that is in the log. Times in microseconds, monotonic; 0: did not come so far. */
struct ew_access {
	int64_t wall_ms; /* of accept */
	int64_t begun_us;
	int64_t hello_us;     /* its hello was whole */
	int64_t connected_us; /* an endpoint had the hello */
	int64_t first_us;     /* and answered, or ended */
	int64_t ended_us;
	uint64_t received; /* from the client, passed on */
	uint64_t sent;     /* to the client */
	struct addr client;
	enum ew_door door;
	enum ew_close_reason reason;
	uint8_t alert;      /* that was sent; 0: none */
	const char *detail; /* static text; NULL: nothing beside the reason */
	bool routed;        /* a route has the name */
	uint8_t sni_len;
	char sni[EW_SNI_MAX]; /* that was asked for */
	struct ew_way way;
};

/* The line with its newline in room; returns its length. line: the writer's, one for all. */
size_t ew_access_format(const struct ew_access *access, bool json, struct ew_line *line,
                        char room[EW_LINE_MAX]);
