"""An image laid out as AWS lays out its base images, made of this host's files.

A shell, the C library, the Python that runs the tests in `/var/lang`, AWS's own runtime interface
client in `/var/runtime`, and `/lambda-entrypoint.sh`.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lambdad.testing.images import tree_layer

PYTHON = f"python3.{sys.version_info.minor}"
ENVIRONMENT: Mapping[str, str] = {
    "LANG": "en_US.UTF-8",
    "TZ": ":/etc/localtime",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task:/opt/lib",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
}
_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
_UNNEEDED = re.compile(r"/(site-packages|test|tests|idlelib|ensurepip|config-[^/]*|tkinter)(/|$)")
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")
_SHELL = Path("/bin/sh")

_ENTRYPOINT = """\
#!/bin/sh
# The handler is the one argument. Outside of Lambda an emulator of it would be started.
export _HANDLER="$1"
[ -n "$AWS_LAMBDA_RUNTIME_API" ] || exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
exec /var/runtime/bootstrap
"""
_BOOTSTRAP = f"""\
#!/bin/sh
export AWS_EXECUTION_ENV=AWS_Lambda_{PYTHON} PYTHONPATH=/var/runtime
exec /var/lang/bin/{PYTHON} -m awslambdaric "$_HANDLER"
"""


@functools.cache
def base_layers() -> Sequence[bytes]:
    """The layers: system, language, client."""
    interpreter = Path(sys.executable).resolve()
    standard_library = Path(sysconfig.get_path("stdlib"))
    client = [Path(_origin(name)) for name in _CLIENT]
    programs = [interpreter, _SHELL, *standard_library.glob("lib-dynload/*.so")]
    programs += [path for path in client if path.suffix == ".so"]
    system = {name.lstrip("/"): Path(name).resolve() for name in _libraries(programs)}
    system["bin/sh"] = _SHELL.resolve()
    language = {
        f"var/lang/bin/{PYTHON}": interpreter,
        f"var/lang/lib/{PYTHON}": standard_library,
    }
    ours = {"lambda-entrypoint.sh": _ENTRYPOINT, "var/runtime/bootstrap": _BOOTSTRAP}
    return (
        _layer(system),
        _layer(language),
        _layer({f"var/runtime/{path.name}": path for path in client}),
        tree_layer({name: text.encode() for name, text in ours.items()}, executable=tuple(ours)),
    )


def _origin(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return spec.submodule_search_locations[0] if spec.submodule_search_locations else spec.origin


def _libraries(programs: Iterable[Path]) -> set[str]:
    listed = subprocess.run(  # noqa: S603 - of this host
        ["/usr/bin/ldd", *map(os.fspath, programs)],
        capture_output=True,
        text=True,
        check=False,
    )
    return set(_LIBRARY.findall(listed.stdout))


def _layer(paths: Mapping[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, path in paths.items():
            archive.add(path, name, filter=_needed)
    return buffer.getvalue()


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if _UNNEEDED.search(f"/{member.name}") else member
