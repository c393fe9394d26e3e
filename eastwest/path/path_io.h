/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path_io - what the files of a worker share: worker_io.c (thread, messages, table),
 * listener_io.c (accept), conn_io.c (relay and end), hello_io.c, dial_io.c (upstreams),
 * answer_io.c (their first bytes), access_io.c (what is told of it), and nobody else.
 *
 * Everything here belongs to the worker's thread, but for the fields named shared.
 */
#pragma once

#include <sys/epoll.h>

#include "base/list.h"
#include "base/map.h"
#include "eastwest/balance.h"
#include "eastwest/conn.h"
#include "eastwest/wheel.h"
#include "path/record.h"
#include "path/relay_io.h"
#include "path/stats.h"
#include "path/worker_io.h"
#include "table/hedge.h"

enum {
	EW_HELLO_CHUNK = 128,           /* half hellos grow from here, doubling */
	EW_ACCEPT_BATCH_MAX = 64,       /* connections of one wake-up */
	EW_EVENTS_MAX = 128,            /* of one wake-up */
	EW_ACCEPT_PAUSE_MS = 100,       /* without descriptors */
	EW_CLOSING_READ_MAX = 256 << 10 /* bytes thrown away behind an alert */
};

/* What each socket is registered for, once. */
#define EW_SIDE_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

struct ew_door_io;
struct ew_conn;

/* What an event of a descriptor is for; embedded in its owner. */
struct ew_watch {
	void (*fn)(struct ew_watch *watch, uint32_t events);
};

/* What a worker remembers of a route that is in use. */
struct ew_use {
	struct ew_balance balance;
	/* of the last connection: most go to the same cluster as the one before */
	const struct ew_series *series;
	uint64_t series_table; /* version of the table that numbers the cluster */
	uint16_t series_cluster;
};

struct ew_worker {
	const struct ew_worker_setup *setup; /* shared, outlives the worker */
	uint32_t index;
	int poll_fd;
	int64_t now_ms; /* of this turn */
	uint64_t n_turns;
	struct ew_table *table;
	struct map uses;   /* SNI name to struct ew_use */
	struct map series; /* SNI name and cluster to struct ew_series; never forgotten */

	struct ew_wheel wheel;
	int64_t tick_at_ms;   /* when the wheel is to be stepped; 0: not set */
	int64_t resume_at_ms; /* when paused doors go on; 0: none is paused */

	struct list conns;  /* all of them */
	struct list closed; /* to be freed at the end of the turn */
	struct list again;  /* used up their budget */
	uint32_t n_conns;

	struct ew_hedge hedge;
	uint64_t access_turn; /* connections that the access log was asked about */
	struct ew_pipes pipes;
	uint8_t *buffer; /* EW_BUFFER_SIZE */

	struct list doors;   /* those of the set in force, struct ew_door_io */
	struct list retired; /* to be freed at the end of the turn */

	struct ew_watch wake;
	int wake_fd;
	pthread_mutex_t lock;
	struct list messages; /* shared, under lock */
	pthread_t thread;
	bool started;
	bool stopping;
	_Atomic uint32_t n_conns_shared; /* n_conns, for other threads */
};

/* A listening socket of a worker, as one set of doors describes it. Lives as long as it is in that
 * set, or a connection came by it. */
struct ew_door_io {
	struct list link; /* in worker->doors, or ->retired, or nowhere */
	struct ew_worker *worker;
	struct ew_doors *doors; /* shared */
	const struct ew_doors_row *row;
	const struct ew_listener_config *config; /* the row's */
	uint32_t n_conns;
	bool is_retired;
	int fd; /* -1: closed */
	uint32_t batch;
	uint64_t turn; /* of the last wake-up */
	bool paused;
	struct ew_watch watch;
};

/* What a connection needs until its first answer, in one allocation. */
struct ew_dialing {
	struct ew_hello_reader reader;
	uint32_t len;   /* bytes that came from the client */
	uint32_t cap;   /* room for them */
	uint32_t taken; /* of the limiter's memory, while the hello is half */
	uint32_t skip;  /* of them, PROXY headers and marks */
	uint32_t hello; /* end of the hello, 0 while it is not whole */
	uint32_t sent;  /* of mark and hello, to the present upstream */
	bool marked;
	bool proxied;   /* a load balancer's header came */
	bool said_more; /* the client has sent something after what is kept here */
	uint8_t mark_len;
	uint8_t n_first; /* bytes in first */
	uint8_t first[EW_ALERT_LEN];
	struct ew_table *table; /* shared; NULL while the hello is not whole */
	const struct ew_route *route;
	struct ew_tries tries;
	struct ew_choice choice;
	int64_t begun_ms; /* the connect to it */
	bool hedging;     /* a second connect is pending */
	struct ew_side hedge;
	struct ew_choice hedge_choice;
	struct ew_seat hedge_seat;
	int64_t hedge_begun_ms;
	char cluster[EW_MARK_CLUSTER_MAX + 1]; /* that the mark names */
	uint8_t bytes[];
};

struct ew_conn {
	struct list link;       /* in worker->conns, or ->closed */
	struct list again_link; /* in worker->again */
	struct ew_wheel_entry timer;
	struct ew_door_io *door;
	struct ew_watch client_watch;
	struct ew_watch upstream_watch;
	struct ew_watch hedge_watch;
	struct ew_side client;
	struct ew_side upstream;
	struct ew_flow up;
	struct ew_flow down;
	int64_t active_ms;
	uint32_t idle_ms;           /* from the hello's being out on */
	struct ew_dialing *dialing; /* owned; NULL from the first answer on */
	const struct ew_series *series;
	struct ew_seat seat;
	struct ew_access *access; /* owned; NULL: not in the access log */
	struct addr peer;
	bool admitted; /* its source may connect */
	bool guarded;  /* asks whether its peers live */
	bool on_hedge; /* the upstream was a second connect: hedge_watch has its events */
	enum ew_conn_state state;
	uint32_t discarded; /* while closing */
};

/* --- listener_io.c ---------------------------------------------------------------------------- */

/* Another set, taking its reference. fds as for ew_worker_set_doors. */
void ew_doors_enter(struct ew_worker *worker, struct ew_doors *doors, const int *fds);
/* Takes what still waits in the queue, then closes the socket. */
void ew_door_drain(struct ew_door_io *door);
/* Closes the socket as it is: what waits is reset, unless another process holds it as well. */
void ew_door_stop(struct ew_door_io *door);
/* A connection that came by it is freed. */
void ew_door_forget_conn(struct ew_door_io *door);
/* The end of a turn. */
void ew_doors_free_retired(struct ew_worker *worker);
/* Without connections. */
void ew_doors_stop(struct ew_worker *worker);
/* After a pause for want of descriptors. Harmless without one. */
void ew_door_resume(struct ew_door_io *door);

/* --- conn_io.c -------------------------------------------------------------------------------- */

/* May this source connect here, and now? False: refused and closed. */
bool ew_conn_admit(struct ew_conn *conn);
/* Takes over fd. */
void ew_conn_open(struct ew_door_io *door, int fd, const struct addr *peer);
/* Two steps: everything is given back now, the memory at the end of the turn. Harmless twice. */
void ew_conn_close(struct ew_conn *conn, enum ew_close_reason reason);
/* As ew_conn_close, but both ends are reset. */
void ew_conn_reset(struct ew_conn *conn, enum ew_close_reason reason);
/* Ends a connection that has no answer yet, with the alert of the reason. */
void ew_conn_refuse(struct ew_conn *conn, enum ew_close_reason reason, uint8_t alert,
                    const char *detail);
/* With the name that was asked for, though no route has it. */
void ew_conn_refuse_name(struct ew_conn *conn, struct str sni, enum ew_close_reason reason);
/* Goes on with whatever the sockets allow. */
void ew_conn_step(struct ew_conn *conn);
/* The upstream has answered, or nothing is left to try. */
void ew_conn_drop_dialing(struct ew_conn *conn);
/* The deadline of the state it is in, from now; in_ms > 0: instead of the state's own. */
void ew_conn_set_deadline(struct ew_conn *conn, uint32_t in_ms);
/* Resets it as one of its sides failed. */
void ew_conn_on_failure(struct ew_conn *conn, bool is_client, int errnum);
/* As that, of a side that has failed though nobody reads it. */
void ew_conn_on_failed_side(struct ew_conn *conn, const struct ew_side *side);
void ew_conn_on_deadline(struct ew_conn *conn);
void ew_conn_free(struct ew_conn *conn);

/* Notes what an event says. */
void ew_side_on_event(struct ew_side *side, uint32_t events);
/* Its registration goes with the socket. Harmless without one. */
void ew_side_close(struct ew_side *side);

/* --- hello_io.c ------------------------------------------------------------------------------- */

/* Reads until the hello is whole and dialled, or refused, or nothing more is there. */
void ew_hello_io_read(struct ew_conn *conn);
/* Gives back what its half hello took of the limit. Harmless twice. */
void ew_hello_io_give_memory(struct ew_conn *conn);

/* --- dial_io.c -------------------------------------------------------------------------------- */

/* The hello is whole: chooses and connects; goes on to the next endpoint as often as need be. */
void ew_dial_start(struct ew_conn *conn, const struct ew_hello *hello);
/* The present attempt came to nothing: goes on with the second one, or with another. why: static
 * text, for the flight recorder. */
void ew_dial_elsewhere(struct ew_conn *conn, const char *why);
/* What an errno says of a connect, as such a text. */
const char *ew_dial_why_failed(int errnum);
/* Is there an endpoint to go to that was not tried yet? */
bool ew_dial_has_other(struct ew_conn *conn);
/* The mark for the present choice; its length, 0 for who does not take one. */
size_t ew_dial_mark(const struct ew_dialing *dialing, uint8_t mark[EW_MARK_MAX]);
/* DIAL has lasted long enough for a second connect, or too long. */
void ew_dial_on_timeout(struct ew_conn *conn);
/* Gives up a second connect. Harmless without one. */
void ew_dial_drop_hedge(struct ew_conn *conn);

/* --- answer_io.c ------------------------------------------------------------------------------ */

/* Something happened at an upstream that has not answered. */
void ew_answer_on_upstream(struct ew_conn *conn);
/* The upstream has been silent for EW_GUARD_MS. True: its host has not even acknowledged the hello,
 * and the connection begins anew elsewhere. */
bool ew_answer_on_deadline(struct ew_conn *conn);

/* --- access_io.c ------------------------------------------------------------------------------ */

/* What befalls a connection, for the flight recorder and, if it is in it, the access log. */
void ew_access_begin(struct ew_conn *conn);
void ew_access_on_hello(struct ew_conn *conn, const struct ew_hello *hello);
/* The attempt at this choice came to nothing; why: static text. */
void ew_access_on_failed(struct ew_conn *conn, const struct ew_choice *choice, const char *why);
void ew_access_on_connected(struct ew_conn *conn);
/* The endpoint has answered, or the connection ends without that. dialing is there still. */
void ew_access_on_answer(struct ew_conn *conn);
void ew_access_on_bytes(struct ew_conn *conn, bool is_up, uint64_t bytes);
void ew_access_on_refused(struct ew_conn *conn, const struct ew_event *event);
/* Before anything of it is given back. */
void ew_access_end(struct ew_conn *conn, enum ew_close_reason reason);

/* --- worker_io.c ------------------------------------------------------------------------------ */

/* What the worker's thread does, turn after turn; tests do it themselves. It waits for events no
 * longer than most_ms (-1: as long as it takes). */
void ew_worker_turn(struct ew_worker *worker, int most_ms);

struct ew_use *ew_worker_use(struct ew_worker *worker, const struct ew_route *route);
/* Of the destination that was chosen. */
const struct ew_series *ew_worker_series(struct ew_worker *worker,
                                         const struct ew_dialing *dialing);
/* Wakes the timer in time for a deadline. */
void ew_worker_watch(struct ew_worker *worker, struct ew_wheel_entry *entry, int64_t deadline_ms);
/* Once for each socket; it ends with the socket's close. False: no memory. */
bool ew_worker_register(struct ew_worker *worker, int fd, struct ew_watch *watch, uint32_t events);
/* Runs at the end of this turn. */
void ew_worker_bury(struct ew_worker *worker, struct ew_conn *conn);
void ew_worker_again(struct ew_worker *worker, struct ew_conn *conn);
