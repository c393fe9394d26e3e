/* SPDX-License-Identifier: Apache-2.0 */
#include "control/copy.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"

#define MAGIC "fedway-gateway-copy "
#define NAME  "last-good.json"

enum {
	HEX_LEN = 2 * SHA256_DIGEST_LENGTH
};

static void hash(struct str body, char hex[HEX_LEN + 1])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)body.ptr, body.len, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

char *ew_copy_format(const json_t *tree)
{
	char hex[HEX_LEN + 1];
	char *body = json_format_sorted(tree);
	hash(str_from(body), hex);
	char *text = xasprintf(MAGIC "%d %s\n%s", EW_COPY_FORMAT, hex, body);
	free(body);
	return text;
}

json_t *ew_copy_parse(struct str text, struct err *err)
{
	struct str rest = text;
	struct str head;
	struct str format;
	uint64_t number;
	char hex[HEX_LEN + 1];
	IGNORE(str_split(&rest, '\n', &head)); /* text is not NULL */
	if (!str_starts_with(head, STR_LIT(MAGIC))) {
		IGNORE(err_set(err, ERR_INVALID, "is not a copy of a gateway's configuration"));
		return NULL;
	}
	head.ptr += sizeof(MAGIC) - 1;
	head.len -= sizeof(MAGIC) - 1;
	IGNORE(str_split(&head, ' ', &format)); /* head holds the checksum now */
	if (!str_to_u64(format, UINT32_MAX, &number) || number != EW_COPY_FORMAT) {
		IGNORE(err_set(err, ERR_INVALID, "has format '%.*s', not %d", STR_ARG(format),
		               EW_COPY_FORMAT));
		return NULL;
	}
	hash(rest, hex);
	if (!str_is(head, hex)) {
		IGNORE(err_set(err, ERR_INVALID, "is damaged: the checksum differs"));
		return NULL;
	}
	return json_parse(rest, err);
}

bool ew_copy_save(const char *dir, const json_t *tree, struct err *err)
{
	char *path = xasprintf("%s/" NAME, dir);
	char *text = ew_copy_format(tree);
	bool ok = file_make_dirs(dir, err) && file_save(path, str_from(text), 0600, err);
	free(text);
	free(path);
	return ok;
}

json_t *ew_copy_load(const char *dir, struct err *err)
{
	struct buf text CLEANUP(buf_fini);
	char *path CLEANUP(free_ptr) = xasprintf("%s/" NAME, dir);
	buf_init(&text, JSON_TEXT_MAX);
	if (!file_load(path, &text, err))
		return NULL;
	json_t *tree = ew_copy_parse(buf_str(&text), err);
	if (tree == NULL)
		IGNORE(err_wrap(err, "%s", path));
	return tree;
}

void ew_copy_remove(const char *dir)
{
	char *path CLEANUP(free_ptr) = xasprintf("%s/" NAME, dir);
	unlink(path);
}
