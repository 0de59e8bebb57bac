"""Which system calls a function may make: a seccomp filter, assembled here.

An allow-list. What a program without privileges needs is allowed; what it must not have answers
EPERM; what nobody here has heard of answers ENOSYS, so that newer C libraries fall back to an
older call. How the filter gets into a process is not known here: the product is the array of
`struct sock_filter` that both `prctl(PR_SET_SECCOMP)` and bubblewrap's `--seccomp` take.

The filter needs `no_new_privs` (or CAP_SYS_ADMIN) to be installed, and costs six to ten
comparisons a call: numbers are searched, not listed.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.syscall_numbers import MACHINES, syscall_numbers

# Everything harmless without capabilities. `mknod` makes FIFOs, `setuid` and the like succeed
# only where they change nothing.
_ALLOWED = """
read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction
rt_sigprocmask rt_sigreturn pread64 pwrite64 readv writev access pipe select sched_yield mremap
msync mincore madvise shmget shmat shmctl dup dup2 pause nanosleep getitimer alarm setitimer getpid
sendfile connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname
getpeername setsockopt getsockopt fork vfork execve exit wait4 kill uname semget semop semctl shmdt
msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate ftruncate getdents getcwd chdir
fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown fchown lchown umask
gettimeofday getrlimit getrusage sysinfo times getuid getgid setuid setgid geteuid getegid setpgid
getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid setresgid
getresgid getpgid setfsuid setfsgid getsid capget capset rt_sigpending rt_sigtimedwait
rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod statfs fstatfs getpriority setpriority
sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max
sched_get_priority_min sched_rr_get_interval mlock munlock mlockall munlockall prctl arch_prctl
setrlimit sync gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr
llistxattr flistxattr removexattr lremovexattr fremovexattr tkill time futex sched_setaffinity
sched_getaffinity epoll_create
remap_file_pages getdents64 set_tid_address restart_syscall semtimedop fadvise64 timer_create
timer_settime timer_gettime timer_getoverrun timer_delete clock_gettime clock_getres
clock_nanosleep exit_group epoll_wait epoll_ctl tgkill utimes mq_open mq_unlink mq_timedsend
mq_timedreceive mq_notify mq_getsetattr waitid ioprio_set ioprio_get inotify_init
inotify_add_watch inotify_rm_watch openat mkdirat mknodat fchownat futimesat newfstatat unlinkat
renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll set_robust_list
get_robust_list splice tee sync_file_range vmsplice utimensat epoll_pwait signalfd timerfd_create
eventfd fallocate timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2 epoll_create1 dup3
pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo recvmmsg prlimit64 syncfs sendmmsg getcpu
sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create execveat membarrier mlock2
copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx rseq
pidfd_send_signal pidfd_open close_range openat2 faccessat2 epoll_pwait2 landlock_create_ruleset
landlock_add_rule landlock_restrict_self memfd_secret process_mrelease futex_waitv cachestat
fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue mseal setxattrat getxattrat
listxattrat removexattrat
"""

# Known and forbidden. They answer EPERM, which programs expect of a call they lack the right to.
_FORBIDDEN = {
    "other processes": "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd",
    "mounts and files by handle": (
        "mount umount2 pivot_root chroot open_tree open_tree_attr move_mount fsopen fsconfig"
        " fsmount fspick mount_setattr swapon swapoff quotactl quotactl_fd fanotify_init"
        " fanotify_mark name_to_handle_at open_by_handle_at"
    ),
    "namespaces": "unshare setns sethostname setdomainname",
    "large kernel attack surface": (
        "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register"
        " modify_ldt lookup_dcookie"
    ),
    "what the host has one supply of (fs.aio-max-nr)": (
        "io_setup io_destroy io_getevents io_submit io_cancel io_pgetevents"
    ),
    "keyrings, which no namespace divides": "add_key request_key keyctl",
    "the running kernel": (
        "init_module finit_module delete_module kexec_load kexec_file_load reboot acct syslog"
        " vhangup iopl ioperm settimeofday clock_settime adjtimex clock_adjtime move_pages"
        " migrate_pages"
    ),
}

# linux/audit.h
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# linux/sched.h: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. (NEWTIME is not among
# the flags of clone: its bit belongs to the exit signal there.)
_CLONE_NAMESPACES = 0x7E02_0000
# sys/personality.h: Linux, Linux on 32 bit, both with the 2.6 version string, "tell me".
_PERSONALITIES = (0, 8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF)
# Putting characters into a terminal that somebody else reads.
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_NETLINK_ROUTE = 0
# IP, ICMP, TCP, UDP, ICMPv6, MPTCP (tried first by Go's listeners). Others make the kernel load
# modules (SCTP, DCCP, TIPC ...) on behalf of whoever asks.
_INTERNET_PROTOCOLS = (0, 1, 6, 17, 58, 262)

# Calls on a process named by their first argument.
_BY_PID = (
    "prlimit64",
    "sched_setscheduler",
    "sched_setparam",
    "sched_setattr",
    "sched_setaffinity",
)
_PID_ONE = 1
# sys/resource.h, linux/ioprio.h: the second argument is a process, not a group or a user.
_PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 0, 1

# linux/seccomp.h
_KILL_PROCESS, _ERRNO, _ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000

# linux/bpf_common.h: load word, jump if equal / greater-or-equal / any bit set, jump, return
_LD, _JEQ, _JGE, _JSET, _JA, _RET = 0x20, 0x15, 0x35, 0x45, 0x05, 0x06
# struct seccomp_data: nr, arch, instruction pointer, six 64-bit arguments. Both machines are
# little-endian, so the low word comes first; the arguments tested here are ints to the kernel.
_NUMBER, _ARCH, _ARGS = 0, 4, 16


@dataclass(frozen=True, slots=True)
class _Instruction:
    code: int
    k: int
    jt: int = 0
    jf: int = 0


_Block = Sequence[_Instruction]


def filter_program(machine: str | None = None) -> bytes:
    """Assemble the filter.

    Args:
        machine: as `os.uname().machine` says it; this host's by default.

    Returns:
        Instructions of 8 bytes each, fewer than the kernel's limit of 4,096.

    Raises:
        HostUnfit: no table of system calls exists for the machine.
    """
    name = machine or os.uname().machine
    if name not in MACHINES:
        raise HostUnfit(
            f"There is no system call filter for {name} processors.",
            f"Run lambdad on one of: {', '.join(MACHINES)}.",
        )
    return _assembled(name)


def forbidden_calls() -> frozenset[str]:
    """Names of the calls that always answer EPERM."""
    return frozenset(call for calls in _FORBIDDEN.values() for call in calls.split())


@cache
def _assembled(machine: str) -> bytes:
    program = [
        _Instruction(_LD, _ARCH),
        _Instruction(_JEQ, _AUDIT_ARCH[machine], jt=1),
        _return(_KILL_PROCESS),
        _Instruction(_LD, _NUMBER),
        *_search(_segments(_answers(machine))),
    ]
    return b"".join(struct.pack("=HBBI", step.code, step.jt, step.jf, step.k) for step in program)


def _answers(machine: str) -> dict[int, _Block]:
    """Map each known number to the block that answers it."""
    numbers = syscall_numbers(machine)
    blocks: dict[str, _Block] = dict.fromkeys(_ALLOWED.split(), (_return(_ALLOW),))
    blocks |= dict.fromkeys(forbidden_calls(), (_fail(errno.EPERM),))
    # Its flags lie behind a pointer, out of a filter's sight: the C library must use clone.
    blocks["clone3"] = (_fail(errno.ENOSYS),)
    blocks["clone"] = _clone_block()
    blocks["personality"] = (_load(0), *_one_of(_PERSONALITIES, errno.EPERM))
    blocks["ioctl"] = (_load(1), *_none_of((_TIOCSTI, _TIOCLINUX), errno.EPERM))
    blocks["socket"] = blocks["socketpair"] = _socket_block()
    # SECURITY: PID 1 has the function's user, which may otherwise starve it of processor time,
    # memory or descriptors, so that it cannot end the function's processes.
    for name in _BY_PID:
        blocks[name] = (_load(0), *_none_of((_PID_ONE,), errno.EPERM))
    blocks["setpriority"] = _priority_block(_PRIO_PROCESS)
    blocks["ioprio_set"] = _priority_block(_IOPRIO_WHO_PROCESS)
    return {numbers[name]: block for name, block in blocks.items() if name in numbers}


def _segments(answers: dict[int, _Block]) -> list[tuple[int, _Block]]:
    """Return (first number, block) of each run of numbers with one answer, from 0 up.

    The last run is unknown and endless. On x86_64 it holds the x32 calls, a second table from
    2**30 up, whose copies of the forbidden calls would otherwise need rules of their own.
    """
    unknown: _Block = (_fail(errno.ENOSYS),)
    segments: list[tuple[int, _Block]] = []
    for number in range(max(answers) + 2):
        block = answers.get(number, unknown)
        if not segments or segments[-1][1] != block:
            segments.append((number, block))
    return segments


def _search(segments: Sequence[tuple[int, _Block]]) -> list[_Instruction]:
    """Lay a binary search over segments; the accumulator holds the number."""
    if len(segments) == 1:
        return list(segments[0][1])
    middle = len(segments) // 2
    below, above = _search(segments[:middle]), _search(segments[middle:])
    first = segments[middle][0]
    if len(below) < 0x100:
        return [_Instruction(_JGE, first, jt=len(below)), *below, *above]
    # A conditional jump reaches 255 instructions far.
    far = _Instruction(_JA, len(below))
    return [_Instruction(_JGE, first, jf=1), far, *below, *above]


def _clone_block() -> _Block:
    return (
        _load(0),
        _Instruction(_JSET, _CLONE_NAMESPACES, jf=1),
        _fail(errno.EPERM),
        _return(_ALLOW),
    )


def _priority_block(process: int) -> _Block:
    """Priorities of single processes but PID 1; a group or user may include it."""
    return (
        _load(0),
        _Instruction(_JEQ, process, jt=1),
        _fail(errno.EPERM),
        _load(1),
        *_none_of((_PID_ONE,), errno.EPERM),
    )


def _socket_block() -> _Block:
    """Internet and Unix sockets, and the kernel's routing information."""
    internet = (_load(2), *_one_of(_INTERNET_PROTOCOLS, errno.EPROTONOSUPPORT))
    netlink = (_load(2), *_one_of((_NETLINK_ROUTE,), errno.EPROTONOSUPPORT))
    return (
        _load(0),
        _Instruction(_JEQ, socket.AF_UNIX, jf=1),
        _return(_ALLOW),
        _Instruction(_JEQ, socket.AF_NETLINK, jf=len(netlink)),
        *netlink,
        _Instruction(_JEQ, socket.AF_INET, jt=2),
        _Instruction(_JEQ, socket.AF_INET6, jt=1),
        _fail(errno.EAFNOSUPPORT),
        *internet,
    )


def _one_of(values: Sequence[int], otherwise: int) -> Iterable[_Instruction]:
    """Allow if the accumulator is among the values, else fail with the errno."""
    for position, value in enumerate(values):
        yield _Instruction(_JEQ, value, jt=len(values) - position)
    yield _fail(otherwise)
    yield _return(_ALLOW)


def _none_of(values: Sequence[int], otherwise: int) -> Iterable[_Instruction]:
    """Fail with the errno if the accumulator is among the values, else allow."""
    for position, value in enumerate(values):
        yield _Instruction(_JEQ, value, jt=len(values) - position)
    yield _return(_ALLOW)
    yield _fail(otherwise)


def _load(argument: int) -> _Instruction:
    return _Instruction(_LD, _ARGS + 8 * argument)


def _fail(number: int) -> _Instruction:
    return _return(_ERRNO | number)


def _return(action: int) -> _Instruction:
    return _Instruction(_RET, action)
