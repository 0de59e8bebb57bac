"""System calls, capabilities and PID 1: what only the host's root, or init, may do."""

# Paths are the guest's.
# ruff: noqa: S108

from __future__ import annotations

import os
import socket

import pytest

from lambdad.sandbox.syscall_numbers import syscall_numbers
from lambdad.testing.firing_range import Origin, Range

NEW = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000, "time": 0x80}
NUMBERS = syscall_numbers(os.uname().machine)
# Arguments matter little: the filter answers before the kernel looks at them.
CALLS = {
    "ptrace": (0, 0, 0, 0),
    "process_vm_readv": (1, 0, 0, 0, 0, 0),
    "pidfd_getfd": (0, 0, 0),
    "mount": ("none", "/tmp", "tmpfs", 0, 0),
    "umount2": ("/proc", 2),
    "pivot_root": ("/tmp", "/tmp"),
    "chroot": ("/tmp",),
    "open_tree": (-100, "/", 1),
    "move_mount": (0, "", -100, "/tmp", 4),
    "fsopen": ("tmpfs", 0),
    "open_by_handle_at": (0, 0, 0),
    "name_to_handle_at": (-100, "/", 0, 0, 0),
    "setns": (0, 0),
    "sethostname": ("evil", 4),
    "bpf": (0, 0, 0),
    "perf_event_open": (0, 0, -1, -1, 0),
    "userfaultfd": (0,),
    "io_uring_setup": (8, 0),
    "io_setup": (60_000, 0),
    "add_key": ("user", "x", "y", 1, -3),
    "keyctl": (0, -3, 0),
    "request_key": ("user", "x", 0, -3),
    "init_module": (0, 0, ""),
    "finit_module": (0, "", 0),
    "delete_module": ("loop", 0),
    "kexec_load": (0, 0, 0, 0),
    "reboot": (0, 0, 0, 0),
    "acct": ("/tmp/x",),
    "syslog": (3, 0, 0),
    "settimeofday": (0, 0),
    "clock_settime": (0, 0),
    "adjtimex": (0,),
    "swapon": ("/tmp/x", 0),
    "fanotify_init": (0, 0),
    "quotactl": (0, "", 0, 0),
    **{f"unshare {name}": (flag,) for name, flag in NEW.items()},
}


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_forbidden_system_calls_are_refused(target: Range) -> None:
    calls = {name: (NUMBERS[name.split()[0]], how) for name, how in CALLS.items()}
    found = target.result("calls.many", calls=calls)
    assert found == dict.fromkeys(CALLS, "EPERM")


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_namespaces_cannot_be_had_by_clone_either(target: Range) -> None:
    for flag in (*list(NEW.values())[:-1], 0x04000000, 0x08000000, 0x02000000):
        assert target.result("calls.clone", flags=flag | 17) == "EPERM", hex(flag)
    # SIGCHLD alone is a plain fork.
    assert target.result("calls.clone", flags=17) == "ok"
    assert target.result("calls.clone3", number=435, flags=NEW["user"]) == "ENOSYS"


@pytest.mark.parametrize("target", Origin, indirect=True)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the other entries are of x86")
def test_other_entries_to_the_kernel_are_closed(target: Range) -> None:
    x32 = 0x40000000
    for name in ("ptrace", "mount", "bpf"):
        assert target.result("calls.one", number=NUMBERS[name] | x32) == "ENOSYS"
    answer = target.attack("calls.old_entry")
    assert answer.payload["errorMessage"].endswith("signal: bad system call")


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_sockets_beside_the_internet_and_unix_are_refused(target: Range) -> None:
    kinds = {
        "packet": (17, 3, 3),
        "raw": (2, 3, 1),
        "raw IPv6": (10, 3, 58),
        "ping": (2, 2, 1),
        "alg": (38, 5, 0),
        "vsock": (40, 1, 0),
        "bluetooth": (31, 3, 1),
        "can": (29, 3, 1),
        "sctp": (2, 1, 132),
        "netfilter": (16, 3, 12),
        "audit": (16, 3, 9),
        "kernel events": (16, 3, 15),
        "diagnosis": (16, 3, 4),
    }
    found = target.result("calls.sockets", kinds=kinds)
    refused = {"EAFNOSUPPORT", "EPROTONOSUPPORT", "EPERM", "EACCES"}
    assert set(found.values()) <= refused, found
    assert target.result("calls.sockets", kinds={"tcp": (socket.AF_INET, 1, 0)}) == {"tcp": "ok"}


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_no_capability_is_left(target: Range) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in target.result("files.text", path="/proc/self/status").splitlines()
        if ":\t" in line
    )
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Groups"].strip() in ("", status["Gid"].split()[0])
    assert 0 not in map(int, status["Uid"].split())


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_limits_and_priorities_cannot_be_raised(target: Range) -> None:
    limits = target.result("calls.raise_limits")
    assert {"RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE", "RLIMIT_RTPRIO"} <= set(limits)
    assert set(limits.values()) <= {"ValueError", "EPERM"}
    assert set(target.result("calls.priorities").values()) <= {"EPERM", "EACCES"}


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_pid_one_cannot_be_looked_into(target: Range) -> None:
    assert set(target.result("calls.look_into_one").values()) <= {"EACCES", "EPERM"}
    assert target.result("calls.steal_descriptors") == ["EPERM"]


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_pid_one_cannot_be_stopped_starved_or_limited(target: Range) -> None:
    assert target.result("calls.strike_one") in ("R", "S")
    assert set(target.result("calls.starve_one").values()) == {"EPERM"}
    assert target.result("hogs.signal_storm", seconds=0.5) > 100
    assert target.result("calls.strike_one") in ("R", "S")


def assert_only_its_own(found: dict[str, str]) -> None:
    """Look at the descriptors of a runtime process, by number."""
    assert found.pop("0") == "/dev/null"
    assert {found.pop(name).split(":")[0] for name in ("1", "2", "3")} == {"pipe"}
    own = ("socket:", "anon_inode:[event", "anon_inode:[io_uring]", "pipe:", "/dev/null")
    assert all(where.startswith(own) for where in found.values()), found
    # One connection to the Runtime API; no Unix socket of the launcher or of PID 1.
    assert sum(where.startswith("socket:") for where in found.values()) <= 1


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_runtime_process_has_no_descriptor_but_its_own(target: Range) -> None:
    found = target.result("files.descriptors")
    # Byte code of the function is handed over, where that is compiled ahead: to be read only.
    packs = {number for number, where in found.items() if where.endswith(".made")}
    assert not packs or target.origin is not Origin.MADE
    for number in packs:
        path = f"/proc/self/fd/{number}"
        assert target.result("files.write", paths=[path]) == {path: "EACCES"}
        call = {"write": (NUMBERS["write"], (int(number), "x", 1))}
        assert target.result("calls.many", calls=call) == {"write": "EBADF"}
    assert_only_its_own({number: where for number, where in found.items() if number not in packs})


@pytest.mark.parametrize("target", [Origin.MADE, Origin.ASSIGNED], indirect=True)
def test_process_of_node_has_no_descriptor_but_its_own(target: Range) -> None:
    source = (
        "const fs = require('fs');\nexports.handler = async () => { const found = {};\n"
        "for (const n of fs.readdirSync('/proc/self/fd')) {\n"
        "try { found[n] = fs.readlinkSync('/proc/self/fd/' + n) } catch (e) {} }\n"
        "return found }\n"
    )
    files = {"index.js": source}
    name = target.deploy("node", files, Runtime="nodejs20.x", Handler="index.handler")
    assert_only_its_own(target.user.invoke(name).payload)


@pytest.mark.parametrize("target", [Origin.MADE, Origin.ASSIGNED], indirect=True)
def test_bootstrap_is_started_with_three_descriptors(target: Range) -> None:
    script = (
        "#!/bin/sh\nlisting=$(ls /proc/self/fd | tr '\\n' ' ')\n"
        "exec /usr/bin/python3 - \"$listing\" <<'X'\n"
        "import os, sys, urllib.request\n"
        "api = os.environ['AWS_LAMBDA_RUNTIME_API']\nbase = f'http://{api}/2018-06-01/runtime/invocation/'\n"
        "answer = urllib.request.urlopen(base + 'next')\n"
        "path = base + answer.headers['Lambda-Runtime-Aws-Request-Id'] + '/response'\n"
        "urllib.request.urlopen(path, ('\"%s\"' % sys.argv[1]).encode()).read()\n"
        "urllib.request.urlopen(base + 'next')\nX\n"
    )
    name = target.deploy(
        "bootstrap", {"bootstrap": script}, executable=("bootstrap",), Runtime="provided.al2023"
    )
    # `ls` itself adds the directory that it reads, and the shell its script and pipe.
    assert set(target.user.invoke(name).payload.split()) <= {"0", "1", "2", "3", "10", "11"}


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_no_socket_of_the_daemon_is_visible(target: Range) -> None:
    assert target.result("files.unix_sockets") == []
