"""A disk whose power can be cut: what was not flushed to it is lost.

A file system in a file, mounted through a loop device. What the kernel still holds in memory is not
in the file; so a copy of the file, taken at any moment, is what a machine finds on its disk after a
power cut at that moment. The copy takes the place of the original.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Self

# Longer than any test, so that nothing reaches the disk by mere waiting.
_COMMIT_S = 3_600


class FragileDisk:
    """A mounted file system of so many MiB, from entering to leaving the context; needs root.

    `scratch` is where its file lies, on any file system.
    """

    def __init__(self, scratch: Path, mount_point: Path, *, mib: int = 128):
        self._scratch = scratch
        self.path = mount_point
        self._mib = mib
        self._generation = 0

    @property
    def _image(self) -> Path:
        return self._scratch / f"disk-{self._generation}"

    def __enter__(self) -> Self:
        self.path.mkdir(exist_ok=True)
        with self._image.open("wb") as image:
            image.truncate(self._mib * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        _run("umount", "-l", str(self.path))
        self._image.unlink()

    def cut(self) -> None:
        """Lose what was not flushed; whoever used the disk has to be dead, or about to be."""
        before = self._image
        self._generation += 1
        _run("cp", "--sparse=always", str(before), str(self._image))

    def replace(self) -> None:
        """Mount what :meth:`cut` left, as a machine does when its power returns."""
        _run("umount", "-l", str(self.path))
        (self._scratch / f"disk-{self._generation - 1}").unlink()
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", f"loop,commit={_COMMIT_S}", str(self._image), str(self.path))


def _run(program: str, *arguments: str) -> None:
    path = shutil.which(program)
    assert path is not None, f"{program} is not installed"
    done = subprocess.run(  # noqa: S603 - the host's own tools
        [path, *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
