/* SPDX-License-Identifier: Apache-2.0 */
#include "control/takeover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/macros.h"

static const char *const kinds[] = {
	[EW_TAKEOVER_LISTENER] = "listener",
	[EW_TAKEOVER_HEALTH] = "health",
	[EW_TAKEOVER_METRICS] = "metrics",
	[EW_TAKEOVER_END] = "end",
};

void ew_takeover_encode(const struct ew_takeover_message *message, struct buf *out)
{
	char address[ADDR_TEXT_MAX];
	buf_printf(out, "{\"kind\": \"%s\", ", kinds[message->kind]);
	if (message->kind == EW_TAKEOVER_END)
		buf_printf(out, "\"workers\": %u}", message->worker);
	else
		buf_printf(out, "\"name\": \"%s\", \"address\": \"%s\", \"worker\": %u}",
		           message->name, addr_format(&message->addr, address), message->worker);
}

static bool find_kind(const char *text, enum ew_takeover_kind *ret_kind)
{
	for (size_t i = 0; i < N_ELEMS(kinds); i++) {
		if (strcmp(text, kinds[i]) == 0) {
			*ret_kind = (enum ew_takeover_kind)i;
			return true;
		}
	}
	return false;
}

static bool read_message(json_t *tree, struct ew_takeover_message *message)
{
	const char *name = json_str_at(tree, "name", "");
	if (!find_kind(json_str_at(tree, "kind", ""), &message->kind))
		return false;
	bool is_end = message->kind == EW_TAKEOVER_END;
	json_int_t number =
		json_integer_value(json_object_get(tree, is_end ? "workers" : "worker"));
	if (number < 0 || number > EW_TAKEOVER_SOCKETS_MAX || strlen(name) > EW_TAKEOVER_NAME_MAX)
		return false;
	message->worker = (uint32_t)number;
	snprintf(message->name, sizeof(message->name), "%s", name);
	return is_end || addr_parse(str_from(json_str_at(tree, "address", "")), &message->addr);
}

bool ew_takeover_decode(struct str text, struct ew_takeover_message *ret_message, struct err *err)
{
	struct ew_takeover_message message = {.kind = EW_TAKEOVER_END};
	json_t *tree = json_parse(text, err);
	if (tree == NULL)
		return false;
	bool ok = read_message(tree, &message);
	json_decref(tree);
	if (!ok)
		return err_set(err, ERR_PROTOCOL, "a message that no gateway sends");
	*ret_message = message;
	return true;
}

static bool is_wished(const struct ew_takeover_message *have,
                      const struct ew_takeover_message *wish)
{
	return have->kind == wish->kind && have->worker == wish->worker &&
	       strcmp(have->name, wish->name) == 0 && ip_eq(&have->addr.ip, &wish->addr.ip) &&
	       (wish->addr.port == 0 || have->addr.port == wish->addr.port);
}

int ew_taken_use(struct ew_taken *taken, struct ew_takeover_message *wish)
{
	for (size_t i = 0; i < taken->n; i++) {
		struct ew_taken_socket *one = &taken->list[i];
		if (one->fd < 0 || !is_wished(&one->message, wish))
			continue;
		int fd = one->fd;
		one->fd = -1;
		wish->addr = one->message.addr;
		return fd;
	}
	return -1;
}

void ew_takeover_encode_left(const struct ew_taken *taken, struct buf *out)
{
	buf_add_char(out, 'S');
	for (size_t i = 0; i < taken->n; i++) {
		const struct ew_taken_socket *one = &taken->list[i];
		char address[ADDR_TEXT_MAX];
		/* each listener has one of the first worker's */
		if (one->fd >= 0 && one->message.kind == EW_TAKEOVER_LISTENER &&
		    one->message.worker == 0)
			buf_printf(out, " %s", addr_format(&one->message.addr, address));
	}
}

bool ew_takeover_decode_left(struct str text, struct ew_left *ret_left)
{
	struct str word;
	*ret_left = (struct ew_left){.n = 0};
	if (!str_split(&text, ' ', &word) || !str_is(word, "S"))
		return false;
	while (str_split(&text, ' ', &word)) {
		if (ret_left->n == EW_TAKEOVER_LEFT_MAX ||
		    !addr_parse(word, &ret_left->list[ret_left->n++]))
			return false;
	}
	return true;
}

void ew_taken_fini(struct ew_taken *taken)
{
	for (size_t i = 0; i < taken->n; i++) {
		if (taken->list[i].fd >= 0)
			close(taken->list[i].fd);
	}
	free(taken->list);
	if (taken->peer >= 0)
		close(taken->peer);
	*taken = (struct ew_taken){.peer = -1};
}
