"""A launcher outlives sandboxes that come to nothing, and those who asked for them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import pytest

from lambdad.sandbox import seccomp, small_init
from lambdad.sandbox.confinement import Request
from lambdad.sandbox.launcher import FAILED, MESSAGE_BYTES
from lambdad.sandbox.launcher_process import LauncherProcess
from lambdad.sandbox.steps import FirstProcess, Steps

pytestmark = pytest.mark.root

# It is given a device in place of a control group, and of a network namespace.
IMPOSSIBLE: Request = {
    "uid": 2_690_000,
    "processes": 16,
    "descriptors": 64,
    "cgroups": 1,
    "tmpfs_mb": 0,
    "root": False,
    "targets": [],
}


async def ask(launcher: LauncherProcess) -> socket.socket:
    """Ask for what cannot be; returns where that is said."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    device = os.open("/dev/null", os.O_RDWR)
    try:
        await launcher.request(IMPOSSIBLE, [theirs.fileno(), device, device])
    finally:
        theirs.close()
        os.close(device)
    ours.setblocking(False)
    return ours


async def test_a_launcher_outlives_who_asked_for_what_cannot_be() -> None:
    launcher = LauncherProcess(2_690_000, 16, seccomp.filter_program)
    await launcher.start()
    pid = launcher.pid
    assert pid is not None
    try:
        # It answers when nobody listens any more.
        os.kill(pid, signal.SIGSTOP)
        (await ask(launcher)).close()
        os.kill(pid, signal.SIGCONT)
        with await ask(launcher) as listening:
            said = await asyncio.get_running_loop().sock_recv(listening, MESSAGE_BYTES)
        assert said.startswith(FAILED)
        assert b"cannot enter a network namespace" in said
        assert launcher.pid == pid
    finally:
        await launcher.close()


def test_a_process_that_ends_between_its_steps_has_not_succeeded() -> None:
    program = small_init.program()
    assert program is not None
    steps = Steps()
    steps.add("go on", "exit_group", 0)
    steps.add("end", "close", -1)
    with pytest.raises(InterruptedError, match="cannot go on: it was killed"):
        FirstProcess(program).begin(steps)
    os.close(program)
