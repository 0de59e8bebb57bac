"""All environments together have a limit too: what exceeds it dies, and nothing beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lambdad.domain.environments import ResourceLimits
from lambdad.sandbox.cgroups import Cgroup, CgroupTree, Hierarchies

pytestmark = pytest.mark.root

MIB = 1024 * 1024
LIMITS = ResourceLimits(memory_mb=1_024, vcpus=None, ephemeral_storage_mb=512)
# Moves into the groups whose descriptors it has, says so, and takes what it is told to.
PROGRAM = """
import os, sys
for fd in map(int, sys.argv[2:]):
    os.write(fd, b"0")
kept = b"x" * (int(sys.argv[1]) << 20)
print("kept", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def tree() -> Iterator[CgroupTree]:
    tree = CgroupTree(Hierarchies.of_this_process(), f"wall-{os.getpid()}")
    tree.open()
    if not tree.has("memory"):
        pytest.skip("no memory controller")
    yield tree
    tree.close()


def running(group: Cgroup, mib: int) -> subprocess.Popen[bytes]:
    fds = group.open_procs()
    try:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(mib), *map(str, fds)],
            pass_fds=fds,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    finally:
        for fd in fds:
            os.close(fd)


def test_an_environment_within_its_own_limit_dies_at_the_common_one(tree: CgroupTree) -> None:
    tree.limit_memory(200 * MIB)
    groups = [tree.group(name) for name in ("modest", "greedy")]
    for group in groups:
        group.create(LIMITS)
    modest = running(groups[0], 30)
    greedy = None
    try:
        assert modest.stdout is not None
        assert modest.stdout.readline() == b"kept\n"
        greedy = running(groups[1], 400)
        assert greedy.wait(60) == -signal.SIGKILL
        assert groups[1].oom_kills() == 1
        assert (modest.poll(), groups[0].oom_kills()) == (None, 0)
    finally:
        for process in (modest, greedy):
            if process is not None:
                process.kill()
                process.communicate()
        assert all(group.remove() for group in groups)
