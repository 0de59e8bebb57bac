"""Files: what a function must not read or write, and how it might try to leave `/tmp`."""

# Paths are the guest's.
# ruff: noqa: S108

from __future__ import annotations

from pathlib import Path

import pytest

from lambdad.testing.firing_range import Origin, Range


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_files_of_the_host_are_not_there(target: Range, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    secret.chmod(0o644)
    paths = ["/root", "/home", "/etc/shadow", "/etc/ssh", "/etc/fstab", "/sys", "/run", "/boot"]
    paths += ["/var/log", "/var/lib", "/srv", "/media", "/dev/shm", "/dev/pts", "/dev/mem"]
    paths += ["/dev/kmsg", "/dev/loop0", "/dev/vda", "/dev/tty", "/dev/kvm", "/dev/fuse", "/cgroup"]
    paths += [str(target.daemon.data_dir), str(target.daemon.data_dir / "code"), str(secret)]
    found = target.result("files.read", paths=paths)
    assert found == dict.fromkeys(paths, "ENOENT")


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_kernel_interfaces_are_closed(target: Range) -> None:
    secret = ["/proc/kcore", "/proc/kmsg", "/proc/iomem", "/proc/slabinfo", "/proc/vmallocinfo"]
    secret += ["/proc/kpagecount", "/proc/timer_list", "/proc/1/root", "/proc/1/environ"]
    found = target.result("files.read", paths=[*secret, "/proc/keys", "/proc/kallsyms"])
    # /proc/iomem is readable by all, but shows zeros.
    closed = {name for name in secret if found[name] in ("EACCES", "EPERM", "ENOENT")}
    assert closed >= set(secret) - {"/proc/iomem"}
    knobs = ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches"]
    knobs += ["/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/irq/0"]
    knobs += ["/proc/self/uid_map", "/proc/self/oom_score_adj", "/proc/sys/fs/mqueue/msg_max"]
    written = target.result("files.write", paths=knobs)
    allowed = {"/proc/self/uid_map", "/proc/self/oom_score_adj"}
    assert {path for path, how in written.items() if how == "ok"} <= allowed
    assert target.result("files.text", path="/proc/keys") == ""
    assert target.result("files.text", path="/proc/kallsyms") == ""


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_only_tmp_and_the_null_devices_can_be_written(target: Range) -> None:
    devices = {"full", "null", "random", "urandom", "zero"}
    assert set(target.result("files.writable")) == {f"/dev/{name}" for name in devices}
    assert set(target.result("files.modes", path="/dev")) == devices | {
        "fd",
        "stdin",
        "stdout",
        "stderr",
    }


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_code_that_environments_share_cannot_be_changed(target: Range) -> None:
    found = target.result("files.change_code")
    assert set(found.values()) <= {"EROFS", "EACCES", "EXDEV"}
    assert target.attack("files.listing", path="/var/task").error is None


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_links_devices_and_root_do_not_lead_out_of_tmp(target: Range) -> None:
    found = target.result("files.escape_tmp")
    assert found.pop("fifo") == "ok"
    assert set(found.values()) <= {"ENOENT", "EACCES", "EPERM", "EXDEV"}


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_set_uid_programs_gain_nothing(target: Range) -> None:
    found = target.result("files.set_uid")
    assert len(found["users"]) > 1
    for program, (user, secure) in found["users"].items():
        assert (program, user, secure) == (program, found["me"], "0")


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_other_functions_and_environments_share_no_file(target: Range) -> None:
    other = target.attacker(name="other")
    uid = target.result("files.leave", path="/tmp/note", content="secret")
    assert target.result("files.read", other, paths=["/tmp/note"]) == {"/tmp/note": "ENOENT"}
    assert target.result("files.leave", other, path="/tmp/note", content="x") != uid
    assert target.result("files.text", path="/tmp/note") == "secret"


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_mount_table_names_no_function_but_its_own(target: Range) -> None:
    """It shows where on the host the code lies: known and documented, of no use to a guest."""
    table = target.result("files.text", path="/proc/self/mountinfo")
    trees = {line.split()[3] for line in table.splitlines() if "/code/" in line}
    assert len(trees) == 1
    kinds = {line.split(" - ")[1].split()[0] for line in table.splitlines()}
    assert kinds <= {"ext4", "xfs", "btrfs", "overlay", "tmpfs", "proc", "erofs", "squashfs"}
    places = {line.split()[4] for line in table.splitlines()}
    assert not places & {"/sys", "/run", "/home", "/root", "/dev/shm", "/dev/pts", "/dev/mqueue"}
    writable = [line.split()[4] for line in table.splitlines() if " rw," in line.split(" - ")[0]]
    assert sorted(writable) == ["/proc", "/tmp"]
    assert "nosuid" in table.splitlines()[0]


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_cgroups_do_not_say_where_in_the_host_they_are(target: Range) -> None:
    for line in target.result("files.text", path="/proc/self/cgroup").splitlines():
        assert line.endswith(":/")


@pytest.mark.parametrize("memory_mb", [128])
def test_tmp_ends_at_its_size_and_costs_no_memory(target: Range, memory_mb: int) -> None:
    function = target.attacker(memory_mb)
    found = target.result("files.fill", function, path="/tmp/full", mebibytes=600)
    assert found["why"] == "No space left on device"
    assert 505 <= found["mebibytes"] <= 530
    # What was deleted can be had again.
    assert target.result("files.fill", function, path="/tmp/x", mebibytes=64)["why"] == "ok"


def test_tmp_has_an_end_of_inodes_and_sparse_files_are_hollow(target: Range) -> None:
    function = target.attacker(1024)
    found = target.result("files.many_inodes", function)
    assert (found["why"], found["made"] < 40_000) == ("No space left on device", True)
    assert target.result("files.sparse", function)["allocate"] in ("ENOSPC", "EFBIG")
