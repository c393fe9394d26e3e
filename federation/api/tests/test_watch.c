/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

/* What a watch has said, one line an event. */
struct stream {
	struct buf text;
	bool ended;
	bool full; /* takes nothing more */
	struct api_watcher *watcher;
};

static bool on_send(struct str data, void *arg)
{
	struct stream *stream = arg;
	if (stream->full)
		stream->watcher = NULL;
	return !stream->full && buf_add_str(&stream->text, data);
}

static void on_end(void *arg)
{
	struct stream *stream = arg;
	stream->ended = true;
	stream->watcher = NULL;
}

static void open_as(struct api_core *core, const char *path, const char *accept,
                    struct stream *stream)
{
	struct api_reply reply;
	struct ask ask = {.method = API_GET, .path = path, .accept = accept};
	*stream = (struct stream){.ended = false};
	buf_init(&stream->text, 1 << 20);
	ask_reply(core, &ask, &reply);
	if (reply.status != 200)
		fail_msg("%s: %s", path, buf_text(&reply.body));
	buf_add_str(&stream->text, buf_str(&reply.body));
	stream->watcher = reply.watcher;
	reply.watcher = NULL;
	api_reply_fini(&reply);
	struct api_watch_sink sink = {.send = on_send, .end = on_end, .arg = stream};
	api_watcher_start(stream->watcher, &sink);
}

static void open_stream(struct api_core *core, const char *path, struct stream *stream)
{
	open_as(core, path, NULL, stream);
}

static void close_stream(struct stream *stream)
{
	api_watcher_destroy(stream->watcher);
	buf_fini(&stream->text);
}

/* "ADDED a@5 MODIFIED a@6": type, name, revision less base of each event; empties the stream. */
static void assert_events(struct stream *stream, uint64_t base, const char *want)
{
	char have[512] = "";
	struct str rest = buf_str(&stream->text);
	struct str line;
	while (rest.len > 0 && str_split(&rest, '\n', &line)) {
		json_t *event = json_loadb(line.ptr, line.len, 0, NULL);
		const json_t *meta = json_at(event, "object.metadata");
		uint64_t rev = strtoull(json_str_at(meta, "resourceVersion", "0"), NULL, 10);
		size_t len = strlen(have);
		snprintf(have + len, sizeof(have) - len, "%s%s %s@%llu", len > 0 ? " " : "",
		         json_str_at(event, "type", "?"), json_str_at(meta, "name", "-"),
		         (unsigned long long)(rev - base));
		json_decref(event);
	}
	assert_string_equal(have, want);
	buf_clear(&stream->text);
}

static void make(struct api_core *core, const char *name, const char *label)
{
	char body[256];
	snprintf(body, sizeof(body),
	         "{'kind':'Widget','metadata':{'name':'%s','labels':{'t':'%s'}},'spec':{'size':1}}",
	         name, label);
	ask_only(core, API_POST, WIDGETS, body, 201);
}

static void a_watch_tells_what_follows_its_revision(void **state)
{
	(void)state;
	struct api_core core;
	struct stream stream;
	char path[128];
	core_start_with_widgets(&core);
	make(&core, "a", "1");
	uint64_t base = core.head;
	snprintf(path, sizeof(path), WIDGETS "?watch=1&resourceVersion=%llu",
	         (unsigned long long)base);
	ask_only(&core, API_PATCH, WIDGETS "/a", "{'spec':{'size':2}}", 200);
	ask_only(&core, API_POST, CONFIGS, "{'metadata':{'name':'x'}}", 201);
	open_stream(&core, path, &stream);
	assert_events(&stream, base, "MODIFIED a@1");
	make(&core, "b", "1");
	ask_only(&core, API_DELETE, WIDGETS "/a", NULL, 200);
	assert_events(&stream, base, "ADDED b@3 DELETED a@4");
	close_stream(&stream);
	api_core_fini(&core);
}

static void selectors_turn_leaving_into_deleted(void **state)
{
	(void)state;
	struct api_core core;
	struct stream stream;
	core_start_with_widgets(&core);
	make(&core, "a", "1");
	uint64_t base = core.head;
	open_stream(&core, WIDGETS "?watch=true&labelSelector=t%3D2", &stream);
	assert_events(&stream, base, "");
	ask_only(&core, API_PATCH, WIDGETS "/a", "{'metadata':{'labels':{'t':'2'}}}", 200);
	ask_only(&core, API_PATCH, WIDGETS "/a", "{'spec':{'size':2}}", 200);
	assert_events(&stream, base, "ADDED a@1 MODIFIED a@2");
	ask_only(&core, API_PATCH, WIDGETS "/a", "{'metadata':{'labels':{'t':'3'}}}", 200);
	assert_non_null(strstr(buf_text(&stream.text), "\"t\":\"2\""));
	assert_events(&stream, base, "DELETED a@3");
	ask_only(&core, API_DELETE, WIDGETS "/a", NULL, 200);
	assert_events(&stream, base, "");
	close_stream(&stream);
	api_core_fini(&core);
}

static void initial_events_end_with_a_bookmark(void **state)
{
	(void)state;
	struct api_core core;
	struct stream stream;
	core_start_with_widgets(&core);
	make(&core, "a", "1");
	make(&core, "b", "1");
	uint64_t base = core.head - 2;
	open_stream(&core,
	            WIDGETS "?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&"
	                    "resourceVersionMatch=NotOlderThan",
	            &stream);
	assert_non_null(strstr(buf_text(&stream.text), "\"k8s.io/initial-events-end\":\"true\""));
	assert_events(&stream, base, "ADDED a@1 ADDED b@2 BOOKMARK -@2");
	make(&core, "c", "1");
	assert_events(&stream, base, "ADDED c@3");
	close_stream(&stream);
	open_stream(&core,
	            WIDGETS "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
	            &stream);
	assert_events(&stream, base, "ADDED a@1 ADDED b@2 ADDED c@3");
	close_stream(&stream);
	open_stream(&core, WIDGETS "?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Db",
	            &stream);
	assert_events(&stream, base, "ADDED b@2");
	close_stream(&stream);
	api_core_fini(&core);
}

static void bookmarks_and_timeouts_come_with_the_clock(void **state)
{
	(void)state;
	struct api_core core;
	struct stream stream;
	core_start_with_widgets(&core);
	open_stream(&core, WIDGETS "?watch=1&allowWatchBookmarks=true&timeoutSeconds=6", &stream);
	make(&core, "a", "1");
	uint64_t base = core.head;
	assert_events(&stream, base, "ADDED a@0");
	ask_only(&core, API_POST, CONFIGS, "{'metadata':{'name':'x'}}", 201);
	api_hub_tick(&core.hub, core.now_ms + 3900);
	assert_events(&stream, base, "");
	api_hub_tick(&core.hub, core.now_ms + 4000);
	assert_non_null(strstr(buf_text(&stream.text), "\"kind\":\"Widget\""));
	assert_events(&stream, base, "BOOKMARK -@1");
	api_hub_tick(&core.hub, core.now_ms + 6000);
	assert_true(stream.ended);
	close_stream(&stream);
	api_core_fini(&core);
}

static void a_revision_out_of_history_is_expired(void **state)
{
	(void)state;
	struct api_core core;
	struct stream stream;
	core_start_with_widgets(&core);
	for (int i = 0; i < 3000; i++) {
		char body[64];
		snprintf(body, sizeof(body), "{'spec':{'size':%d}}", i + 1);
		if (i == 0)
			make(&core, "a", "1");
		else
			ask_only(&core, API_PATCH, WIDGETS "/a", body, 200);
	}
	assert_int_equal(api_hub_compact(&core.hub, core.now_s), 0);
	uint64_t forgotten = api_hub_compact(&core.hub, core.now_s + API_HISTORY_AGE_S + 1);
	assert_int_equal(forgotten, core.head - API_HISTORY_EVENTS_MIN);
	open_stream(&core, WIDGETS "?watch=1&resourceVersion=5", &stream);
	assert_true(stream.ended);
	json_t *event = json_loads(buf_text(&stream.text), 0, NULL);
	assert_at(event, "type", "'ERROR'");
	assert_at(event, "object.code", "410");
	assert_at(event, "object.reason", "'Expired'");
	json_decref(event);
	close_stream(&stream);
	api_core_fini(&core);
}

static void a_slow_reader_is_dropped(void **state)
{
	(void)state;
	struct api_core core;
	struct stream slow;
	struct stream quick;
	core_start_with_widgets(&core);
	open_stream(&core, WIDGETS "?watch=1", &slow);
	open_stream(&core, WIDGETS "?watch=1", &quick);
	slow.full = true;
	make(&core, "a", "1");
	assert_null(slow.watcher);
	make(&core, "b", "1");
	assert_events(&quick, core.head - 2, "ADDED a@1 ADDED b@2");
	close_stream(&slow);
	close_stream(&quick);
	api_core_fini(&core);
}

static void a_table_has_its_columns_once(void **state)
{
	(void)state;
	struct api_core core;
	struct stream stream;
	core_start_with_widgets(&core);
	make(&core, "a", "1");
	open_as(&core, WIDGETS "?watch=1&resourceVersion=0",
	        "application/json;as=Table;v=v1;g=meta.k8s.io", &stream);
	make(&core, "b", "1");
	struct str rest = buf_str(&stream.text);
	struct str line;
	assert_true(str_split(&rest, '\n', &line));
	json_t *first = json_loadb(line.ptr, line.len, 0, NULL);
	assert_true(str_split(&rest, '\n', &line));
	json_t *second = json_loadb(line.ptr, line.len, 0, NULL);
	assert_int_equal(json_array_size(json_at(first, "object.columnDefinitions")), 2);
	assert_at(second, "object.columnDefinitions", "null");
	assert_int_equal(json_array_size(json_at(second, "object.rows")), 1);
	json_decref(first);
	json_decref(second);
	close_stream(&stream);
	api_core_fini(&core);
}

static void watches_end_with_their_definition(void **state)
{
	(void)state;
	struct api_core core;
	struct stream stream;
	core_start_with_widgets(&core);
	make(&core, "a", "1");
	open_stream(&core, WIDGETS "?watch=1", &stream);
	buf_clear(&stream.text);
	ask_only(&core, API_DELETE, CRDS "/widgets.example.com", NULL, 200);
	api_lifecycle_step(&core);
	assert_non_null(strstr(buf_text(&stream.text), "\"type\":\"DELETED\""));
	assert_true(stream.ended);
	close_stream(&stream);
	struct api_reply reply;
	ask_reply(&core, &(struct ask){.method = API_GET, .path = WIDGETS}, &reply);
	assert_int_equal(reply.status, 404);
	api_reply_fini(&reply);
	api_core_fini(&core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watch_tells_what_follows_its_revision),
		cmocka_unit_test(selectors_turn_leaving_into_deleted),
		cmocka_unit_test(initial_events_end_with_a_bookmark),
		cmocka_unit_test(bookmarks_and_timeouts_come_with_the_clock),
		cmocka_unit_test(a_revision_out_of_history_is_expired),
		cmocka_unit_test(a_slow_reader_is_dropped),
		cmocka_unit_test(a_table_has_its_columns_once),
		cmocka_unit_test(watches_end_with_their_definition),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
