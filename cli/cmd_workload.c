/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "common.h"
#include "workload.h"

#include <assert.h>
#include <stdio.h>

struct workload_options {
	struct options_head head;
	struct workload_identity identity;
	const char *listen;
	const char *version;
	const char *via;
	const char *sni;
	uint64_t calls;
	uint64_t every_ms;
	uint64_t time_ms;
	uint64_t hold;
};

static_assert(sizeof(struct workload_options) <= CLI_SIZE, "fits");

#define FIELD(name) offsetof(struct workload_options, name)

#define IDENTITY_ROWS(peer_dflt)                                                                   \
	{.name = "cert",                                                                           \
	 .kind = OPTIONS_TEXT,                                                                     \
	 .arg = "FILE",                                                                            \
	 .dflt = "tls.crt",                                                                        \
	 .help = "certificate chain, leaf first",                                                  \
	 .offset = FIELD(identity.cert_file)},                                                     \
		{.name = "key",                                                                    \
	         .kind = OPTIONS_TEXT,                                                             \
	         .arg = "FILE",                                                                    \
	         .dflt = "tls.key",                                                                \
	         .help = "its private key",                                                        \
	         .offset = FIELD(identity.key_file)},                                              \
		{.name = "roots",                                                                  \
	         .kind = OPTIONS_TEXT,                                                             \
	         .arg = "FILE",                                                                    \
	         .dflt = "roots.pem",                                                              \
	         .help = "whom to believe",                                                        \
	         .offset = FIELD(identity.roots_file)},                                            \
	{                                                                                          \
		.name = "peer", .kind = OPTIONS_TEXT, .arg = "URI", .dflt = peer_dflt,             \
		.help = "the one SPIFFE ID accepted on the other side",                            \
		.offset = FIELD(identity.peer)                                                     \
	}

static const struct options_row helloworld_rows[] = {
	IDENTITY_ROWS("spiffe://cluster.local/ns/sample/sa/sleep"),
	{.name = "listen",
         .kind = OPTIONS_LISTEN,
         .arg = "ADDR:PORT",
         .dflt = "127.0.0.1:5000",
         .help = "where to answer",
         .offset = FIELD(listen)},
	{.name = "answer",
         .kind = OPTIONS_TEXT,
         .arg = "WORD",
         .dflt = "v1",
         .help = "what to answer",
         .offset = FIELD(version)},
};

static const struct options_row sleep_rows[] = {
	IDENTITY_ROWS("spiffe://cluster.local/ns/sample/sa/helloworld"),
	{.name = "via",
         .kind = OPTIONS_TEXT,
         .arg = "ADDR:PORT",
         .dflt = "127.0.0.1:15444",
         .help = "where to connect: a gateway's door, or the server itself",
         .offset = FIELD(via)},
	{.name = "sni",
         .kind = OPTIONS_TEXT,
         .arg = "NAME",
         .dflt = "outbound_.5000_._.helloworld.sample.svc.cluster.local",
         .help = "server name to ask for",
         .offset = FIELD(sni)},
	{.name = "calls",
         .kind = OPTIONS_NUMBER,
         .arg = "N",
         .help = "how many; 0: until --time is over or SIGTERM",
         .offset = FIELD(calls)},
	{.name = "every",
         .kind = OPTIONS_DURATION,
         .arg = "TIME",
         .help = "between the starts of two calls; 0: one after the other",
         .offset = FIELD(every_ms)},
	{.name = "time",
         .kind = OPTIONS_DURATION,
         .arg = "TIME",
         .help = "no new calls after this",
         .offset = FIELD(time_ms)},
	{.name = "hold",
         .kind = OPTIONS_NUMBER,
         .arg = "N",
         .help = "connections to keep open besides, and tell when one is cut",
         .offset = FIELD(hold)},
};

const struct options_spec cmd_lab_workload_helloworld_spec = {
	.program = "fedway lab workload helloworld",
	.about = "Answers each line with one word, over mesh TLS.",
	.rows = helloworld_rows,
	.n_rows = sizeof(helloworld_rows) / sizeof(helloworld_rows[0]),
};

const struct options_spec cmd_lab_workload_sleep_spec = {
	.program = "fedway lab workload sleep",
	.about = "Makes calls over mesh TLS and writes what happened, one JSON object a line.",
	.rows = sleep_rows,
	.n_rows = sizeof(sleep_rows) / sizeof(sleep_rows[0]),
};

int cmd_lab_workload_helloworld(void *arg)
{
	const struct workload_options *options = arg;
	struct err err;
	struct workload_server server = {
		.identity = options->identity,
		.listen = options->listen,
		.version = options->version,
	};
	return workload_serve(&server, &err) ? EXIT_DONE : cli_fail(&err);
}

int cmd_lab_workload_sleep(void *arg)
{
	const struct workload_options *options = arg;
	struct err err;
	uint64_t failed = 0;
	struct workload_client client = {
		.identity = options->identity,
		.sni = options->sni[0] != '\0' ? options->sni : NULL,
		.calls = options->calls,
		.every_ms = options->every_ms,
		.time_ms = options->time_ms,
		.hold = options->hold,
		.out = stdout,
	};
	if (!addr_parse(str_from(options->via), &client.via)) {
		fprintf(stderr, "fedway: --via is ADDR:PORT, not '%s'\n", options->via);
		return EXIT_USAGE;
	}
	if (!workload_ask(&client, &failed, &err))
		return cli_fail(&err);
	return failed > 0 ? EXIT_FOUND : EXIT_DONE;
}
