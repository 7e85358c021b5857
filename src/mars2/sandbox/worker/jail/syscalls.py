"""System call tables: which calls a jailed interpreter needs, and their numbers on each architecture."""

from __future__ import annotations

from typing import NamedTuple


class Architecture(NamedTuple):
    """Numbers of one architecture, and the names a jail may use."""

    audit: int  # AUDIT_ARCH_…, what the kernel reports
    number: dict[str, int]
    allowed: frozenset[str]  # by zygote and candidate
    zygote_only: frozenset[str]  # of these, what a candidate may not use


# name, x86-64, aarch64 (-1: that architecture has no such call)
_ALLOWED = """
read 0 63|write 1 64|open 2 -1|close 3 57|stat 4 -1|fstat 5 80|lstat 6 -1|poll 7 -1|lseek 8 62
mprotect 10 226|munmap 11 215|brk 12 214|rt_sigaction 13 134|rt_sigprocmask 14 135|rt_sigreturn 15 139
pread64 17 67|pwrite64 18 68|readv 19 65|writev 20 66|access 21 -1|pipe 22 -1|select 23 -1|sched_yield 24 124
mremap 25 216|msync 26 227|madvise 28 233|dup 32 23|dup2 33 -1|pause 34 -1|nanosleep 35 101|getitimer 36 102
alarm 37 -1|setitimer 38 103|getpid 39 172|sendfile 40 71|sendto 44 206|recvfrom 45 207|sendmsg 46 211
recvmsg 47 212|shutdown 48 210|getsockname 51 204|getpeername 52 205
clone 56 220|exit 60 93|wait4 61 260|kill 62 129|uname 63 160|fsync 74 82
fdatasync 75 83|truncate 76 45|ftruncate 77 46|getdents 78 -1|getcwd 79 17|chdir 80 49|fchdir 81 50
rename 82 -1|mkdir 83 -1|rmdir 84 -1|creat 85 -1|unlink 87 -1|readlink 89 -1
umask 95 166|gettimeofday 96 169|getrlimit 97 163|getrusage 98 165|sysinfo 99 179|times 100 153|getuid 102 174
getgid 104 176|geteuid 107 175|getegid 108 177|getppid 110 173|getpgrp 111 -1|setpgid 109 154|getgroups 115 158
getresuid 118 148|getresgid 120 150|getpgid 121 155|getsid 124 156|rt_sigpending 127 136|rt_sigtimedwait 128 137
rt_sigsuspend 130 133|sigaltstack 131 132|statfs 137 43|fstatfs 138 44|getpriority 140 141|sched_getparam 143 121
sched_getscheduler 145 120|sched_get_priority_max 146 125|sched_get_priority_min 147 126|prctl 157 167
setrlimit 160 164|gettid 186 178|time 201 -1|futex 202 98|sched_getaffinity 204 123|epoll_create 213 -1
getdents64 217 61|set_tid_address 218 96|restart_syscall 219 128|fadvise64 221 223|clock_gettime 228 113
clock_getres 229 114|clock_nanosleep 230 115|exit_group 231 94|epoll_wait 232 -1|epoll_ctl 233 21|tgkill 234 131
waitid 247 95|openat 257 56|mkdirat 258 34|newfstatat 262 79|unlinkat 263 35|renameat 264 38
readlinkat 267 78|faccessat 269 48|pselect6 270 72|ppoll 271 73|set_robust_list 273 99
utimensat 280 88|epoll_pwait 281 22|eventfd 284 -1|fallocate 285 47|eventfd2 290 19|epoll_create1 291 20
dup3 292 24|pipe2 293 59|preadv 295 69|pwritev 296 70|prlimit64 302 261|getcpu 309 168|renameat2 316 276
seccomp 317 277|getrandom 318 278|copy_file_range 326 285|statx 332 291|rseq 334 293
close_range 436 436|faccessat2 439 439|epoll_pwait2 441 441|landlock_restrict_self 446 446
"""
_CONDITIONAL = """
ioctl 16 29|fcntl 72 25|socketpair 53 199|clone3 435 435|mmap 9 222|getsockopt 55 209
"""  # allowed or refused by their arguments
_ZYGOTE_ONLY = frozenset({"setpgid", "seccomp", "landlock_restrict_self", "setrlimit", "sendmsg", "utimensat"})


def _table(column: int, audit: int) -> Architecture:
    def numbers(text: str) -> dict[str, int]:
        entries = [entry.split() for entry in text.replace("\n", "|").split("|") if entry]
        return {entry[0]: int(entry[column]) for entry in entries if int(entry[column]) >= 0}

    allowed = numbers(_ALLOWED)
    return Architecture(audit, {**allowed, **numbers(_CONDITIONAL)}, frozenset(allowed), _ZYGOTE_ONLY)


ARCHITECTURES = {"x86_64": _table(1, 0xC000003E), "aarch64": _table(2, 0xC00000B7)}
