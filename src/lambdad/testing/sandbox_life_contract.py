"""What every sandbox backend promises of its time: when it stands, freezes, is killed and ends."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.domain.clock import SystemClock
from lambdad.domain.environments import ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.base import (
    ExitStatus,
    Sandbox,
    SandboxBackend,
)
from lambdad.testing.guest_programs import (
    PYTHON,
    descendants,
    drain,
    mounts_and_devices,
    open_descriptors,
    read_all,
    read_some,
    run,
    shell,
    spawn,
)
from lambdad.testing.sandbox_fixtures import (
    CAPPED_TMP,
    FREEZE,
    MEMORY_LIMIT,
    PROCESS_LIMIT,
    SMALL,
    SURVIVING_KILL,
    SandboxFixtures,
)


class SandboxLifeContract(SandboxFixtures):
    """The second half of the contract; see `lambdad.testing.sandbox_contract`."""

    async def test_it_says_when_it_stood(self, backend: SandboxBackend) -> None:
        """An init counts from then: what came before is the host's."""
        clock = SystemClock()
        asked = clock.monotonic()
        sandbox = await backend.create(self.spec("timed"))
        assert asked <= sandbox.stood <= clock.monotonic()
        stood = sandbox.stood
        await shell(sandbox, "exit 0")
        await sandbox.kill_processes()
        await shell(sandbox, "exit 0")
        assert sandbox.stood == stood, "once, whatever runs in it later on"
        await self.dispose(sandbox)

    # Freezing and killing

    async def test_frozen_processes_stop_and_go_on(
        self, backend: SandboxBackend, sandbox: Sandbox
    ) -> None:
        """An idle function costs no processor time and does nothing behind one's back."""
        self.needs(FREEZE)
        clock = await backend.create(self.spec("clock"))
        process = await spawn(sandbox, "/bin/sh", "-c", "while :; do echo tick; done")
        await read_some(process.output)
        sandbox.freeze()
        # Time passes by the work of another sandbox.
        await shell(clock, "seq 20000 > /dev/null")
        drain(process.output)
        await shell(clock, "seq 200000 > /dev/null")
        assert drain(process.output) == 0
        sandbox.thaw()
        assert await read_some(process.output)
        sandbox.thaw()
        await self.dispose(clock)
        await sandbox.kill_processes()
        os.close(process.output)

    async def test_kill_ends_all_programs_and_the_sandbox_stays(self, sandbox: Sandbox) -> None:
        """A timed-out function is killed; its environment may be initialised anew."""
        tmp = sandbox.guest_path("/tmp")  # noqa: S108
        script = f"echo kept > {tmp}/file; setsid sleep 1000 & sleep 1000 & echo up; wait"
        process = await spawn(sandbox, "/bin/sh", "-c", script)
        assert await read_some(process.output) == b"up\n"
        await sandbox.kill_processes()
        assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
        if SURVIVING_KILL not in self.unsupported:
            # The end of the pipe: no descendant holds it any more.
            assert await read_all(process.output) == b""
        else:
            os.close(process.output)
        assert await shell(sandbox, f"cat {tmp}/file") == (ExitStatus(code=0), b"kept\n")

    async def test_kill_works_on_a_frozen_sandbox(self, sandbox: Sandbox) -> None:
        """And thaws it."""
        process = await spawn(sandbox, "/bin/sleep", "1000")
        sandbox.freeze()
        await sandbox.kill_processes()
        assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
        os.close(process.output)
        assert (await shell(sandbox, "exit 5"))[0] == ExitStatus(code=5)

    async def test_kill_is_quick_when_processor_time_is_used_up(self, sandbox: Sandbox) -> None:
        """A function of 128 MB has 7 % of a processor; its end must not wait for that."""
        self.needs(SURVIVING_KILL)
        unlimited_s = await _time_to_kill_spinners(sandbox, SMALL)
        # So little that their ends take five seconds of it.
        limited_s = await _time_to_kill_spinners(sandbox, replace(SMALL, vcpus=0.01))
        # Compared, because on a busy machine both take long.
        assert limited_s < 2 + 5 * unlimited_s

    # Limits

    async def test_memory_limit_kills_and_says_so(self, sandbox: Sandbox) -> None:
        """And the sandbox stays usable."""
        self.needs(MEMORY_LIMIT)
        hog = "b = b'x' * (300 << 20)"
        status, _ = await run(sandbox, PYTHON, "-I", "-S", "-c", hog)
        assert status == ExitStatus(signal=signal.SIGKILL, out_of_memory=True)
        status, _ = await shell(sandbox, "exit 0")
        assert status == ExitStatus(code=0, out_of_memory=False)

    async def test_memory_limit_can_be_changed(self, sandbox: Sandbox) -> None:
        """A prepared sandbox gets the function's size later."""
        self.needs(MEMORY_LIMIT)
        sandbox.set_limits(replace(SMALL, memory_mb=1024, vcpus=0.5))
        hog = "b = b'x' * (300 << 20)"
        status, _ = await run(sandbox, PYTHON, "-I", "-S", "-c", hog)
        assert status == ExitStatus(code=0)
        sandbox.set_limits(SMALL)
        status, _ = await run(sandbox, PYTHON, "-I", "-S", "-c", hog)
        assert status.out_of_memory

    async def test_memory_peak_is_measured(self, sandbox: Sandbox) -> None:
        """REPORT's Max Memory Used."""
        self.needs(MEMORY_LIMIT)
        await run(sandbox, PYTHON, "-I", "-S", "-c", "b = b'x' * (64 << 20)")
        assert 64 << 20 < sandbox.memory_peak_bytes() < 128 << 20
        sandbox.reset_memory_peak()
        assert sandbox.memory_peak_bytes() < 64 << 20

    async def test_tmp_does_not_count_as_memory(self, backend: SandboxBackend) -> None:
        """512 MB of files beside 128 MB of memory, as on AWS."""
        self.needs(MEMORY_LIMIT, CAPPED_TMP)
        limits = replace(SMALL, ephemeral_storage_mb=256)
        sandbox = await backend.create(self.spec("files", limits=limits))
        status, _ = await shell(sandbox, "head -c 200M /dev/zero > /tmp/file")
        await self.dispose(sandbox)
        assert status == ExitStatus(code=0)

    async def test_fork_bomb_is_held(self, sandbox: Sandbox) -> None:
        """It gets EAGAIN, and is swept by one kill."""
        self.needs(PROCESS_LIMIT)
        bomb = (
            "import os, signal\nn = 0\ntry:\n while n < 5000:\n  if os.fork() == 0:\n"
            "   signal.pause()\n  n += 1\nexcept OSError: pass\n"
            "print(n, flush=True)\nsignal.pause()"
        )
        process = await spawn(sandbox, PYTHON, "-I", "-S", "-c", bomb)
        count = int(await read_some(process.output))
        assert SMALL.processes - 8 <= count < SMALL.processes
        await sandbox.kill_processes()
        os.close(process.output)
        # One that grows while it is being killed.
        process = await spawn(sandbox, "/bin/sh", "-c", "b() { b | b & }; echo up; b; wait")
        await read_some(process.output)
        await sandbox.kill_processes()
        os.close(process.output)
        assert await shell(sandbox, "echo alive") == (ExitStatus(code=0), b"alive\n")

    async def test_descriptors_are_limited(self, sandbox: Sandbox) -> None:
        """1,024, as on AWS."""
        _, output = await shell(sandbox, "ulimit -n; ulimit -Hn")
        assert output == b"1024\n1024\n"

    # The end

    async def test_destroy_may_be_called_twice_and_at_once(self, backend: SandboxBackend) -> None:
        """Whoever comes first."""
        sandbox = await backend.create(self.spec("twice"))
        await asyncio.gather(sandbox.destroy(), sandbox.destroy())
        await sandbox.destroy()

    @pytest.mark.parametrize("frozen", [False, True])
    async def test_destroy_ends_what_runs(self, backend: SandboxBackend, *, frozen: bool) -> None:
        """Frozen processes too."""
        if frozen:
            self.needs(FREEZE)
        sandbox = await backend.create(self.spec("running"))
        process = await spawn(sandbox, "/bin/sh", "-c", "echo up; sleep 1000 & wait")
        assert await read_some(process.output) == b"up\n"
        if frozen:
            sandbox.freeze()
        await sandbox.destroy()
        assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
        assert await read_all(process.output) == b""

    async def test_methods_are_harmless_after_destroy(self, backend: SandboxBackend) -> None:
        """Callers need not know."""
        sandbox = await backend.create(self.spec("gone"))
        await sandbox.destroy()
        sandbox.freeze()
        sandbox.thaw()
        sandbox.set_limits(SMALL)
        sandbox.reset_memory_peak()
        assert sandbox.memory_peak_bytes() >= 0
        await sandbox.kill_processes()
        with pytest.raises(HostUnfit):
            await spawn(sandbox, "/bin/true")

    @pytest.fixture(autouse=True)
    def bystanders(self) -> set[int]:
        """Processes that other tests in this run keep going; made before the backend."""
        return descendants(os.getpid())

    async def test_cancelled_create_leaves_nothing(
        self, bystanders: set[int], backend: SandboxBackend
    ) -> None:
        """A caller may lose its patience at any moment."""
        creations = [asyncio.ensure_future(backend.create(self.spec(f"c{n}"))) for n in range(8)]
        for turns, creation in enumerate(creations):
            for _ in range(turns):
                await asyncio.sleep(0)
            creation.cancel()
        await asyncio.gather(*creations, return_exceptions=True)
        await backend.close()
        assert descendants(os.getpid()) <= bystanders

    @pytest.mark.slow
    async def test_nothing_is_left_of_many_sandboxes(
        self, backend: SandboxBackend, code: Path, tmp_path: Path
    ) -> None:
        """Processes, mounts, loop devices, descriptors."""

        async def live(number: int) -> None:
            sandbox = await backend.create(self.spec(f"n{number}", code, ports=(9001,)))
            process = await spawn(sandbox, "/bin/sh", "-c", "echo x > /tmp/file; sleep 1000 &")
            await process.wait()
            os.close(process.output)
            await self.dispose(sandbox)

        await live(0)
        before = self.holdings(tmp_path)
        for start in range(1, 51, 10):
            await asyncio.gather(*(live(n) for n in range(start, start + 10)))
        assert self.holdings(tmp_path) == before

    @staticmethod
    def holdings(directory: Path) -> tuple[set[int], set[str], int]:
        """What of this process's may leak."""
        return (
            descendants(os.getpid()),
            mounts_and_devices(directory),
            len(open_descriptors()),
        )

    async def test_close_destroys_all(self, bystanders: set[int], backend: SandboxBackend) -> None:
        """And may be called twice."""
        sandbox = await backend.create(self.spec("left"))
        process = await spawn(sandbox, "/bin/sleep", "1000")
        await backend.close()
        assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
        os.close(process.output)
        await backend.close()
        assert descendants(os.getpid()) <= bystanders


async def _time_to_kill_spinners(sandbox: Sandbox, limits: ResourceLimits) -> float:
    """Return how many seconds the end of forty busy processes takes that are limited so."""
    script = "for i in $(seq 40); do (while :; do :; done) & done; echo up; wait"
    process = await spawn(sandbox, "/bin/sh", "-c", script)
    assert await read_some(process.output) == b"up\n"
    sandbox.set_limits(limits)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await sandbox.kill_processes()
    spent_s = loop.time() - begun
    assert await read_all(process.output) == b""
    return spent_s
