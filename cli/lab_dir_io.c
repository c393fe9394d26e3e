/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"
#include "lab_programs.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	OPEN_MAX_ = 16 /* folders that nftw() holds open */
};

static bool is_ours(const char *name)
{
	return strcmp(name, "supervisor.pid") == 0 || strcmp(name, LAB_EXTERNAL_FILE) == 0 ||
	       lab_host_find(name) != NULL;
}

/* "" when everything there is a lab's. */
static void find_foreign(DIR *open_dir, char ret_name[256])
{
	ret_name[0] = '\0';
	for (struct dirent *entry = readdir(open_dir); entry != NULL; entry = readdir(open_dir)) {
		if (entry->d_name[0] == '.' || is_ours(entry->d_name))
			continue;
		snprintf(ret_name, 256, "%s", entry->d_name);
		return;
	}
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static bool remove_all(const char *dir, const char *name, struct err *err)
{
	char path[LAB_PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (nftw(path, remove_one, OPEN_MAX_, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
		return true;
	return err_set_errno(err, errno, "cannot remove '%s' of an earlier lab", path);
}

bool lab_dir_clear(const char *dir, struct err *err)
{
	char foreign[256];
	DIR *open_dir = opendir(dir);
	if (open_dir == NULL)
		return errno == ENOENT || err_set_errno(err, errno, "cannot read '%s'", dir);
	find_foreign(open_dir, foreign);
	closedir(open_dir);
	if (foreign[0] != '\0')
		return err_set(err, ERR_INVALID,
		               "'%s' holds '%s', which is not a lab's; give --dir a folder of its "
		               "own",
		               dir, foreign);
	bool ok = remove_all(dir, "supervisor.pid", err) && remove_all(dir, LAB_EXTERNAL_FILE, err);
	for (const struct lab_host *host = lab_hosts; ok && host->name != NULL; host++)
		ok = remove_all(dir, host->name, err);
	return ok;
}
