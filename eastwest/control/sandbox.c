/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/macros.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* --- always ----------------------------------------------------------------------------------- */

/* What the way of a byte needs comes first. Since Linux 5.11 the kernel knows for these which need
 * no run of the filter, so the length costs nothing. */
static const uint16_t allowed[] = {
	/* connections */
	SYS_epoll_pwait, SYS_epoll_ctl, SYS_recvfrom, SYS_sendto, SYS_splice, SYS_read, SYS_write,
	SYS_accept4, SYS_connect, SYS_close, SYS_setsockopt, SYS_getsockopt, SYS_shutdown,
	SYS_pipe2, SYS_readv, SYS_writev, SYS_recvmsg, SYS_sendmsg, SYS_recvmmsg, SYS_sendmmsg,
	SYS_getsockname, SYS_getpeername, SYS_ioctl, SYS_fcntl,
	/* other listeners, a successor */
	SYS_bind, SYS_listen, SYS_accept, SYS_umask, SYS_unlinkat,
	/* the file, the copies on disk, certificates, names */
	SYS_openat, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_faccessat, SYS_lseek, SYS_pread64,
	SYS_pwrite64, SYS_fsync, SYS_fdatasync, SYS_ftruncate, SYS_fchmod, SYS_fchmodat,
	SYS_mkdirat, SYS_renameat, SYS_renameat2, SYS_readlinkat, SYS_getdents64, SYS_uname,
	SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
	/* loops and threads */
	SYS_epoll_create1, SYS_eventfd2, SYS_timerfd_create, SYS_timerfd_settime, SYS_ppoll,
	SYS_pselect6, SYS_futex, SYS_set_robust_list, SYS_rseq, SYS_sched_yield,
	SYS_sched_getaffinity, SYS_sysinfo, SYS_gettid, SYS_getpid, SYS_exit, SYS_exit_group,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack,
	SYS_restart_syscall, SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep,
	SYS_gettimeofday,
	/* memory */
	SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_getrandom,
#ifdef SYS_open
	/* the older names of some, which only some processors have */
	SYS_epoll_wait, SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_mkdir, SYS_rename,
	SYS_unlink, SYS_readlink, SYS_chmod, SYS_poll, SYS_time
#endif
};

/* --- with these arguments --------------------------------------------------------------------- */

enum op {
	IS,
	HAS,
	LACKS
};

struct rule {
	uint16_t call;
	uint8_t arg;
	enum op op;
	uint32_t value;
};

#define PID_OF_US 0 /* in place of a value */

static const struct rule rules[] = {
	/* threads, no processes */
	{SYS_clone, 0, HAS, CLONE_THREAD},
	{SYS_socket, 0, IS, AF_INET},
	{SYS_socket, 0, IS, AF_INET6},
	{SYS_socket, 0, IS, AF_UNIX},
	/* no code that was not there at the start */
	{SYS_mmap, 2, LACKS, PROT_EXEC},
	{SYS_mprotect, 2, LACKS, PROT_EXEC},
	/* abort() */
	{SYS_tgkill, 0, IS, PID_OF_US},
};

/* --- filter ----------------------------------------------------------------------------------- */

struct program {
	struct sock_filter *code;
	size_t n;
};

static void add(struct program *program, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	program->code[program->n++] = (struct sock_filter){code, yes, no, k};
}

static void load(struct program *program, size_t offset)
{
	add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *program, uint32_t action)
{
	add(program, BPF_RET | BPF_K, action, 0, 0);
}

static void add_rule(struct program *program, const struct rule *rule, uint32_t pid)
{
	uint32_t value = rule->value != PID_OF_US ? rule->value : pid;
	uint16_t test = rule->op == IS ? BPF_JEQ : BPF_JSET;
	bool negated = rule->op == LACKS;
	add(program, BPF_JMP | BPF_JEQ | BPF_K, rule->call, 0, 4);
	/* the lower half: each of these is an int to the kernel, or has its bits there */
	load(program, offsetof(struct seccomp_data, args) + 8u * rule->arg);
	add(program, BPF_JMP | test | BPF_K, value, negated, !negated);
	answer(program, SECCOMP_RET_ALLOW);
	load(program, offsetof(struct seccomp_data, nr));
}

static void begin(struct program *program, uint32_t arch)
{
	load(program, offsetof(struct seccomp_data, arch));
	/* the calls of another processor have other numbers */
	add(program, BPF_JMP | BPF_JEQ | BPF_K, arch, 1, 0);
	answer(program, SECCOMP_RET_KILL_PROCESS);
	load(program, offsetof(struct seccomp_data, nr));
}

size_t sandbox_filter(uint32_t pid, struct sock_filter ret_filter[SANDBOX_FILTER_MAX])
{
	struct program program = {ret_filter, 0};
#ifndef ARCH
	return 0;
#else
	begin(&program, ARCH);
	for (size_t i = 0; i < N_ELEMS(allowed); i++) {
		add(&program, BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
		answer(&program, SECCOMP_RET_ALLOW);
	}
	for (size_t i = 0; i < N_ELEMS(rules); i++)
		add_rule(&program, &rules[i], pid);
	/* its flags cannot be looked at; glibc goes on with clone() then */
	add(&program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
	answer(&program, SECCOMP_RET_ERRNO | ENOSYS);
	answer(&program, SECCOMP_RET_ERRNO | EPERM);
	return program.n;
#endif
}
