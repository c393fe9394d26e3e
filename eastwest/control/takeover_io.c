/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of a SOCK_SEQPACKET socket come whole or not at all, each with at most one descriptor.
 * Both sides wait here, for at most WAIT_MS each: the one has nothing to do before it has the
 * sockets, the other sends a few small messages into an empty queue.
 */
#include "control/takeover_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"

#define NAME "takeover.sock" /* in the data folder */

enum {
	WAIT_MS = 2000
};

struct ew_takeover {
	struct ew_takeover_options options;
	struct loop_io listener;
	struct loop_io successor;
};

/* Goes by the folder's descriptor: a socket's path may have 107 characters only. */
struct meeting {
	int dir;
	int fd;
	struct sockaddr_un sa;
};

static void close_meeting(struct meeting *meeting)
{
	if (meeting->dir >= 0)
		close(meeting->dir);
	if (meeting->fd >= 0)
		close(meeting->fd);
}

static void set_waits(int fd)
{
	static const struct timeval wait = {.tv_sec = WAIT_MS / 1000};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
}

/* False with errno. */
static bool open_meeting(const char *data_dir, struct meeting *meeting)
{
	*meeting = (struct meeting){.fd = -1, .sa = {.sun_family = AF_UNIX}};
	meeting->dir = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (meeting->dir < 0)
		return false;
	snprintf(meeting->sa.sun_path, sizeof(meeting->sa.sun_path), "/proc/self/fd/%d/" NAME,
	         meeting->dir);
	meeting->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return meeting->fd >= 0;
}

static bool is_same_user(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

/* --- successor -------------------------------------------------------------------------------- */

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int find_fd(struct msghdr *message)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fd = -1;
	if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

/* One message; fd -1: without one. */
static bool receive(int peer, struct ew_taken_socket *ret_one, struct err *err)
{
	char text[EW_TAKEOVER_MESSAGE_MAX];
	union control control;
	struct iovec iov = {text, sizeof(text)};
	struct msghdr message = {.msg_iov = &iov,
	                         .msg_iovlen = 1,
	                         .msg_control = control.bytes,
	                         .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);
	if (got < 0)
		return err_set_errno(err, errno, "the running gateway does not answer");
	if (got == 0)
		return err_set(err, ERR_UNAVAILABLE, "the running gateway has closed");
	ret_one->fd = find_fd(&message);
	if (ew_takeover_decode(str_make(text, (size_t)got), &ret_one->message, err) &&
	    (ret_one->fd >= 0) == (ret_one->message.kind != EW_TAKEOVER_END))
		return true;
	if (ret_one->fd >= 0)
		close(ret_one->fd);
	return err_set(err, ERR_PROTOCOL, "the running gateway says something else");
}

static bool receive_all(struct ew_taken *taken, struct err *err)
{
	while (taken->n < EW_TAKEOVER_SOCKETS_MAX) {
		struct ew_taken_socket one;
		if (!receive(taken->peer, &one, err))
			return false;
		if (one.message.kind == EW_TAKEOVER_END) {
			taken->n_workers = one.message.worker;
			return true;
		}
		taken->list = xrealloc(taken->list, (taken->n + 1) * sizeof(*taken->list));
		taken->list[taken->n++] = one;
	}
	return err_set(err, ERR_TOO_LARGE, "the running gateway has more than %d listeners",
	               EW_TAKEOVER_SOCKETS_MAX);
}

bool ew_takeover_ask(const char *data_dir, struct ew_taken *ret_taken, struct err *err)
{
	struct meeting meeting;
	*ret_taken = (struct ew_taken){.peer = -1};
	if (!open_meeting(data_dir, &meeting) ||
	    connect(meeting.fd, (struct sockaddr *)&meeting.sa, sizeof(meeting.sa)) < 0) {
		int failed = errno;
		close_meeting(&meeting);
		return failed == ENOENT || failed == ECONNREFUSED ||
		       err_set_errno(err, failed, "cannot take over by '%s/" NAME "'", data_dir);
	}
	close(meeting.dir);
	ret_taken->peer = meeting.fd;
	set_waits(meeting.fd);
	if (!is_same_user(meeting.fd))
		err_set(err, ERR_FORBIDDEN, "'%s/" NAME "' belongs to another user", data_dir);
	else if (receive_all(ret_taken, err))
		return true;
	ew_taken_fini(ret_taken);
	return err_wrap(err, "cannot take over the listeners");
}

void ew_takeover_done(struct ew_taken *taken)
{
	if (taken->peer < 0)
		return;
	struct buf text CLEANUP(buf_fini);
	int peer = taken->peer;
	buf_init(&text, EW_TAKEOVER_LEFT_TEXT_MAX);
	ew_takeover_encode_left(taken, &text);
	/* the predecessor is the last to hold what nobody uses, so that its queues are its */
	taken->peer = -1;
	ew_taken_fini(taken);
	/* if it is gone already, it needs no telling */
	IGNORE(send(peer, buf_text(&text), text.len, MSG_NOSIGNAL) < 0);
	close(peer);
}

/* --- predecessor ------------------------------------------------------------------------------ */

static bool hand(int peer, const struct ew_taken_socket *one)
{
	struct buf text CLEANUP(buf_fini);
	union control control = {.bytes = {0}};
	buf_init(&text, EW_TAKEOVER_MESSAGE_MAX);
	ew_takeover_encode(&one->message, &text);
	struct iovec iov = {(void *)(uintptr_t)buf_text(&text), text.len};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	if (one->fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
		                                .cmsg_level = SOL_SOCKET,
		                                .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.head), &one->fd, sizeof(one->fd));
	}
	return sendmsg(peer, &message, MSG_NOSIGNAL) == (ssize_t)text.len;
}

static bool hand_all(struct ew_takeover *takeover, int peer)
{
	struct ew_taken have = takeover->options.list(takeover->options.arg);
	const struct ew_taken_socket end = {
		.message = {.kind = EW_TAKEOVER_END, .worker = have.n_workers}, .fd = -1};
	bool ok = true;
	for (size_t i = 0; i < have.n && ok; i++)
		ok = hand(peer, &have.list[i]);
	free(have.list);
	return ok && hand(peer, &end);
}

static void close_io(struct loop_io *io)
{
	if (io->impl == NULL)
		return;
	loop_io_fini(io);
	close(io->fd);
}

static void on_successor(unsigned ready, void *arg)
{
	struct ew_takeover *takeover = arg;
	char text[EW_TAKEOVER_LEFT_TEXT_MAX];
	struct ew_left left;
	(void)ready;
	ssize_t got = recv(takeover->successor.fd, text, sizeof(text), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close_io(&takeover->successor);
	if (got > 0 && ew_takeover_decode_left(str_make(text, (size_t)got), &left)) {
		close_io(&takeover->listener);
		takeover->options.on_taken(&left, takeover->options.arg);
	} else {
		log_warn("eastwest", "a successor asked for the listeners and ended before it "
		                     "served; nothing has changed");
	}
}

static void on_listener(unsigned ready, void *arg)
{
	struct ew_takeover *takeover = arg;
	(void)ready;
	int fd = accept4(takeover->listener.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	set_waits(fd);
	/* one at a time: the second would serve beside the first */
	if (takeover->successor.impl != NULL || !is_same_user(fd) || !hand_all(takeover, fd)) {
		close(fd);
		return;
	}
	log_info("eastwest", "a successor has the listeners");
	loop_io_init(&takeover->successor, takeover->options.loop, fd, on_successor, takeover);
	loop_io_set(&takeover->successor, LOOP_READ);
}

static bool listen_at(struct meeting *meeting)
{
	/* left by a process that has ended, or by the one we took over from */
	unlinkat(meeting->dir, NAME, 0);
	mode_t old = umask(0177);
	bool ok = bind(meeting->fd, (struct sockaddr *)&meeting->sa, sizeof(meeting->sa)) == 0 &&
	          listen(meeting->fd, 4) == 0;
	int failed = errno;
	umask(old);
	errno = failed;
	return ok;
}

struct ew_takeover *ew_takeover_create(const struct ew_takeover_options *options, struct err *err)
{
	struct meeting meeting;
	if (!file_make_dirs(options->data_dir, err))
		return NULL;
	if (!open_meeting(options->data_dir, &meeting) || !listen_at(&meeting)) {
		int failed = errno;
		close_meeting(&meeting);
		err_set_errno(err, failed, "cannot listen on '%s/" NAME "'", options->data_dir);
		return NULL;
	}
	close(meeting.dir);
	struct ew_takeover *takeover = xcalloc(1, sizeof(*takeover));
	takeover->options = *options;
	loop_io_init(&takeover->listener, options->loop, meeting.fd, on_listener, takeover);
	loop_io_set(&takeover->listener, LOOP_READ);
	return takeover;
}

void ew_takeover_destroy(struct ew_takeover *takeover)
{
	if (takeover == NULL)
		return;
	close_io(&takeover->successor);
	close_io(&takeover->listener);
	free(takeover);
}
