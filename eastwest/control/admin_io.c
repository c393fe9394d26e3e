/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three small HTTP servers: health for the kubelet, metrics for Prometheus, admin for the operator
 * on the node. The last one is a Unix socket, and its folder's mode is its lock.
 */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/net.h"
#include "control/admin_routes.h"
#include "control/control_priv.h"

static struct http_server *make_server(struct ew_control *control, http_request_cb on_request)
{
	struct http_server_config config = {.loop = control->loop,
	                                    .name = "eastwest",
	                                    .on_request = on_request,
	                                    .arg = control,
	                                    .connections_max = 64};
	return http_server_create(&config);
}

static bool open_tcp(struct ew_control *control, struct ew_takeover_message wish, int *ret_fd,
                     struct addr *ret_bound, struct err *err)
{
	const char *name = wish.kind == EW_TAKEOVER_HEALTH ? "health" : "metrics";
	char text[ADDR_TEXT_MAX];
	const struct addr wanted = wish.addr;
	*ret_fd = ew_taken_use(&control->taken, &wish);
	if (*ret_fd < 0)
		*ret_fd = net_listen(&wanted, false, &wish.addr, err);
	if (*ret_fd < 0)
		return err_wrap(err, "%s", name);
	*ret_bound = wish.addr;
	log_info("eastwest", "listening name=%s address=%s", name, addr_format(&wish.addr, text));
	return true;
}

static bool open_health(struct ew_control *control, struct err *err)
{
	const struct ew_takeover_message wish = {.kind = EW_TAKEOVER_HEALTH,
	                                         .addr = control->boot->health};
	return !control->boot->has_health ||
	       open_tcp(control, wish, &control->health_fd, &control->health_bound, err);
}

static bool open_metrics(struct ew_control *control, struct err *err)
{
	const struct ew_takeover_message wish = {.kind = EW_TAKEOVER_METRICS,
	                                         .addr = control->boot->metrics};
	return !control->boot->has_metrics ||
	       open_tcp(control, wish, &control->metrics_fd, &control->metrics_bound, err);
}

static int listen_unix(const char *path, struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* the length was checked when the file was read */
	memcpy(sa.sun_path, path, strlen(path) + 1);
	/* left by a process that was killed */
	unlink(path);
	mode_t old = umask(0177);
	bool ok =
		fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 16) == 0;
	int failed = errno;
	umask(old);
	if (ok)
		return fd;
	err_set_errno(err, failed, "admin: cannot listen on '%s'", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The usual place, /run/fedway, is empty after each start of the machine. */
static bool make_folder(const char *path, struct err *err)
{
	char *copy CLEANUP(free_ptr) = xstrdup(path);
	return file_make_dirs(dirname(copy), err) || err_wrap(err, "admin");
}

static bool start_unix(struct ew_control *control, struct err *err)
{
	if (!make_folder(control->boot->admin_path, err))
		return false;
	int fd = listen_unix(control->boot->admin_path, err);
	if (fd < 0)
		return false;
	control->admin = make_server(control, ew_admin_on_admin);
	http_server_listen(control->admin, fd, NULL);
	return true;
}

static void begin(struct ew_control *control, int fd, http_request_cb on_request,
                  struct http_server **server)
{
	if (fd < 0 || *server != NULL)
		return;
	*server = make_server(control, on_request);
	http_server_listen(*server, fd, NULL);
}

void ew_admin_serve(struct ew_control *control)
{
	begin(control, control->health_fd, ew_admin_on_health, &control->health);
	begin(control, control->metrics_fd, ew_admin_on_metrics, &control->metrics);
}

bool ew_admin_start(struct ew_control *control, struct err *err)
{
	if (!open_health(control, err) || !open_metrics(control, err))
		return false;
	/* the predecessor answers until then, and it is ready */
	if (control->taken.peer < 0)
		ew_admin_serve(control);
	return control->boot->admin_path == NULL || start_unix(control, err);
}

static void end(struct http_server **server, int *fd)
{
	if (*server == NULL && *fd >= 0)
		close(*fd);
	http_server_destroy(*server);
	*server = NULL;
	*fd = -1;
}

void ew_admin_stop(struct ew_control *control)
{
	end(&control->health, &control->health_fd);
	end(&control->metrics, &control->metrics_fd);
	/* a successor has its own socket at the same path */
	if (control->admin != NULL && !control->taken_over)
		unlink(control->boot->admin_path);
	http_server_destroy(control->admin);
	control->admin = NULL;
}
