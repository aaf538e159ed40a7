/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/mem.h"
#include "tools/sandbox.h"

/* What a session calls, and glibc, OpenSSL, libevent and libnbd for it. */
static const int allowed[] = {
	/* bytes */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(pwrite64),
	SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg), SCMP_SYS(lseek), SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(close), SCMP_SYS(shutdown), SCMP_SYS(accept4), SCMP_SYS(fcntl),
	SCMP_SYS(fstat), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(eventfd2),
	/* waiting */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(futex),
	SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* threads, signals, the end */
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getrusage),
	SCMP_SYS(getrandom), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(tgkill), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group)
};

static int
allow_with(scmp_filter_ctx filter, int call, struct scmp_arg_cmp cmp)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &cmp);
}

/* Calls that are allowed for one thing only. */
static int
allow_some(scmp_filter_ctx filter)
{
	/* Threads, not processes.  clone3() hides what it asks for; without
	 * it glibc uses clone().
	 */
	if (allow_with(filter, SCMP_SYS(clone),
		       SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD,
				  CLONE_THREAD)) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3),
			     0) < 0)
		return -1;
	/* Memory that is not code. */
	if (allow_with(filter, SCMP_SYS(mmap),
		       SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0 ||
	    allow_with(filter, SCMP_SYS(mprotect),
		       SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0)
		return -1;
	/* fstat() of a newer glibc; of a path it finds nothing here. */
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat),
				0);
}

static int
sandbox_filter(struct err *e)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int ret = filter ? 0 : -ENOMEM;

	/* By default it ends one thread, and the others wait for that. */
	if (ret == 0)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
				       SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; ret == 0 && i < ARRAY_LEN(allowed); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (ret == 0)
		ret = allow_some(filter);
	if (ret == 0)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret == 0
		       ? 0
		       : err_set(e, ERR_SYSTEM, "seccomp: cannot be loaded: %s",
				 strerror(-ret));
}

static int
sandbox_drop(uid_t uid, gid_t gid, struct err *e)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	const struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_sys(e, "dropping capability %d", cap);
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return err_sys(e, "becoming user %u", uid);
	if (syscall(SYS_capset, &head, none) < 0)
		return err_sys(e, "dropping capabilities");
	if (setresuid(0, 0, 0) == 0)
		return err_set(e, ERR_SYSTEM, "still root");
	return 0;
}

int
sandbox_enter(uid_t uid, gid_t gid, const char *empty, struct err *e)
{
	const struct rlimit none = { .rlim_cur = 0 };

	/* Memory of the guest is not to land in a core file. */
	if (setrlimit(RLIMIT_CORE, &none) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "no core files");
	if (chroot(empty) < 0 || chdir("/") < 0)
		return err_sys(e, "%s", empty);
	if (sandbox_drop(uid, gid, e) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no new privileges");
	return sandbox_filter(e);
}
