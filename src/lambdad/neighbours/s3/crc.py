"""Cyclic redundancy checks that S3 has: of bytes, and of what is put together from parts. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import crcmod


@dataclass(frozen=True, slots=True, kw_only=True)
class Crc:
    """One of them, bit by bit from the lowest.

    Attributes:
        polynomial: with its lowest term in the highest bit.
        update: returns the check of further bytes.
    """

    width: int
    polynomial: int
    update: Callable[[bytes, int], int]

    def combined(self, first: int, second: int, second_size: int) -> int:
        """Return the check of two pieces from theirs; the size is the second's, in bytes."""
        return _times(_zeros(self.width, self.polynomial, second_size), first) ^ second


def _of(polynomial: int, width: int) -> Callable[[bytes, int], int]:
    function: Callable[[bytes, int], int] = crcmod.mkCrcFun(
        polynomial, initCrc=0, rev=True, xorOut=(1 << width) - 1
    )
    return function


CRC32 = Crc(width=32, polynomial=0xEDB88320, update=zlib.crc32)
CRC32C = Crc(width=32, polynomial=0x82F63B78, update=_of(0x1_1EDC_6F41, 32))
CRC64NVME = Crc(width=64, polynomial=0x9A6C9329AC4BC9B5, update=_of(0x1_AD93_D235_94C9_3659, 64))


@lru_cache(maxsize=64)
def _zeros(width: int, polynomial: int, size: int) -> tuple[int, ...]:
    """Return the matrix that takes a check over so many zero bytes; columns are bits."""
    power = (polynomial, *(1 << bit for bit in range(width - 1)))
    result = tuple(1 << bit for bit in range(width))
    bits = size * 8
    while bits:
        if bits & 1:
            result = tuple(_times(power, column) for column in result)
        power = tuple(_times(power, column) for column in power)
        bits >>= 1
    return result


def _times(matrix: Sequence[int], vector: int) -> int:
    total, bit = 0, 0
    while vector:
        if vector & 1:
            total ^= matrix[bit]
        vector >>= 1
        bit += 1
    return total
