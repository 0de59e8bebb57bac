"""Discovery, layout and formats of control groups, on directories that only look like them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.domain.environments import ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.cgroup_controllers import CpuV1, CpuV2, MemoryV1, MemoryV2
from lambdad.sandbox.cgroups import Cgroup, CgroupTree, Hierarchies
from lambdad.sandbox.footing import Footing
from lambdad.sandbox.native_sandbox import Holdings
from lambdad.sandbox.slots import Slot

LIMITS = ResourceLimits(memory_mb=128, vcpus=0.5, ephemeral_storage_mb=512, processes=64)
SPLIT = """\
31 23 0:28 / {root} rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / {root}/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / {root}/memory rw,relatime - cgroup cgroup rw,memory
37 31 0:34 / {root}/freezer rw,relatime - cgroup cgroup rw,freezer
39 31 0:36 / {root}/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / {root}/systemd rw,relatime - cgroup cgroup rw,name=systemd
"""
UNIFIED = "41 31 0:38 / {root}/unified rw,relatime - cgroup2 cgroup2 rw\n"
V2_ALONE = "30 24 0:26 / {root} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"


def files(directory: Path, **contents: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (directory / name.replace("__", ".")).write_text(content)


def test_v1_controllers_may_share_a_hierarchy(tmp_path: Path) -> None:
    found = Hierarchies.discover(SPLIT.format(root=tmp_path))
    assert found.v1["cpu"] == found.v1["cpuacct"] == tmp_path / "cpu,cpuacct"
    assert set(found.v1) == {"cpu", "cpuacct", "memory", "freezer", "pids"}
    assert found.v2 is None
    assert found.version == "cgroup v1"


def test_hybrid_host_has_both(tmp_path: Path) -> None:
    files(tmp_path / "unified", cgroup__controllers="hugetlb\n")
    found = Hierarchies.discover((SPLIT + UNIFIED).format(root=tmp_path))
    assert found.v1["memory"] == tmp_path / "memory"
    assert found.v2 == tmp_path / "unified"
    assert found.v2_controllers == {"hugetlb"}
    assert found.version == "cgroup v1 + v2"


def test_v2_host_has_one_tree(tmp_path: Path) -> None:
    files(tmp_path, cgroup__controllers="cpuset cpu io memory pids\n")
    found = Hierarchies.discover(V2_ALONE.format(root=tmp_path), "0::/\n")
    assert (found.v1, found.v2) == ({}, tmp_path)


def test_read_only_mounts_are_of_no_use(tmp_path: Path) -> None:
    text = V2_ALONE.format(root=tmp_path).replace(" rw,nosuid ", " ro,nosuid ")
    assert Hierarchies.discover(text).version == "none"


def test_mount_points_may_hold_spaces(tmp_path: Path) -> None:
    text = V2_ALONE.format(root=f"{tmp_path}/a\\040b")
    assert Hierarchies.discover(text).v2 == tmp_path / "a b"


def v2_tree(root: Path, available: str = "cpu memory pids") -> CgroupTree:
    files(root, cgroup__controllers=available, cgroup__subtree_control="")
    for group in (root / "lambdad", root / "lambdad" / "abc"):
        files(group, cgroup__subtree_control="")
    tree = CgroupTree(Hierarchies({}, root, frozenset(available.split())), "abc")
    tree.open()
    return tree


def test_v2_controllers_are_handed_down_to_the_daemons_group(tmp_path: Path) -> None:
    tree = v2_tree(tmp_path)
    for group in (tmp_path, tmp_path / "lambdad", tmp_path / "lambdad" / "abc"):
        # Each write names one controller; the kernel adds it to those there are.
        assert (group / "cgroup.subtree_control").read_text().startswith("+")
    assert tree.has("memory")
    assert tree.has("cpu")
    assert tree.has("pids")


def test_controller_that_is_missing_is_not_claimed(tmp_path: Path) -> None:
    tree = v2_tree(tmp_path, available="cpu pids")
    assert not tree.has("memory")
    group = tree.group("e")
    assert group.oom_kills() == 0
    assert group.memory_peak() == 0


def test_v2_limits_are_written_in_its_format(tmp_path: Path) -> None:
    tree = v2_tree(tmp_path)
    leaf = tmp_path / "lambdad" / "abc" / "e"
    files(
        leaf,
        memory__max="",
        memory__swap__max="",
        memory__events="low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 0\n",
        memory__peak="12345\n",
        cpu__max="",
        cpu__weight="",
        pids__max="",
        cgroup__freeze="0",
    )
    group = tree.group("e")
    group.set_limits(LIMITS, extra_memory_mb=2)
    assert (leaf / "memory.max").read_text() == str(130 * 2**20)
    assert (leaf / "memory.swap.max").read_text() == "0"
    assert (leaf / "cpu.max").read_text() == "50000 100000"
    assert (leaf / "cpu.weight").read_text() == "50"
    assert (leaf / "pids.max").read_text() == "65"
    assert group.oom_kills() == 2
    assert group.memory_peak() == 12345
    group.freeze()
    assert (leaf / "cgroup.freeze").read_text() == "1"
    group.close()


def test_v2_without_quota_says_max(tmp_path: Path) -> None:
    files(tmp_path, cpu__max="", cpu__weight="100")
    CpuV2(tmp_path).limit(None)
    assert (tmp_path / "cpu.max").read_text() == "max 100000"
    # What starts or dies does not wait for a busy host.
    assert (tmp_path / "cpu.weight").read_text() == "400"


def test_a_quota_that_is_in_force_is_not_written_again(tmp_path: Path) -> None:
    files(tmp_path, cpu__shares="", cpu__cfs_quota_us="x")
    cpu, quota = CpuV1(tmp_path), tmp_path / "cpu.cfs_quota_us"
    cpu.begin()
    cpu.limit(None)
    assert quota.read_text() == "x"
    for vcpus, written in ((0.5, "50000"), (None, "-1"), (0.5, "50000")):
        quota.write_text("x")
        cpu.limit(vcpus)
        assert quota.read_text() == written
        quota.write_text("x")
        cpu.limit(vcpus)
        assert quota.read_text() == "x"


def test_v1_quota_is_proportional_and_never_below_the_kernels_least(tmp_path: Path) -> None:
    files(tmp_path, cpu__shares="", cpu__cfs_quota_us="")
    CpuV1(tmp_path).limit(128 / 1769)
    assert (tmp_path / "cpu.cfs_quota_us").read_text() == "7236"
    files(tmp_path, cpu__cfs_quota_us="")
    CpuV1(tmp_path).limit(0.001)
    assert (tmp_path / "cpu.cfs_quota_us").read_text() == "1000"
    files(tmp_path, cpu__cfs_quota_us="")
    CpuV1(tmp_path).limit(None)
    assert (tmp_path / "cpu.cfs_quota_us").read_text() == "-1"


def test_v1_raises_memory_plus_swap_first(tmp_path: Path) -> None:
    with_swap = tmp_path / "memory.memsw.limit_in_bytes"
    with_swap.write_text("")
    # What cannot be written stops the change, and shows what came before it.
    (tmp_path / "memory.limit_in_bytes").mkdir()
    with pytest.raises(IsADirectoryError):
        MemoryV1(tmp_path).limit(4096)
    assert with_swap.read_text() == "4096"


def test_v1_lowers_memory_first(tmp_path: Path) -> None:
    memory = tmp_path / "memory.limit_in_bytes"
    memory.write_text("8192")
    (tmp_path / "memory.memsw.limit_in_bytes").mkdir()
    with pytest.raises(IsADirectoryError):
        MemoryV1(tmp_path).limit(4096)
    assert memory.read_text() == "4096"


def test_v1_oom_kills_are_counted_by_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert MemoryV1(tmp_path).oom_kills() == 3


def test_v2_peak_is_read_from_the_file_that_was_reset(tmp_path: Path) -> None:
    (tmp_path / "memory.peak").write_text("999999\n")
    memory = MemoryV2(tmp_path)
    memory.reset_peak()
    assert (tmp_path / "memory.peak").read_text().startswith("reset")
    memory.close()


def test_v2_peak_of_an_old_kernel_is_that_of_the_whole_life(tmp_path: Path) -> None:
    memory = MemoryV2(tmp_path)
    memory.reset_peak()
    assert memory.peak() == 0


def test_names_of_leftovers_come_from_all_hierarchies(tmp_path: Path) -> None:
    found = Hierarchies.discover(SPLIT.format(root=tmp_path))
    (tmp_path / "memory" / "lambdad" / "abc" / "one").mkdir(parents=True)
    (tmp_path / "pids" / "lambdad" / "abc" / "two").mkdir(parents=True)
    (tmp_path / "pids" / "lambdad" / "other" / "three").mkdir(parents=True)
    assert CgroupTree(found, "abc").leftovers() == {"one", "two"}


def test_groups_of_this_call_alone_are_undone(tmp_path: Path) -> None:
    found = Hierarchies.discover(SPLIT.format(root=tmp_path))
    tree = CgroupTree(found, "abc")
    tree.open()
    existing = tmp_path / "pids" / "lambdad" / "abc" / "e"
    existing.mkdir()
    with pytest.raises(FileExistsError):
        tree.group("e").create(LIMITS)
    assert existing.is_dir()
    assert not (tmp_path / "memory" / "lambdad" / "abc" / "e").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_tree_that_cannot_be_written_is_unfit(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HostUnfit, match="Control groups"):
        CgroupTree(Hierarchies({}, tmp_path, frozenset()), "abc").open()


def test_a_group_that_a_killed_daemon_left_in_one_hierarchy_alone_can_be_swept(
    tmp_path: Path,
) -> None:
    """Whoever makes or removes a group may die between two hierarchies."""
    left = tmp_path / "pids" / "e"
    left.mkdir(parents=True)
    group = Cgroup({"pids": left}, tmp_path / "unified" / "e", frozenset())
    group.kill_all()
    assert group.remove()
    assert not left.exists()
    group.kill_all()


def test_limits_in_force_are_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "pids.max").write_text("none")
    group = Cgroup({"pids": tmp_path}, None, frozenset())
    group.set_limits(LIMITS)
    assert (tmp_path / "pids.max").read_text().startswith(str(LIMITS.processes + 1))
    (tmp_path / "pids.max").write_text("as it was")
    group.set_limits(LIMITS)
    assert (tmp_path / "pids.max").read_text() == "as it was"
    group.set_limits(replace(LIMITS, processes=LIMITS.processes + 1))
    assert (tmp_path / "pids.max").read_text().startswith(str(LIMITS.processes + 2))


def test_v2_group_made_ahead_gets_all_limits_of_who_takes_it(tmp_path: Path) -> None:
    group = v2_tree(tmp_path).group("ready-0")
    leaf = tmp_path / "lambdad" / "abc" / "ready-0"
    values = {"memory__max": "", "memory__swap__max": "", "cpu__max": "", "cpu__weight": ""}
    files(leaf, **values, pids__max="", cgroup__freeze="0")
    ahead = ResourceLimits(memory_mb=128, vcpus=None, ephemeral_storage_mb=512)
    group.set_limits(ahead)
    taken = ResourceLimits(memory_mb=512, vcpus=0.25, ephemeral_storage_mb=512, processes=2046)
    holdings = Holdings(uid=1, cgroup=group, extra_memory_mb=3, device=None, storage=None)
    Footing(Slot(0, ()), holdings, (), -1, {}).assign(taken)
    assert (leaf / "memory.max").read_text() == str(515 * 2**20)
    assert (leaf / "memory.swap.max").read_text() == "0"
    assert (leaf / "cpu.max").read_text() == "25000 100000"
    assert (leaf / "pids.max").read_text() == "2047"
    group.close()
