/* SPDX-License-Identifier: Apache-2.0 */
#include "path/access.h"

#include "model/sni.h"

static void add_service(struct ew_line *line, struct str name)
{
	struct sni parsed;
	if (sni_parse(name, &parsed))
		ew_line_text(line, "destination_service", parsed.host);
}

static void add_way(struct ew_line *line, const struct ew_way *way)
{
	char why[EW_WHY_TEXT_MAX];
	if (way->upstream.port == 0)
		return;
	ew_line_addr(line, "upstream_host", &way->upstream);
	ew_line_text(line, "destination_cluster", str_from(way->cluster));
	ew_line_text(line, "locality", str_from(way->locality));
	ew_line_number(line, "priority", way->priority);
	ew_line_text(line, "why", str_from(ew_why_text(way->whys, why)));
	ew_line_number(line, "attempts", way->attempts);
}

static void add_times(struct ew_line *line, const struct ew_access *access)
{
	const struct {
		const char *key;
		int64_t at_us;
	} rows[] = {
		{"hello_ms", access->hello_us},
		{"connect_ms", access->connected_us},
		{"first_byte_ms", access->first_us},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].at_us > 0)
			ew_line_ms(line, rows[i].key, (uint64_t)(rows[i].at_us - access->begun_us));
	}
	ew_line_ms(line, "duration", (uint64_t)(access->ended_us - access->begun_us));
}

size_t ew_access_format(const struct ew_access *access, bool json, struct ew_line *line,
                        char room[EW_LINE_MAX])
{
	struct str name = str_make(access->sni, access->sni_len);
	ew_line_begin(line, json, room);
	ew_line_time(line, "start_time", access->wall_ms);
	ew_line_text(line, "door", str_from(ew_door_name(access->door)));
	ew_line_addr(line, "downstream_remote_address", &access->client);
	ew_line_text(line, "requested_server_name", name);
	if (access->routed) {
		ew_line_text(line, "route_name", name);
		add_service(line, name);
	}
	add_way(line, &access->way);
	ew_line_number(line, "bytes_received", access->received);
	ew_line_number(line, "bytes_sent", access->sent);
	add_times(line, access);
	ew_line_text(line, "reason", str_from(ew_close_name(access->reason)));
	ew_line_text(line, "response_flags", str_from(ew_close_flags(access->reason)));
	if (access->alert > 0)
		ew_line_number(line, "alert", access->alert);
	if (access->detail != NULL)
		ew_line_text(line, "detail", str_from(access->detail));
	return ew_line_end(line, room);
}
