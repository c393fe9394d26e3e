/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway_io.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/loop.h"

#define SUFFIX ".sock"

struct gateway {
	struct loop *loop;
	struct http_client *client;
	char path[GATEWAY_PATH_MAX];
	int failed; /* errno of the last connect */
	/* of the request under way */
	bool done;
	json_t *answer;
	struct err *err;
};

/* --- which ------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t gateway_list(char *ret_names[GATEWAY_LIST_MAX])
{
	DIR *dir = opendir(GATEWAY_SOCKETS);
	size_t n = 0;
	if (dir == NULL)
		return 0;
	for (struct dirent *at; n < GATEWAY_LIST_MAX && (at = readdir(dir)) != NULL;) {
		struct str name = str_from(at->d_name);
		if (str_ends_with(name, STR_LIT(SUFFIX)) && at->d_name[0] != '.')
			ret_names[n++] = str_dup(str_make(name.ptr, name.len - strlen(SUFFIX)));
	}
	closedir(dir);
	qsort(ret_names, n, sizeof(ret_names[0]), by_text);
	return n;
}

/* Without a name: the only one. */
static char *only_one(struct err *err)
{
	char *names[GATEWAY_LIST_MAX];
	size_t n = gateway_list(names);
	char *name = NULL;
	if (n == 0)
		err_set(err, ERR_NOT_FOUND,
		        "no gateway has a socket in " GATEWAY_SOCKETS "; --socket says where it is "
		        "(admin.path of its configuration)");
	else if (n > 1)
		err_set(err, ERR_INVALID,
		        "several gateways run here: name one of them ('%s', '%s', ...)", names[0],
		        names[1]);
	else
		name = xstrdup(names[0]);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	return name;
}

bool gateway_find(const char *name, const char *socket, char ret_path[GATEWAY_PATH_MAX],
                  struct err *err)
{
	int len;
	if (name != NULL && socket != NULL)
		return err_set(err, ERR_INVALID,
		               "NAME and --socket both say which gateway: give one");
	if (socket != NULL) {
		len = snprintf(ret_path, GATEWAY_PATH_MAX, "%s", socket);
	} else {
		char *only CLEANUP(free_ptr) = name != NULL ? xstrdup(name) : only_one(err);
		if (only == NULL)
			return false;
		if (strchr(only, '/') != NULL)
			return err_set(err, ERR_INVALID,
			               "'%s' is no name of a gateway; a path goes behind --socket",
			               only);
		len = snprintf(ret_path, GATEWAY_PATH_MAX, GATEWAY_SOCKETS "/%s" SUFFIX, only);
	}
	return len < GATEWAY_PATH_MAX ||
	       err_set(err, ERR_INVALID, "a socket's path has at most 107 characters");
}

/* --- asking ----------------------------------------------------------------------------------- */

static int dial(void *arg)
{
	struct gateway *gateway = arg;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	memcpy(sa.sun_path, gateway->path, strlen(gateway->path) + 1);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	gateway->failed = errno;
	if (fd >= 0)
		close(fd);
	return -1;
}

struct gateway *gateway_open(const char *path)
{
	struct gateway *gateway = xcalloc(1, sizeof(*gateway));
	struct err err;
	gateway->loop = loop_create();
	snprintf(gateway->path, sizeof(gateway->path), "%s", path);
	struct http_client_config config = {
		.loop = gateway->loop, .dial = dial, .dial_arg = gateway, .connections_max = 1};
	gateway->client = http_client_create(&config, &err);
	if (gateway->client == NULL)
		UNREACHABLE("nothing but certificates can be wrong");
	return gateway;
}

void gateway_close(struct gateway *gateway)
{
	if (gateway == NULL)
		return;
	http_client_destroy(gateway->client);
	loop_destroy(gateway->loop);
	free(gateway);
}

static void on_done(struct http_call *call, const struct http_response *response,
                    const struct err *err, void *arg)
{
	struct gateway *gateway = arg;
	(void)call;
	gateway->done = true;
	loop_stop(gateway->loop);
	if (gateway->failed != 0)
		err_set_errno(gateway->err, gateway->failed, "no gateway answers at '%s'",
		              gateway->path);
	else if (response == NULL)
		*gateway->err = *err;
	else if (response->status != 200)
		err_set(gateway->err, ERR_BAD_REQUEST, "the gateway at '%s' says: %d %.*s",
		        gateway->path, response->status, STR_ARG(str_trim(response->body)));
	else
		gateway->answer = json_parse(response->body, gateway->err);
}

json_t *gateway_get(struct gateway *gateway, const char *path, struct err *err)
{
	char *url CLEANUP(free_ptr) = xasprintf("http://gateway%s", path);
	struct http_call_config config = {.method = "GET",
	                                  .url = url,
	                                  .timeout_ms = GATEWAY_ASK_MS,
	                                  .on_done = on_done,
	                                  .arg = gateway};
	gateway->done = false;
	gateway->failed = 0;
	gateway->answer = NULL;
	gateway->err = err;
	IGNORE(http_client_send(gateway->client, &config) == NULL);
	while (!gateway->done)
		loop_run(gateway->loop);
	return gateway->answer;
}

static void on_pause_over(void *arg)
{
	struct gateway *gateway = arg;
	gateway->done = true;
	loop_stop(gateway->loop);
}

void gateway_pause(struct gateway *gateway, int64_t ms)
{
	struct loop_timer timer;
	loop_timer_init(&timer, gateway->loop, on_pause_over, gateway);
	loop_timer_set(&timer, ms);
	gateway->done = false;
	while (!gateway->done)
		loop_run(gateway->loop);
	loop_timer_fini(&timer);
}
