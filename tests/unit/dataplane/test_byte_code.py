"""What a compiler in a sandbox writes is taken only when it is one whole pack of bounded size."""

from __future__ import annotations

import io
import os
import struct
import threading
import time

import pytest

from lambdad.dataplane import bytecode
from lambdad.dataplane.bytecode import NoByteCode, copy_pack, with_byte_code
from lambdad.sandbox.base import ProcessSpec

PACK = struct.pack("!12sIQ", b"lambdad-pyc\0", 3, 5) + b"indbytes"


def copied(data: bytes) -> bytes:
    reading, writing = os.pipe()

    def feed() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=feed)
    thread.start()
    file = io.BytesIO()
    try:
        copy_pack(reading, file, time.monotonic)
    finally:
        thread.join()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)
    return file.getvalue()


def test_takes_a_whole_pack() -> None:
    assert copied(PACK) == PACK


@pytest.mark.parametrize("data", [b"", PACK[:10], PACK[:-1], PACK + b"x", b"X" + PACK[1:]])
def test_refuses_what_is_no_whole_pack(data: bytes) -> None:
    with pytest.raises(NoByteCode):
        copied(data)


def test_refuses_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "_BYTES_MAX", len(PACK) - 1)
    with pytest.raises(NoByteCode, match="too much"):
        copied(PACK)


def test_waits_for_a_compiler_only_so_long() -> None:
    reading, writing = os.pipe()
    times = iter([0.0, 1e9])
    try:
        with pytest.raises(NoByteCode, match="in time"):
            copy_pack(reading, io.BytesIO(), lambda: next(times))
    finally:
        os.close(writing)


def test_a_process_is_told_the_numbers_that_it_will_have() -> None:
    spec = ProcessSpec(argv=("x",), environment={"A": "1"}, cwd="/", inherited=(50,))
    told = with_byte_code(spec, [60, 61])
    assert told.inherited == (50, 60, 61)
    assert told.environment == {"A": "1", "_LAMBDAD_BYTECODE": "5,6"}
    assert with_byte_code(spec, []) is spec
