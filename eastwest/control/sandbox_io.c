/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sandbox_io.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "control/sandbox.h"

enum {
	KEYS_SIZE = 256 << 10, /* a power of two; a key needs some hundred bytes */
	KEYS_SIZE_MIN = 32
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* --- keys ------------------------------------------------------------------------------------- */

static void *keys_alloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(size);
}

static void keys_free(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	if (ptr != NULL)
		explicit_bzero(ptr, malloc_usable_size(ptr));
	free(ptr);
}

static void *keys_realloc(void *ptr, size_t size, const char *file, int line)
{
	void *moved = malloc(size);
	if (moved == NULL)
		return NULL;
	if (ptr != NULL) {
		size_t have = malloc_usable_size(ptr);
		memcpy(moved, ptr, have < size ? have : size);
	}
	keys_free(ptr, file, line);
	return moved;
}

void sandbox_begin(void)
{
	IGNORE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0);
	if (CRYPTO_set_mem_functions(keys_alloc, keys_realloc, keys_free) != 1 ||
	    CRYPTO_secure_malloc_init(KEYS_SIZE, KEYS_SIZE_MIN) == 0)
		log_warn("eastwest", "private keys may be in core dumps");
}

/* --- filter ----------------------------------------------------------------------------------- */

bool sandbox_enter(struct err *err)
{
	struct sock_filter filter[SANDBOX_FILTER_MAX];
	struct sock_fprog program = {.filter = filter};
	/* whose runtime makes calls of its own, and looks for leaks with ptrace() */
	if (SANITIZED)
		return err_set(err, ERR_UNAVAILABLE, "this is a sanitized build");
	program.len = (uint16_t)sandbox_filter((uint32_t)getpid(), filter);
	if (program.len == 0)
		return err_set(err, ERR_UNAVAILABLE, "there is no list for this processor");
	/* SPEC_ALLOW: kernels before 5.16 would turn on mitigations against code of another owner
	 * in this process, which there is none, at a price for each call */
	const unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
	                       SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) != 0)
		return err_set_errno(err, errno, "the kernel takes no filter");
	return true;
}
