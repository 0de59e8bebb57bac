"""Checksums of parts are those of the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.neighbours.s3.crc import CRC32, CRC32C, CRC64NVME, Crc


@pytest.mark.parametrize(
    ("crc", "check"),
    [(CRC32, 0xCBF43926), (CRC32C, 0xE3069283), (CRC64NVME, 0xAE8B14860A799888)],
    ids=["CRC32", "CRC32C", "CRC64NVME"],
)
def test_the_published_check_values(crc: Crc, check: int) -> None:
    assert crc.update(b"123456789", 0) == check


@pytest.mark.parametrize("crc", [CRC32, CRC32C, CRC64NVME], ids=["32", "32C", "64NVME"])
@given(first=st.binary(max_size=300), second=st.binary(max_size=300))
def test_two_together_are_the_whole(crc: Crc, first: bytes, second: bytes) -> None:
    both = crc.combined(crc.update(first, 0), crc.update(second, 0), len(second))
    assert both == crc.update(first + second, 0)
