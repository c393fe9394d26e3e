/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "control/sandbox.h"
#include "control/sandbox_io.h"

#if defined(__x86_64__)
#define ARCH  AUDIT_ARCH_X86_64
#define OTHER AUDIT_ARCH_I386
#else
#define ARCH  AUDIT_ARCH_AARCH64
#define OTHER AUDIT_ARCH_ARM
#endif

enum {
	PID = 4711,
	DENIED = SECCOMP_RET_ERRNO | EPERM
};

/* The kernel's interpreter, for the few instructions that the filter has. */
static uint32_t run(const struct sock_filter *code, size_t n, const struct seccomp_data *data)
{
	uint32_t a = 0;
	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *one = &code[pc];
		switch (one->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(one->k + sizeof(a) <= sizeof(*data));
			memcpy(&a, (const char *)data + one->k, sizeof(a));
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == one->k ? one->jt : one->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += (a & one->k) != 0 ? one->jt : one->jf;
			break;
		case BPF_RET | BPF_K:
			return one->k;
		default:
			fail_msg("instruction %zu is unknown", pc);
		}
	}
	fail_msg("the filter has no end");
	return 0;
}

static void lets_through_what_a_gateway_needs_and_nothing_else(void **state)
{
	static const struct {
		int call;
		uint64_t args[3];
		uint32_t want;
	} cases[] = {
		{SYS_epoll_pwait, {0}, SECCOMP_RET_ALLOW},
		{SYS_splice, {0}, SECCOMP_RET_ALLOW},
		{SYS_bind, {0}, SECCOMP_RET_ALLOW},
		{SYS_getrandom, {0}, SECCOMP_RET_ALLOW},
		{SYS_execve, {0}, DENIED},
		{SYS_execveat, {0}, DENIED},
		{SYS_ptrace, {0}, DENIED},
		{SYS_process_vm_readv, {0}, DENIED},
		{SYS_unshare, {0}, DENIED},
		{SYS_mount, {0}, DENIED},
		{SYS_bpf, {0}, DENIED},
		{SYS_io_uring_setup, {0}, DENIED},
		{SYS_keyctl, {0}, DENIED},
		{SYS_setuid, {0}, DENIED},
		{SYS_prctl, {0}, DENIED},
		{SYS_kill, {PID}, DENIED},
		{SYS_clone, {CLONE_VM | CLONE_THREAD}, SECCOMP_RET_ALLOW},
		{SYS_clone, {CLONE_VM}, DENIED},
		{SYS_clone3, {0}, SECCOMP_RET_ERRNO | ENOSYS},
		{SYS_socket, {AF_INET, SOCK_STREAM}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_INET6}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_UNIX}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_PACKET}, DENIED},
		{SYS_socket, {AF_ALG}, DENIED},
		{SYS_socket, {AF_NETLINK}, DENIED},
		{SYS_mmap, {0, 1, PROT_READ | PROT_WRITE}, SECCOMP_RET_ALLOW},
		{SYS_mmap, {0, 1, PROT_READ | PROT_EXEC}, DENIED},
		{SYS_mprotect, {0, 1, PROT_NONE}, SECCOMP_RET_ALLOW},
		{SYS_mprotect, {0, 1, PROT_READ | PROT_EXEC}, DENIED},
		{SYS_tgkill, {PID, PID, 6}, SECCOMP_RET_ALLOW},
		{SYS_tgkill, {1, 1, 9}, DENIED},
		/* of the x32 ABI */
		{SYS_read | 0x40000000, {0}, DENIED},
	};
	struct sock_filter filter[SANDBOX_FILTER_MAX];
	size_t n = sandbox_filter(PID, filter);
	(void)state;
	assert_in_range(n, 1, SANDBOX_FILTER_MAX);
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct seccomp_data data = {.nr = cases[i].call, .arch = ARCH};
		memcpy(data.args, cases[i].args, sizeof(cases[i].args));
		if (run(filter, n, &data) != cases[i].want)
			fail_msg("case %zu, call %d", i, cases[i].call);
	}
}

static void calls_of_another_processor_end_it(void **state)
{
	struct sock_filter filter[SANDBOX_FILTER_MAX];
	const struct seccomp_data data = {.nr = SYS_read, .arch = OTHER};
	(void)state;
	size_t n = sandbox_filter(PID, filter);
	assert_int_equal(run(filter, n, &data), SECCOMP_RET_KILL_PROCESS);
}

/* In a process of its own, as there is no way back. */
static int enter_and_try(void)
{
	struct err err;
	/* a sanitized build has no sandbox */
	if (!sandbox_enter(&err))
		return err.code == ERR_UNAVAILABLE ? 0 : 5;
	if (socket(AF_NETLINK, SOCK_RAW, 0) >= 0 || errno != EPERM)
		return 1;
	if (fork() >= 0 || errno != EPERM)
		return 2;
	if (execl("/bin/true", "true", NULL) >= 0 || errno != EPERM)
		return 3;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	return fd >= 0 && close(fd) == 0 ? 0 : 4;
}

static void the_kernel_refuses_what_is_not_listed(void **state)
{
	int status = 0;
	(void)state;
	sandbox_begin();
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(enter_and_try());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lets_through_what_a_gateway_needs_and_nothing_else),
		cmocka_unit_test(calls_of_another_processor_end_it),
		cmocka_unit_test(the_kernel_refuses_what_is_not_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
