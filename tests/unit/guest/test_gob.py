"""Go's gob encoding, against bytes that Go itself wrote."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.guest.go1x.gob import BYTES, INT, STRING, UINT, Decoder, Encoder

POINT = {65: ("Point", (("X", INT), ("Y", INT)))}
# gob.NewEncoder(&buffer).Encode(Point{22, 33}), as the package's documentation shows it.
POINT_BYTES = bytes.fromhex(
    "1fff8103010105506f696e7401ff82000102010158010400010159010400000007ff82012c0142 00".replace(
        " ", ""
    )
)


def exactly(stream: io.BytesIO):
    def read(size: int) -> bytes:
        content = stream.read(size)
        if len(content) < size:
            raise EOFError
        return content

    return read


def test_what_go_wrote_is_read():
    assert Decoder(exactly(io.BytesIO(POINT_BYTES))).message() == {"X": 22, "Y": 33}


def test_what_we_write_is_what_go_writes():
    assert Encoder(POINT).message(65, {"X": 22, "Y": 33}) == POINT_BYTES


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "Number": st.integers(-(2**63), 2**63 - 1).filter(bool),
                "Count": st.integers(1, 2**64 - 1),
                "Text": st.text(min_size=1),
                "Data": st.binary(min_size=1, max_size=300),
            },
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read(values):
    fields = (("Number", INT), ("Count", UINT), ("Text", STRING), ("Data", BYTES))
    encoder = Encoder({70: ("Every", fields)})
    stream = io.BytesIO(b"".join(encoder.message(70, value) for value in values))
    decoder = Decoder(exactly(stream))
    assert [decoder.message() for _ in values] == values
    with pytest.raises(EOFError):
        decoder.message()
