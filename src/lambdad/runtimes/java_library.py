"""A library that lets Java do what it has no words for: change its directory and C's variables.

A JVM that is started before its function is known must take on the function's directory and
variables afterwards. Java has calls for neither, and no host needs a C compiler to run functions;
so the few instructions that hand a native method's arguments on to the C library are written
here, into an ELF file.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Sequence

_CALLS = (
    ("Java_lambdad_Ahead_clear", "clearenv"),
    ("Java_lambdad_Ahead_set", "setenv"),
    ("Java_lambdad_Ahead_enter", "chdir"),
)
_PAGE = 0x1000
_GOT = 2 * _PAGE + 0x200
_PROGRAM_HEADERS = 5
_HEADERS_END = 64 + 56 * _PROGRAM_HEADERS
# mov %rdx,%rdi; mov %rcx,%rsi; mov $1,%edx; jmp *offset(%rip). A native method's own arguments
# are its third and fourth; `setenv` wants to be told to overwrite; what others do not want is lost.
_FORWARD = bytes.fromhex("48 89 d7 48 89 ce ba 01 00 00 00 ff 25")
_FORWARD_BYTES = len(_FORWARD) + 4
_R_X86_64_GLOB_DAT = 6
_GLOBAL_FUNCTION = 0x12


def is_possible() -> bool:
    """Whether this host is one that the library is written for: x86-64 with the GNU C library."""
    return platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"


def content() -> bytes:
    """Return the library: a page of tables, one of code and one of what is linked."""
    code, places = _code(_CALLS)
    tables, dynamic = _tables(_CALLS, places)
    linked = dynamic.ljust(_GOT - 2 * _PAGE, b"\0") + bytes(8 * len(_CALLS))
    headers = b"".join(
        (
            _program_header(1, 4, 0, _HEADERS_END + len(tables)),
            _program_header(1, 5, _PAGE, len(code)),
            _program_header(1, 6, 2 * _PAGE, len(linked)),
            _program_header(2, 6, 2 * _PAGE, len(dynamic), align=8),
            # The stack is not executable.
            _program_header(0x6474E551, 6, 0, 0, align=16),
        )
    )
    first = _file_header() + headers + tables
    return first.ljust(_PAGE, b"\0") + code.ljust(_PAGE, b"\0") + linked


def _code(calls: Sequence[tuple[str, str]]) -> tuple[bytes, list[int]]:
    code = b""
    places = []
    for index in range(len(calls)):
        place = _PAGE + len(code)
        places.append(place)
        code += _FORWARD + struct.pack("<i", _GOT + 8 * index - place - _FORWARD_BYTES)
        code += b"\xcc" * (-len(code) % 16)
    return code, places


def _tables(calls: Sequence[tuple[str, str]], places: Sequence[int]) -> tuple[bytes, bytes]:
    """Return what stands behind the headers, and the dynamic section that says where."""
    names = [name for _, name in calls] + [name for name, _ in calls]
    strings = b"\0"
    symbols = bytes(24)
    for name, place in zip(names, [0] * len(calls) + list(places), strict=True):
        section, size = (1, _FORWARD_BYTES) if place else (0, 0)
        symbols += struct.pack("<IBBHQQ", len(strings), _GLOBAL_FUNCTION, 0, section, place, size)
        strings += name.encode() + b"\0"
    count = len(names) + 1
    # One bucket with all of them in a chain.
    chain = [0, *range(2, count), 0]
    hashes = struct.pack(f"<{3 + count}I", 1, count, 1, *chain)
    relocations = b"".join(
        struct.pack("<QQq", _GOT + 8 * index, (index + 1) << 32 | _R_X86_64_GLOB_DAT, 0)
        for index in range(len(calls))
    )
    tables = b""
    starts = []
    for table in (symbols, relocations, hashes, strings):
        tables += bytes(-len(tables) % 8)
        starts.append(_HEADERS_END + len(tables))
        tables += table
    at_symbols, at_relocations, at_hashes, at_strings = starts
    entries = (
        *((4, at_hashes), (5, at_strings), (6, at_symbols), (7, at_relocations)),
        *((8, len(relocations)), (9, 24), (10, len(strings)), (11, 24), (24, 0), (0, 0)),
    )
    return tables, b"".join(struct.pack("<QQ", *entry) for entry in entries)


def _program_header(kind: int, flags: int, place: int, size: int, align: int = _PAGE) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, place, place, place, size, size, align)


def _file_header() -> bytes:
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    shared, x86_64 = 3, 62
    return identity + struct.pack(
        "<HHIQQQIHHHHHH", shared, x86_64, 1, 0, 64, 0, 0, 64, 56, _PROGRAM_HEADERS, 0, 0, 0
    )
