/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_members.h"
#include "lab_programs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "kube/kubeconfig.h"

static bool keep_copy(const char *dir, const char *host, const char *path, struct err *err)
{
	struct kubeconfig config CLEANUP(kubeconfig_fini) = {0};
	char *folder CLEANUP(free_ptr) = xasprintf("%s/%s", dir, host);
	char *copy CLEANUP(free_ptr) = xasprintf("%s/kubeconfig", folder);
	if (!kubeconfig_load(path, NULL, &config, err))
		return false;
	char *text CLEANUP(free_ptr) = kubeconfig_format(&config);
	return file_make_dirs(folder, err) && file_save(copy, str_from(text), 0600, err);
}

static bool keep_all(const char *dir, const char *file, const json_t *members, struct err *err)
{
	const char *slash = strrchr(file, '/');
	char *folder CLEANUP(free_ptr) =
		slash != NULL ? xstrndup(file, (size_t)(slash - file)) : xstrdup(".");
	char *mark CLEANUP(free_ptr) = xasprintf("%s/%s", dir, LAB_EXTERNAL_FILE);
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		const char *path = json_str_at(members, host->name, NULL);
		if (path == NULL)
			continue;
		char *whole CLEANUP(free_ptr) =
			path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", folder, path);
		if (!keep_copy(dir, host->name, whole, err))
			return err_wrap(err, "%s: %s", file, host->name);
	}
	return file_save(mark, STR_LIT("API servers are somebody else's\n"), 0644, err);
}

bool lab_members_adopt(const char *dir, const char *file, struct err *err)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, LAB_MEMBERS_MAX);
	if (!file_load(file, &text, err))
		return false;
	json_t *members CLEANUP(json_cleanup) = lab_members_parse(buf_str(&text), file, err);
	return members != NULL && keep_all(dir, file, members, err);
}

bool lab_members_are_external(const char *dir)
{
	char *mark CLEANUP(free_ptr) = xasprintf("%s/%s", dir, LAB_EXTERNAL_FILE);
	return access(mark, F_OK) == 0;
}
