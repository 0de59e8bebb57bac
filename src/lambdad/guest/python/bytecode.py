"""Byte code that the platform has compiled ahead, shown to the import system as if it lay there.

The platform hands over descriptors of packs, which `compiler` wrote for the very package that is
mounted. The loader of source files finds in them what it looks for in `__pycache__`: nothing is
to be seen beside the sources, and `__cached__`, tracebacks and what is imported from elsewhere
are as ever. Loaders derived from it, which may compile in ways of their own, compile.
"""
# ruff: noqa: PLC0415

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

VARIABLE = "_LAMBDAD_BYTECODE"
"""Its value: their numbers, with commas between them."""
_MAGIC = b"lambdad-pyc\0"
_HEAD_BYTES = 24
# Small packs are read in one call.
_FIRST_BYTES = 1 << 16


def prepare(environment: "os._Environ[str]") -> None:
    """Let modules be found in the packs, if there are some; a pack that makes no sense is none.

    The variable with their descriptors is not for the function to see.
    """
    numbers = environment.pop(VARIABLE, "")
    if not numbers:
        return
    places: "Dict[str, Tuple[int, int, int]]" = {}
    for number in numbers.split(","):
        try:
            _read_index(int(number), places)
        except (OSError, ValueError, EOFError, TypeError):  # noqa: PERF203 - two at most
            # A wrapper script has closed it, or it is another file by now.
            continue
    if places:
        _install(places)


def _read_index(descriptor: int, places: "Dict[str, Tuple[int, int, int]]") -> None:
    from marshal import loads

    os.set_inheritable(descriptor, False)
    data = os.pread(descriptor, _FIRST_BYTES, 0)
    if data[: len(_MAGIC)] != _MAGIC:
        return
    start = _HEAD_BYTES + int.from_bytes(data[12:16], "big")
    if len(data) < start:
        data = os.pread(descriptor, start, 0)
    index = loads(data[_HEAD_BYTES:start])  # noqa: S302 - who wrote it shares this sandbox
    for path, (offset, length) in index.items():
        places[path] = (descriptor, start + offset, length)


def _install(places: "Dict[str, Tuple[int, int, int]]") -> None:
    # The import system itself, under its own name.
    system = sys.modules["_frozen_importlib_external"]
    loader = system.SourceFileLoader
    read, compile_source = loader.get_data, loader.source_to_code
    pread = os.pread

    def get_data(self: "Any", path: str) -> bytes:
        place = places.get(path)
        if place is None or type(self) is not loader:
            return read(self, path)  # type: ignore[no-any-return]
        if loader.source_to_code is not compile_source:
            return read(self, path)  # type: ignore[no-any-return]
        descriptor, offset, length = place
        return pread(descriptor, length, offset)

    # In tracebacks it counts as what it is a part of.
    code = get_data.__code__
    if hasattr(code, "replace"):
        get_data.__code__ = code.replace(co_filename="<frozen importlib._bootstrap_external>")
    loader.get_data = get_data
