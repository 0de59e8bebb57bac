"""What the kernel says of memory, in the files of both cgroup versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lambdad.sandbox.host_memory import HostMemory

GIB = 1024**3
MEMINFO = "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n"


def host(root: Path, cgroup: str, files: Mapping[str, str], meminfo: str = MEMINFO) -> HostMemory:
    for name, text in {"proc/meminfo": meminfo, "proc/self/cgroup": cgroup, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return HostMemory(root)


def test_without_limits_it_is_the_hosts_less_a_tenth(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/memory/a"
    files = {f"{group}/memory.limit_in_bytes": "9223372036854771712\n"}
    memory = host(tmp_path, "4:memory:/a\n0::/\n", files)
    assert (memory.total, memory.reserve, memory.available()) == (
        16 * GIB,
        16 * GIB // 10,
        8 * GIB,
    )


@pytest.mark.parametrize(
    ("top", "line", "limit", "usage"),
    [
        ("sys/fs/cgroup", "0::/s/lambdad", "memory.max", "memory.current"),
        (
            "sys/fs/cgroup/memory",
            "4:memory:/s/lambdad",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
        ),
    ],
)
def test_the_narrowest_group_above_the_daemon_counts(
    tmp_path: Path, top: str, line: str, limit: str, usage: str
) -> None:
    files = {
        f"{top}/s/lambdad/{limit}": "max\n",
        f"{top}/s/{limit}": f"{2 * GIB}\n",
        f"{top}/s/{usage}": f"{GIB}\n",
        f"{top}/s/memory.stat": f"active_file 5\ninactive_file {GIB // 4}\n",
    }
    memory = host(tmp_path, line + "\n", files)
    assert (memory.total, memory.available()) == (2 * GIB, GIB + GIB // 4)


def test_in_a_container_its_own_group_is_the_top(tmp_path: Path) -> None:
    memory = host(tmp_path, "0::/docker/abc\n", {"sys/fs/cgroup/memory.max": str(GIB)})
    assert memory.total == GIB


def test_on_a_small_host_two_thirds_are_for_environments(tmp_path: Path) -> None:
    memory = host(tmp_path, "", {}, "MemTotal: 524288 kB\nMemAvailable: 300000 kB\n")
    assert memory.reserve == memory.total // 3


def test_this_host_has_memory() -> None:
    memory = HostMemory()
    assert 0 < memory.reserve < memory.total
    assert memory.available() > 0
