/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-load: load in small blocks over several proxies in turn, each block in a new random order,
 * so that all of them meet the same state of the machine within a block. One line of KEY=VALUE
 * words a measurement. Options are in the table below; bench/run is the caller.
 *
 *   conn   connections: hello, reply, [second flight, reply,] close     cpu_us_per_conn
 *   down   few connections with a long reply                            cpu_s_per_gib
 *   up     few connections that send much behind the hello              cpu_s_per_gib
 *   idle   connections that stay open                                   bytes_per_conn
 */
#include "load.h"
#include "sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TARGETS_MAX 16
/* A measurement counts as disturbed when other work took more of the CPUs than this, percent. */
#define FOREIGN_MAX 25

struct target {
	char name[32];
	struct addr to;
	char *group; /* NULL: no proxy, direct */
};

struct options {
	const char *mode, *sni, *upstream_group;
	long conns, at_once, take, reply, blocks, full, tls, partial, deadline, again;
	struct target targets[TARGETS_MAX];
	size_t n_targets;
};

static void parse_target(struct options *o, const char *text)
{
	struct target *t = &o->targets[o->n_targets];
	char addr[64], group[256];

	if (o->n_targets == TARGETS_MAX ||
	    sscanf(text, "%31[^,],%63[^,],%255s", t->name, addr, group) != 3)
		usage_error("--target needs NAME,IP:PORT,CGROUP|-", text);
	t->to = addr_parse(addr);
	t->group = strcmp(group, "-") == 0 ? NULL : strdup(group);
	o->n_targets++;
}

static void parse_options(struct options *o, int argc, char **argv)
{
	const struct {
		const char *name;
		long *number;
		const char **text;
	} table[] = {
		{"--conns", &o->conns, NULL},       /* connections a measurement */
		{"--at-once", &o->at_once, NULL},   /* open at the same time */
		{"--take", &o->take, NULL},         /* bytes that each sends behind its hello */
		{"--reply", &o->reply, NULL},       /* bytes of the reply of each */
		{"--blocks", &o->blocks, NULL},     /* each runs every target once */
		{"--full", &o->full, NULL},         /* 1: four flights instead of two */
		{"--tls", &o->tls, NULL},           /* 1: a real TLS 1.3 handshake */
		{"--partial", &o->partial, NULL},   /* only so many bytes of the hello */
		{"--again", &o->again, NULL},       /* so many repetitions, of disturbed ones */
		{"--deadline", &o->deadline, NULL}, /* seconds a measurement may take */
		{"--sni", NULL, &o->sni},           {"--upstream-group", NULL, &o->upstream_group},
	};

	for (int i = 2; i < argc; i += 2) {
		size_t k = 0;

		if (i + 1 == argc)
			usage_error("value missing", argv[i]);
		if (strcmp(argv[i], "--target") == 0) {
			parse_target(o, argv[i + 1]);
			continue;
		}
		while (k < sizeof(table) / sizeof(table[0]) && strcmp(argv[i], table[k].name) != 0)
			k++;
		if (k == sizeof(table) / sizeof(table[0]))
			usage_error("unknown option", argv[i]);
		if (table[k].number != NULL)
			*table[k].number = number(argv[i], argv[i + 1]);
		else
			*table[k].text = argv[i + 1];
	}
	if (o->n_targets == 0 || o->conns == 0 || o->at_once == 0)
		usage_error("needs", "--target, --conns, --at-once");
}

static SSL_CTX *client_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* What a client of the mesh offers: without it a strict gateway refuses. */
	SSL_CTX_set_alpn_protos(ctx, (const uint8_t *)"\5istio\2h2", 9);
	return ctx;
}

static void print_line(const struct options *o, const struct target *t, const struct load *load,
                       double cpu_us)
{
	const double gib = (double)load->bytes / (1 << 30);

	printf(" peer=%s ok=%" PRIu64 " failed=%" PRIu64, t->name, load->ok, load->failed);
	if (strcmp(o->mode, "conn") != 0)
		printf(" cpu_s_per_gib=%.4f\n", gib > 0 ? cpu_us / 1e6 / gib : 0);
	else
		printf(" cpu_us_per_conn=%.3f\n", load->ok > 0 ? cpu_us / (double)load->ok : 0);
	fflush(stdout);
}

/* One measurement; when other work has disturbed it, it waits a little and tries again. */
static void measure(struct options *o, const struct target *t, struct load *load, long block)
{
	struct sample a, b;
	double foreign;

	load->to = t->to;
	for (int try = 0;; try++) {
		load->ok = load->failed = load->bytes = 0;
		sample_take(&a, t->group, o->upstream_group);
		load_run(load, NULL);
		/* Lets the proxy close what is left, so that it is counted. */
		usleep(8000);
		sample_take(&b, t->group, o->upstream_group);
		foreign = sample_foreign(&a, &b);
		if (foreign <= FOREIGN_MAX || try == 2 || o->again == 0)
			break;
		o->again--;
		usleep(250000);
	}
	printf("block=%ld foreign_pct=%.1f", block, foreign);
	print_line(o, t, load, (double)(b.proxy_ns - a.proxy_ns) / 1e3);
}

static void run_blocks(struct options *o, struct load *load)
{
	for (long block = 0; block < o->blocks; block++) {
		size_t order[TARGETS_MAX];

		for (size_t i = 0; i < o->n_targets; i++)
			order[i] = i;
		for (size_t i = o->n_targets - 1; i > 0; i--) {
			const size_t j = (size_t)random() % (i + 1), was = order[i];

			order[i] = order[j];
			order[j] = was;
		}
		for (size_t i = 0; i < o->n_targets; i++)
			measure(o, &o->targets[order[i]], load, block);
	}
}

static void run_idle(const struct options *o, struct load *load)
{
	const struct target *t = &o->targets[0];
	struct load_conn *keep = calloc((size_t)load->total, sizeof(*keep));
	struct memory before, after;

	if (keep == NULL || t->group == NULL)
		usage_error("idle", "needs a target with a control group");
	load->to = t->to;
	before = sample_memory(t->group);
	load_run(load, keep);
	usleep(500000);
	after = sample_memory(t->group);
	printf("peer=%s kept=%" PRIu64 " failed=%" PRIu64 " bytes_per_conn=%.0f\n", t->name,
	       load->ok, load->failed,
	       load->ok > 0 ? ((double)after.resident - (double)before.resident) / (double)load->ok
	                    : 0);
	load_release(load, keep);
	free(keep);
}

int main(int argc, char **argv)
{
	struct options o = {.sni = HELLO_NAME, .reply = 2500, .blocks = 1, .deadline = 30};
	struct load load;

	if (argc < 2)
		usage_error("usage", "bench-load conn|down|up|idle OPTIONS");
	o.mode = argv[1];
	parse_options(&o, argc, argv);
	process_setup();
	srandom((unsigned)now_ns());
	load = (struct load){
		.sni = o.sni,
		.command = {.take = (uint64_t)o.take,
	                    .reply = (uint64_t)o.reply,
	                    .again = o.full != 0},
		.tls = o.tls != 0,
		.partial = (size_t)o.partial,
		.total = o.conns,
		.at_once = o.at_once,
		.deadline_ns = (uint64_t)o.deadline * 1000000000u,
		.poll_fd = epoll_create1(EPOLL_CLOEXEC),
		.ctx = o.tls != 0 ? client_ctx() : NULL,
	};
	if (load.partial >= HELLO_HEAD + strlen(o.sni))
		usage_error("--partial", "must be less than a hello");
	if (strcmp(o.mode, "idle") == 0)
		run_idle(&o, &load);
	else if (strcmp(o.mode, "conn") == 0 || strcmp(o.mode, "down") == 0 ||
	         strcmp(o.mode, "up") == 0)
		run_blocks(&o, &load);
	else
		usage_error("unknown mode", o.mode);
	for (size_t i = 0; i < o.n_targets; i++)
		free(o.targets[i].group);
	SSL_CTX_free(load.ctx);
	close(load.poll_fd);
	return 0;
}
