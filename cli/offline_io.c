/* SPDX-License-Identifier: Apache-2.0 */
#include "offline.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/yaml.h"

enum {
	FILES_MAX = 20000,
	DEPTH_MAX = 8
};

struct walk {
	struct offline *offline;
	char *cluster; /* NULL at the top */
	size_t n_files;
	int depth;
};

static bool is_manifest(const char *name)
{
	struct str s = str_from(name);
	return name[0] != '.' &&
	       (str_ends_with(s, STR_LIT(".yaml")) || str_ends_with(s, STR_LIT(".yml")) ||
	        str_ends_with(s, STR_LIT(".json")));
}

static bool add_file(struct walk *walk, const char *path, struct err *err)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, JSON_TEXT_MAX);
	if (++walk->n_files > FILES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d files; name a smaller folder",
		               FILES_MAX);
	if (!file_load(path, &text, err))
		return false;
	json_t *docs CLEANUP(json_cleanup) = yaml_parse_all(buf_str(&text), path, err);
	if (docs == NULL)
		return false;
	for (size_t i = 0; i < json_array_size(docs); i++) {
		if (!offline_add(walk->offline, walk->cluster, json_array_get(docs, i), err))
			return err_wrap(err, "%s", path);
	}
	return true;
}

static bool walk_dir(struct walk *walk, const char *dir, struct err *err);

/* A folder at the top is a member. */
static bool walk_down(struct walk *walk, const char *path, const char *name, struct err *err)
{
	bool top = walk->cluster == NULL;
	if (walk->depth >= DEPTH_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s: folders more than %d deep", path,
		               DEPTH_MAX);
	if (top)
		walk->cluster = xstrdup(name);
	walk->depth++;
	bool ok = walk_dir(walk, path, err);
	walk->depth--;
	if (top) {
		free(walk->cluster);
		walk->cluster = NULL;
	}
	return ok;
}

static bool walk_entry(struct walk *walk, const char *dir, const char *name, struct err *err)
{
	struct stat st;
	char *path CLEANUP(free_ptr) = xasprintf("%s/%s", dir, name);
	if (stat(path, &st) != 0)
		return err_set_errno(err, errno, "cannot read '%s'", path);
	if (S_ISDIR(st.st_mode))
		return walk_down(walk, path, name, err);
	return !S_ISREG(st.st_mode) || !is_manifest(name) || add_file(walk, path, err);
}

static bool walk_dir(struct walk *walk, const char *dir, struct err *err)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort);
	bool ok = true;
	if (n < 0)
		return err_set_errno(err, errno, "cannot read folder '%s'", dir);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		if (ok && name[0] != '.')
			ok = walk_entry(walk, dir, name, err);
		free(entries[i]);
	}
	free(entries);
	return ok;
}

bool offline_load(struct offline *offline, const char *dir, struct err *err)
{
	struct walk walk = {.offline = offline};
	if (!walk_dir(&walk, dir, err))
		return false;
	return walk.n_files > 0 || err_set(err, ERR_NOT_FOUND,
	                                   "no *.yaml, *.yml or *.json in '%s'; hosted objects "
	                                   "belong at its top, a member's below %s/CLUSTER/",
	                                   dir, dir);
}
