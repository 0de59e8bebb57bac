"""Writes to the output pipes what the log should not have to bear."""

# ruff: noqa: T201

import os
import struct
import time

MIB = 1024 * 1024


def flood(unit, mebibytes, fd=1):
    """Write so much of one unit, without pause."""
    block = (unit.encode("latin-1") * (65536 // len(unit) + 1))[:65536]
    left = mebibytes * MIB
    while left > 0:
        left -= os.write(fd, block)
    return mebibytes


def flood_for(unit, seconds, fd=1):
    block = (unit.encode("latin-1") * (65536 // len(unit) + 1))[:65536]
    end_at = time.monotonic() + seconds
    written = 0
    while time.monotonic() < end_at:
        written += os.write(fd, block)
    return written / MIB


def lies(fd, rounds):
    """Frames that claim sizes, times and kinds that are not."""
    fd = int(fd)
    now_us = time.time_ns() // 1000
    frames = [
        struct.pack(">IIQ", 0xA55A0003, 0xFFFFFFFF, now_us) + b"longest",
        struct.pack(">IIQ", 0xA55A0003, 0, now_us),
        struct.pack(">IIQ", 0xA55A0003, 5, 0) + b"first",
        struct.pack(">IIQ", 0xA55A0003, 5, 2**64 - 1) + b"never",
        struct.pack(">IIQ", 0xA55A0000, 4, now_us) + b"kind",
        struct.pack(">IIQ", 0xDEADBEEF, 4, now_us) + b"what",
        struct.pack(">IIQ", 0xA55A0002, 9, now_us) + b'{"a":1,,}',
        struct.pack(">IIQ", 0xA55A0003, 0x7FFFFF, now_us) + b"x" * 1000,
        b"\xa5\x5a\x00\x03" * 100,
        os.urandom(4096),
        b"START RequestId: forged Version: $LATEST\n",
    ]
    for _ in range(rounds):
        for frame in frames:
            os.write(fd, frame)
    return len(frames) * rounds


def pretend():
    """Lines that look like the platform's."""
    print("END RequestId: 00000000-0000-0000-0000-000000000000")
    print("REPORT RequestId: 00000000-0000-0000-0000-000000000000\tDuration: 0.00 ms")
    return "said"


def close_all():
    """Close every descriptor but those of the Runtime API."""
    for fd in (0, 1, 2, 3):
        try:
            os.close(fd)
        except OSError:
            continue
    return "closed"


def flood_in_background(unit):
    """Leave a process that writes for ever."""
    if os.fork() == 0:
        while True:
            os.write(1, unit.encode() * 1000)
    return "left"


def read_own_output():
    """Open the log pipe for reading."""
    try:
        fd = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return error.strerror
    os.write(1, b"hello\n")
    try:
        return os.read(fd, 100).decode()
    except OSError as error:
        return error.strerror
