"""Packages that are damaged, hostile or too large: refused as AWS does, and nothing is left."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.deploy import ROLE, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

GOOD = zip_of({"app.py": "def handler(event, context):\n    return event\n", "b.py": "x" * 5000})
NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
TOO_LARGE = "Unzipped size must be smaller than 262144000 bytes"
INVALID = "InvalidParameterValueException"
MIB = 1024 * 1024


def named(name: str, content: bytes = b"x", mode: int = 0o100644) -> bytes:
    """A package with one entry, whose name nobody checks."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = name
        entry.external_attr = mode << 16
        package.writestr(entry, content)
    return buffer.getvalue()


def links(*pairs: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, destination in pairs:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o120777 << 16
            package.writestr(entry, destination)
    return buffer.getvalue()


def zeros(mib: int) -> bytes:
    """So many MiB of zeros, deflated: a thousandth of that."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(bytes(MIB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return block * mib + compressor.flush()


def bomb(*, mib: int, claimed: int, entries: int = 1) -> bytes:
    """A package of entries that inflate to `mib` each, and whose headers say `claimed` bytes."""
    packed = zeros(mib)
    checksum = zlib.crc32(bytes(MIB)) if mib == 1 else 0
    local, central = b"", b""
    for number in range(entries):
        name = f"{number}.py".encode()
        common = struct.pack(
            "<HHHHHLLLHH", 20, 0, 8, 0, 33, checksum, len(packed), claimed, len(name), 0
        )
        central += b"PK\x01\x02" + struct.pack("<H", 20) + common
        central += struct.pack("<HHHLL", 0, 0, 0, 0o100644 << 16, len(local)) + name
        local += b"PK\x03\x04" + common + name + packed
    end = (entries, entries, len(central), len(local), 0)
    return local + central + struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, *end)


def many_entries() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for number in range(100_001):
            package.writestr(zipfile.ZipInfo(f"{number}"), b"")
    return buffer.getvalue()


def encrypted() -> bytes:
    package = bytearray(named("app.py"))
    package[6] |= 1
    package[package.index(b"PK\x01\x02") + 8] |= 1
    return bytes(package)


def twice() -> bytes:
    return zip_of({"app.py": "1", "two.py": "2"}).replace(b"two.py", b"app.py")


CASES: dict[str, tuple[Callable[[], bytes], int, str, str]] = {
    "no zip": (lambda: b"hello", 400, INVALID, NOT_A_ZIP),
    "half a zip": (lambda: GOOD[: len(GOOD) // 2], 400, INVALID, NOT_A_ZIP),
    "without its end": (lambda: GOOD[:-1], 400, INVALID, NOT_A_ZIP),
    "without its beginning": (lambda: GOOD[40:], 400, INVALID, NOT_A_ZIP),
    "bits turned": (
        lambda: GOOD[:50] + bytes([GOOD[50] ^ 0xFF]) + GOOD[51:],
        400,
        INVALID,
        NOT_A_ZIP,
    ),
    "encrypted": (encrypted, 400, INVALID, NOT_A_ZIP),
    "a tar": (lambda: b"app.py".ljust(512, b"\0") * 3, 400, INVALID, NOT_A_ZIP),
    "no entries": (lambda: zip_of({}), 400, INVALID, "Uploaded file must be a non-empty zip"),
    "name upwards": (lambda: named("../../out.py"), 400, INVALID, NOT_A_ZIP),
    "name upwards within": (lambda: named("a/../../out.py"), 400, INVALID, NOT_A_ZIP),
    "absolute name": (lambda: named("/etc/lambdad-was-here"), 400, INVALID, NOT_A_ZIP),
    "name with NUL": (lambda: named("a\0b.py"), 400, INVALID, NOT_A_ZIP),
    "long name": (lambda: named("x" * 300), 400, INVALID, NOT_A_ZIP),
    "link out": (lambda: links(("l", "/etc/passwd")), 400, INVALID, NOT_A_ZIP),
    "link upwards": (lambda: links(("l", "../../../etc/passwd")), 400, INVALID, NOT_A_ZIP),
    "link through a link": (
        lambda: links(("a", "."), ("b", "a/../..")),
        400,
        INVALID,
        NOT_A_ZIP,
    ),
    "device": (lambda: named("null", b"", 0o020666), 400, INVALID, NOT_A_ZIP),
    "pipe": (lambda: named("pipe", b"", 0o010666), 400, INVALID, NOT_A_ZIP),
    "one file twice": (twice, 400, INVALID, NOT_A_ZIP),
    "bomb": (lambda: bomb(mib=4095, claimed=4095 * MIB), 400, INVALID, TOO_LARGE),
    "251 MB": (lambda: bomb(mib=1, claimed=MIB, entries=251), 400, INVALID, TOO_LARGE),
    "bomb that says it is small": (lambda: bomb(mib=4096, claimed=10), 400, INVALID, NOT_A_ZIP),
    "bomb that says it is huge": (
        lambda: bomb(mib=400, claimed=2**32 - 2),
        400,
        INVALID,
        TOO_LARGE,
    ),
    "100,001 entries": (many_entries, 400, INVALID, NOT_A_ZIP),
    "50 MB and a byte": (
        lambda: named("f", bytes(52_428_801)),
        413,
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 52428800 bytes",
    ),
    "53 MB": (
        lambda: named("f", bytes(53 * MIB)),
        413,
        "RequestEntityTooLargeException",
        "Request must be smaller than 70167211 bytes for the CreateFunction operation",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_and_nothing_is_left(target: Any, case: str) -> None:
    make, status, code, message = CASES[case]
    package = make()
    before, resident = target.files(), target.resident_mib()
    with pytest.raises(ClientError) as refused:
        target.user.lambda_.create_function(
            FunctionName=re.sub("[^a-z0-9]", "-", case),
            Runtime="python3.12",
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": package},
        )
    error = refused.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == status
    assert (error["Error"]["Code"], error["Error"]["Message"]) == (code, message)
    assert target.files() == before
    assert target.functions() == []
    # A request is held a few times over (wire, text, bytes), and no bomb ever.
    assert target.resident_mib() < resident + 5 * len(package) / MIB + 64
    assert target.healthy()


def test_an_update_with_a_bad_package_leaves_the_function_as_it_was(target: Any) -> None:
    target.user.deploy("kept", "def handler(event, context):\n    return 'kept'\n")
    before, configuration = target.files(), target.user.lambda_.get_function(FunctionName="kept")
    for case in ("half a zip", "name upwards", "bomb", "50 MB and a byte"):
        with pytest.raises(ClientError):
            target.user.lambda_.update_function_code(FunctionName="kept", ZipFile=CASES[case][0]())
    assert target.files() == before
    after = target.user.lambda_.get_function(FunctionName="kept")["Configuration"]
    assert after == configuration["Configuration"]
    assert target.user.invoke("kept").payload == "kept"
    target.user.lambda_.delete_function(FunctionName="kept")


def test_many_bombs_at_once_neither_fill_the_memory_nor_stop_the_others(target: Any) -> None:
    package = CASES["bomb"][0]()

    def explode(number: int) -> str:
        with pytest.raises(ClientError) as refused:
            target.user.lambda_.create_function(
                FunctionName=f"bomb-{number}",
                Runtime="python3.12",
                Handler="app.handler",
                Role=ROLE,
                Code={"ZipFile": package + bytes(number)},
            )
        return str(refused.value.response["Error"]["Code"])

    before = target.files()
    with ThreadPoolExecutor(8) as pool:
        codes = pool.map(explode, range(8))
        assert target.healthy()
        assert set(codes) == {INVALID}
    assert target.files() == before
    assert target.peak_mib() < 1024


def test_what_is_just_small_enough_is_taken(target: Any) -> None:
    """50 MB packed; 250 MB unpacked; names in every script; links that stay inside."""
    source = "def handler(event, context):\n    return open('link/файл').read()\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, mode, content in (
            ("app.py", 0o100644, source.encode()),
            ("дир/файл", 0o100644, "é".encode()),
            ("link", 0o120777, "дир".encode()),
            ("circle", 0o120777, b"./circle"),
            ("pad", 0o100644, bytes(52_428_800 - 1_000)),
        ):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            package.writestr(entry, content)
    packed = buffer.getvalue()
    assert 52_428_000 < len(packed) <= 52_428_800
    inflated = zip_of({"app.py": "def handler(e, c):\n    return 2\n", "z": bytes(249 * MIB)})
    for name, content, answer in (("packed", packed, "é"), ("inflated", inflated, 2)):
        target.user.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": content},
        )
        assert target.user.invoke(name).payload == answer
        target.user.lambda_.delete_function(FunctionName=name)
