/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"

/* migrations[n] leads from layout n to n + 1. */
static const char *const migrations[API_STORE_VERSION] = {
	"CREATE TABLE revision ("
	" id INTEGER PRIMARY KEY,"
	" cluster TEXT NOT NULL,"
	" resource TEXT NOT NULL,"
	" namespace TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" created INTEGER NOT NULL,"
	" deleted INTEGER NOT NULL,"
	" prev INTEGER NOT NULL,"
	" time INTEGER NOT NULL,"
	" value BLOB NOT NULL"
	") STRICT;"
	"CREATE UNIQUE INDEX revision_prev ON revision"
	" (cluster, resource, namespace, name, prev, CASE WHEN prev = 0 THEN id ELSE 0 END);"
	"CREATE TABLE compaction (id INTEGER PRIMARY KEY CHECK (id = 0), rev INTEGER NOT NULL) "
	"STRICT;"
	"INSERT INTO compaction VALUES (0, 0);",
};

struct api_store {
	sqlite3 *db;
	sqlite3_stmt *insert;
	char *path;
};

void api_row_fini(struct api_row *row)
{
	free(row->cluster);
	free(row->resource);
	free(row->namespace_);
	free(row->name);
	free((char *)(uintptr_t)row->value.ptr);
	*row = (struct api_row){0};
}

static bool fail(struct api_store *store, const char *what, struct err *err)
{
	return err_set(err, ERR_IO, "%s: %s: %s", store->path, what, sqlite3_errmsg(store->db));
}

static bool execute(struct api_store *store, const char *sql, struct err *err)
{
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	return fail(store, "cannot execute", err);
}

static bool read_number(struct api_store *store, const char *sql, uint64_t *ret_number,
                        struct err *err)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return fail(store, "cannot read", err);
	bool ok = sqlite3_step(statement) == SQLITE_ROW;
	if (ok)
		*ret_number = (uint64_t)sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return ok || fail(store, "cannot read", err);
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool back_up(struct api_store *store, uint64_t version, struct err *err)
{
	char *sql = sqlite3_mprintf("VACUUM INTO '%q.v%llu'", store->path, (long long)version);
	bool ok = execute(store, sql, err) || err_wrap(err, "backup before migration");
	sqlite3_free(sql);
	return ok;
}

static bool migrate(struct api_store *store, struct err *err)
{
	uint64_t version;
	if (!read_number(store, "PRAGMA user_version", &version, err))
		return false;
	if (version > API_STORE_VERSION)
		return err_set(
			err, ERR_INVALID,
			"%s has layout %llu, made by a newer version; this one knows up to %d: "
			"start the newer version, or another data directory",
			store->path, (unsigned long long)version, API_STORE_VERSION);
	if (version > 0 && version < API_STORE_VERSION && !back_up(store, version, err))
		return false;
	for (; version < API_STORE_VERSION; version++) {
		char *sql = sqlite3_mprintf("BEGIN; %s PRAGMA user_version = %llu; COMMIT;",
		                            migrations[version], (long long)version + 1);
		bool ok = execute(store, sql, err);
		sqlite3_free(sql);
		if (!ok)
			return err_wrap(err, "migration from layout %llu",
			                (unsigned long long)version);
	}
	return true;
}

static bool prepare(struct api_store *store, struct err *err)
{
	static const char sql[] = "INSERT INTO revision VALUES (?,?,?,?,?,?,?,?,?,?)";
	if (!execute(store,
	             "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
	             "PRAGMA synchronous = FULL;",
	             err) ||
	    !migrate(store, err))
		return false;
	if (sqlite3_prepare_v2(store->db, sql, -1, &store->insert, NULL) != SQLITE_OK)
		return fail(store, "cannot prepare", err);
	return true;
}

struct api_store *api_store_open(const char *path, struct err *err)
{
	struct api_store *store = xcalloc(1, sizeof(*store));
	store->path = xstrdup(path);
	if (sqlite3_open_v2(path, &store->db,
	                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	                    NULL) != SQLITE_OK)
		IGNORE(fail(store, "cannot open", err)); /* told below */
	else if (prepare(store, err))
		return store;
	api_store_close(store);
	return NULL;
}

void api_store_close(struct api_store *store)
{
	if (store == NULL)
		return;
	sqlite3_finalize(store->insert);
	sqlite3_close(store->db);
	free(store->path);
	free(store);
}

/* --- reading ---------------------------------------------------------------------------------- */

static char *text_column(sqlite3_stmt *statement, int column)
{
	/* NOT NULL by the layout, and memory does not run out. */
	return (char *)(uintptr_t)sqlite3_column_text(statement, column);
}

static bool load_row(sqlite3_stmt *statement, api_row_cb cb, void *arg, struct err *err)
{
	struct api_row row = {
		.rev = (uint64_t)sqlite3_column_int64(statement, 0),
		.cluster = text_column(statement, 1),
		.resource = text_column(statement, 2),
		.namespace_ = text_column(statement, 3),
		.name = text_column(statement, 4),
		.create_rev = (uint64_t)sqlite3_column_int64(statement, 5),
		.deleted = sqlite3_column_int(statement, 6) != 0,
		.prev_rev = (uint64_t)sqlite3_column_int64(statement, 7),
		.time_s = sqlite3_column_int64(statement, 8),
	};
	row.value = str_make(sqlite3_column_blob(statement, 9),
	                     (size_t)sqlite3_column_bytes(statement, 9));
	return cb(&row, arg, err);
}

bool api_store_load(struct api_store *store, api_row_cb cb, void *arg, struct err *err)
{
	sqlite3_stmt *statement;
	static const char sql[] = "SELECT * FROM revision ORDER BY id";
	if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return fail(store, "cannot read", err);
	bool ok = true;
	int result = sqlite3_step(statement);
	while (ok && result == SQLITE_ROW) {
		ok = load_row(statement, cb, arg, err);
		if (ok)
			result = sqlite3_step(statement);
	}
	if (ok && result != SQLITE_DONE)
		ok = fail(store, "cannot read", err);
	sqlite3_finalize(statement);
	return ok;
}

bool api_store_compacted(struct api_store *store, uint64_t *ret_rev, struct err *err)
{
	return read_number(store, "SELECT rev FROM compaction", ret_rev, err);
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool insert(struct api_store *store, const struct api_row *row, struct err *err)
{
	sqlite3_stmt *s = store->insert;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)row->rev);
	sqlite3_bind_text(s, 2, row->cluster, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, row->resource, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, row->namespace_, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 5, row->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 6, (sqlite3_int64)row->create_rev);
	sqlite3_bind_int(s, 7, row->deleted);
	sqlite3_bind_int64(s, 8, (sqlite3_int64)row->prev_rev);
	sqlite3_bind_int64(s, 9, row->time_s);
	sqlite3_bind_blob64(s, 10, row->value.ptr, row->value.len, SQLITE_STATIC);
	bool ok = sqlite3_step(s) == SQLITE_DONE || fail(store, "cannot write", err);
	sqlite3_reset(s);
	return ok;
}

static void roll_back(struct api_store *store)
{
	struct err err;
	if (sqlite3_get_autocommit(store->db) == 0)
		IGNORE(execute(store, "ROLLBACK", &err)); /* the first error is the one to tell */
}

bool api_store_write(struct api_store *store, const struct api_row *rows, size_t n, struct err *err)
{
	bool ok = execute(store, "BEGIN IMMEDIATE", err);
	for (size_t i = 0; ok && i < n; i++)
		ok = insert(store, &rows[i], err);
	ok = ok && execute(store, "COMMIT", err);
	if (!ok)
		roll_back(store);
	return ok;
}

bool api_store_compact(struct api_store *store, uint64_t rev, struct err *err)
{
	char *sql = sqlite3_mprintf("BEGIN IMMEDIATE;"
	                            "DELETE FROM revision WHERE id IN"
	                            " (SELECT prev FROM revision WHERE id <= %llu AND prev > 0);"
	                            "DELETE FROM revision WHERE deleted = 1 AND id <= %llu;"
	                            "UPDATE compaction SET rev = %llu;"
	                            "COMMIT;",
	                            (long long)rev, (long long)rev, (long long)rev);
	bool ok = execute(store, sql, err);
	sqlite3_free(sql);
	if (!ok)
		roll_back(store);
	return ok;
}
