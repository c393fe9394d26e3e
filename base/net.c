/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	NET_BACKLOG = 4096 /* cut to net.core.somaxconn by the kernel */
};

static void set_option(int fd, int level, int name, int value)
{
	/* Only tuning: a kernel that refuses one still carries the connection. */
	IGNORE(setsockopt(fd, level, name, &value, sizeof(value)) < 0);
}

static int open_socket(const struct addr *addr, struct err *err)
{
	int family = ip_is_v4(&addr->ip) ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err_set_errno(err, errno, "cannot make a socket");
	return fd;
}

static void get_local(int fd, struct addr *ret_addr)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);

	IGNORE(getsockname(fd, (struct sockaddr *)&sa, &len) < 0);
	addr_from_sockaddr(&sa, ret_addr);
}

static bool bind_and_listen(int fd, const struct addr *addr, struct err *err)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(addr, &sa);
	char text[ADDR_TEXT_MAX];

	if (bind(fd, (struct sockaddr *)&sa, len) == 0 && listen(fd, NET_BACKLOG) == 0)
		return true;
	if (errno == EADDRINUSE)
		return err_set(err, ERR_IO, "cannot listen on %s: another process uses it",
		               addr_format(addr, text));
	return err_set_errno(err, errno, "cannot listen on %s", addr_format(addr, text));
}

int net_listen(const struct addr *addr, bool reuse_port, struct addr *ret_addr, struct err *err)
{
	int fd = open_socket(addr, err);

	if (fd < 0)
		return -1;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!ip_is_v4(&addr->ip))
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (reuse_port)
		set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!bind_and_listen(fd, addr, err)) {
		close(fd);
		return -1;
	}
	if (ret_addr != NULL)
		get_local(fd, ret_addr);
	return fd;
}

static int adopt(int fd, struct addr *ret_addr, struct err *err)
{
	int listening = 0;
	socklen_t len = sizeof(listening);
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 ||
	    listening == 0) {
		err_set(err, ERR_INVALID, "descriptor %d is not a listening socket", fd);
		return -1;
	}
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		err_set_errno(err, errno, "cannot take over descriptor %d", fd);
		return -1;
	}
	if (ret_addr != NULL)
		get_local(fd, ret_addr);
	return fd;
}

int net_listen_text(const char *text, struct addr *ret_addr, struct err *err)
{
	struct str s = str_from(text);
	struct addr addr;
	uint64_t fd;

	if (str_starts_with(s, STR_LIT("fd:"))) {
		if (!str_to_u64(str_make(s.ptr + 3, s.len - 3), INT32_MAX, &fd)) {
			err_set(err, ERR_INVALID, "'%s' is not fd:N", text);
			return -1;
		}
		return adopt((int)fd, ret_addr, err);
	}
	if (!addr_parse(s, &addr)) {
		err_set(err, ERR_INVALID,
		        "'%s' is not an address: write ADDR:PORT such as 0.0.0.0:15443, or fd:N",
		        text);
		return -1;
	}
	return net_listen(&addr, false, ret_addr, err);
}

int net_accept(int listener, struct addr *ret_peer)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	int fd;

	do {
		fd = accept4(listener, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -1;
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (ret_peer != NULL)
		addr_from_sockaddr(&sa, ret_peer);
	return fd;
}

int net_connect(const struct addr *addr, struct err *err)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(addr, &sa);
	char text[ADDR_TEXT_MAX];
	int fd = open_socket(addr, err);

	if (fd < 0)
		return -1;
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS) {
		err_set_errno(err, errno, "cannot connect to %s", addr_format(addr, text));
		close(fd);
		return -1;
	}
	return fd;
}

int net_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

void net_set_keepalive(int fd, int idle_s, int interval_s, int user_timeout_ms)
{
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
}
