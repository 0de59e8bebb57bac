"""Slow work that nothing waits for: one piece after the other, in a thread."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


class Background:
    """Methods may be called from any thread. Mutable: the program that runs, guarded by a lock.

    What comes too late, or is broken off by :meth:`close`, is left for the next start.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._program: subprocess.Popen[bytes] | None = None
        self._close = threading.Event()

    @property
    def closing(self) -> bool:
        """Whether what goes on should come to its end."""
        return self._close.is_set()

    def pause(self, seconds: float) -> None:
        """Leave the processors to others, for so long unless it is closing."""
        self._close.wait(seconds)

    def later(self, work: Callable[[], None]) -> None:
        """Do this when what was asked for before is done."""
        if not self.closing:
            with contextlib.suppress(RuntimeError):  # closed since
                self._executor.submit(work)

    def run(self, command: Sequence[str], timeout_s: float) -> bool:
        """Run a program, for work that goes on here; False when it was broken off.

        The command is the program: what it starts itself is not ended with it.

        Raises:
            OSError: it does not start.
            subprocess.SubprocessError: it failed, or was not done in time.
        """
        with self._lock:
            if self.closing:
                return False
            program = self._program = subprocess.Popen(  # noqa: S603 - the operator's own
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        try:
            status = program.wait(timeout_s)
        finally:
            with self._lock:
                self._program = None
                program.kill()
            program.wait()
        if self._close.is_set():
            return False
        if status:
            raise subprocess.CalledProcessError(status, command)
        return True

    def close(self) -> None:
        """End the work: its program at once, what else it does when that is done."""
        with self._lock:
            self._close.set()
            if self._program is not None:
                self._program.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)
