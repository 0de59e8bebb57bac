"""File systems of functions: which directory of this host stands for which. Pure but for a look.

Amazon's are reached over a network; here one is a directory that the operator names by the ARN of
its access point. Mounting it is the sandbox's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lambdad.domain.environments import Mount
from lambdad.domain.errors import HostUnfit
from lambdad.domain.functions import Function


def mounts_of(function: Function, directories: Mapping[str, Path]) -> Sequence[Mount]:
    """Return the mounts of the function's file systems; `directories` are by ARN.

    Raises:
        HostUnfit: no directory is configured for one, or it is not there.
    """
    mounts = []
    for config in function.echoed.get("FileSystemConfigs", ()):
        arn = config["Arn"]
        source = directories.get(arn)
        if source is None or not source.is_dir():
            found = "no directory" if source is None else f"{source}, which is no directory,"
            raise HostUnfit(
                f"The function cannot mount the file system of access point {arn}: {found} is "
                "configured for it.",
                f'Name a directory of this host in lambdad.toml: [filesystems] "{arn}" = '
                '"/path/of/directory".',
            )
        mounts.append(Mount(source=source, target=config["LocalMountPath"], writable=True))
    return mounts
