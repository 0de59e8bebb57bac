"""The library that Java has for what it has no words for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lambdad.runtimes import java_library

# In a process of its own, as the library changes the process.
CALL = """
import ctypes, json, os, sys
library, libc = ctypes.CDLL(sys.argv[1]), ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
def call(name, *arguments):
    # As Java does: what it knows of itself comes first.
    return getattr(library, "Java_lambdad_Ahead_" + name)(None, None, *arguments)
seen = [call("clear"), libc.getenv(b"PATH"), call("set", b"A", b"1"), call("set", b"A", b"2")]
seen += [libc.getenv(b"A").decode(), call("enter", b"/usr"), os.getcwd(), call("enter", b"/no")]
print(json.dumps(seen))
"""


@pytest.mark.skipif(
    not java_library.is_possible(), reason="it is for x86-64 with the GNU C library"
)
def test_it_changes_variables_and_the_directory(tmp_path: Path) -> None:
    place = tmp_path / "library.so"
    place.write_bytes(java_library.content())
    command = [sys.executable, "-c", CALL, str(place)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == [0, None, 0, 0, "2", 0, "/usr", -1]


def test_nothing_in_it_is_writable_and_executable() -> None:
    content = java_library.content()
    flags = [
        int.from_bytes(content[at + 4 : at + 8], "little") for at in range(64, 64 + 5 * 56, 56)
    ]
    assert len(flags) == 5
    assert not [each for each in flags if each & 3 == 3]
