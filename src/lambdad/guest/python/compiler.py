"""Compiles the modules below directories, for functions that have them: see `bytecode`.

Runs as a program of its own, in a sandbox of its own: the source is hostile. What it writes to
its descriptor is a pack: a head, an index from the path at which the interpreter looks for byte
code to where that is, and byte code as in `.pyc` files, which nobody compares with the source.

What the interpreter would say while it compiles a module shall be said in the function's log, at
each of its starts: such a module is left out, as one is that does not compile. So is one whose
package brings byte code for it.
"""

import importlib.util
import marshal
import os
import struct
import sys
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Optional, Tuple

DESCRIPTOR = 4
"""Where the pack goes."""

MAGIC = b"lambdad-pyc\0"
# The magic, then the lengths of the index and of the byte code.
HEAD = struct.Struct("!12sIQ")

_SOURCE_BYTES_MAX = 4 << 20
_BYTES_MAX = 128 << 20
_MODULES_MAX = 20000
# Hash-based and unchecked.
_FLAGS = (1).to_bytes(4, "little")


def main() -> None:
    """Write one pack of all that is below the directories in the arguments."""
    os.nice(19)
    index: "Dict[str, Tuple[int, int]]" = {}
    compiled: "List[bytes]" = []
    size = 0
    for path in _sources(sys.argv[1:]):
        place = importlib.util.cache_from_source(path)
        code = None if os.path.exists(place) else _compiled(path)
        if code is None:
            continue
        if size + len(code) > _BYTES_MAX or len(compiled) == _MODULES_MAX:
            break
        index[place] = (size, len(code))
        compiled.append(code)
        size += len(code)
    table = marshal.dumps(index)
    with open(DESCRIPTOR, "wb") as file:
        file.write(HEAD.pack(MAGIC, len(table), size))
        file.write(table)
        file.writelines(compiled)


def _sources(places: "List[str]") -> "Iterator[str]":
    for place in places:
        for parent, directories, names in os.walk(place):
            directories[:] = sorted(name for name in directories if name != "__pycache__")
            for name in sorted(names):
                if name.endswith(".py"):
                    yield os.path.join(parent, name)


def _compiled(path: str) -> "Optional[bytes]":
    try:
        # A device or a pipe would have no end.
        if not os.path.isfile(path) or os.path.getsize(path) > _SOURCE_BYTES_MAX:
            return None
        with open(path, "rb") as file:
            source = file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            code = compile(source, path, "exec", dont_inherit=True)
        head = importlib.util.MAGIC_NUMBER + _FLAGS + importlib.util.source_hash(source)
        return head + marshal.dumps(code)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the function will be told
        return None


if __name__ == "__main__":
    main()
