"""The bwrap backend on this host, by whoever runs the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.domain.environments import Mount
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.base import GuardState, Sandbox, SandboxBackend
from lambdad.sandbox.registry import backend
from lambdad.testing.sandbox_contract import MEMORY_LIMIT, SandboxContract, run

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="needs the package bubblewrap"
)


class TestBwrap(SandboxContract):
    unsupported = frozenset({MEMORY_LIMIT})

    def make_backend(self, state_dir: Path) -> SandboxBackend:
        return backend("bwrap")(SandboxConfig(), state_dir, SystemClock())

    async def test_a_program_has_no_power_at_all(self, sandbox: Sandbox) -> None:
        """SECURITY: neither capabilities nor a way to get some, behind the filter."""
        _, output = await run(sandbox, "/bin/cat", "/proc/self/status")
        fields = dict(line.split(":\t", 1) for line in output.decode().splitlines())
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(fields[kind], 16) == 0
        assert fields["NoNewPrivs"] == "1"
        assert fields["Seccomp"] == "2"
        assert "0" not in fields["Uid"].split()
        assert "0" not in fields["Gid"].split()

    async def test_the_first_process_cannot_be_looked_into(self, sandbox: Sandbox) -> None:
        """SECURITY: it holds the socket to the supervisor."""
        for what in ("environ", "maps", "mem", "fd/3"):
            status, _ = await run(sandbox, "/bin/cat", f"/proc/1/{what}")
            assert status.code == 1

    @pytest.mark.parametrize("place", ["/", "/dev", "/etc", "/usr", "/var", "/mnt", "/opt"])
    async def test_nothing_but_tmp_can_be_written(self, sandbox: Sandbox, place: str) -> None:
        """SECURITY: what one event leaves behind, the size of /tmp bounds."""
        status, _ = await run(sandbox, "/usr/bin/touch", f"{place}/new")
        assert status.code == 1

    async def test_what_bubblewrap_says_is_passed_on(
        self, backend: SandboxBackend, code: Path
    ) -> None:
        spec = replace(self.spec("odd"), mounts=(Mount(source=code, target="/usr/new/place"),))
        with pytest.raises(HostUnfit, match=r"bwrap: .*usr/new"):
            await backend.create(spec)

    async def test_a_half_that_lost_its_other_half_is_swept(self, tmp_path: Path) -> None:
        etc = tmp_path / "state" / "etc"
        command = ["/bin/sh", "-c", "read nothing", "x", etc]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as stray:  # noqa: ASYNC220
            made = self.make_backend(tmp_path / "state")
            await made.open()
            await made.close()
            assert stray.wait(timeout=10) == -9

    async def test_what_is_weaker_than_in_a_native_sandbox_is_said(
        self, backend: SandboxBackend
    ) -> None:
        states = {guard.name: guard.state for guard in backend.guards()}
        assert states["cpu limit"] is GuardState.ABSENT
        assert states["memory limit"] is GuardState.DEGRADED
        assert states["seccomp"] is GuardState.ACTIVE


def _system_python_is_ours() -> bool:
    done = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print(*sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split() == [str(part) for part in sys.version_info[:2]]


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="is about not being root")
@pytest.mark.parametrize("module", ["test_bwrap.py", "test_process.py"])
def test_a_plain_user_is_promised_the_same(module: str) -> None:
    if not _system_python_is_ours():
        pytest.skip("needs /usr/bin/python3 of the same version")
    root = Path(__file__).parents[3]
    paths = (root / "src", Path(sysconfig.get_path("purelib")))
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", Path(__file__).with_name(module)]
    done = subprocess.run(
        [*become, "/usr/bin/python3", *tests],
        cwd=root,
        env={
            "PYTHONPATH": ":".join(map(str, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.defpath,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
