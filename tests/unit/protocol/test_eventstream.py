"""What is framed here is read by botocore."""

from __future__ import annotations

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from lambdad.protocol.eventstream import encode_event, encode_exception, encode_message

HEADERS = st.dictionaries(st.text(min_size=1, max_size=40), st.text(max_size=200), max_size=5)


@given(messages=st.lists(st.tuples(HEADERS, st.binary(max_size=5000)), max_size=4))
def test_botocore_reads_messages_as_they_were_written(
    messages: list[tuple[dict[str, str], bytes]],
) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(encode_message(headers, body) for headers, body in messages))
    assert [(message.headers, message.payload) for message in buffer] == messages


def test_an_event_names_its_kind_and_type() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(encode_event("PayloadChunk", b"x", content_type="application/octet-stream"))
    (message,) = buffer
    assert message.headers == {
        ":message-type": "event",
        ":event-type": "PayloadChunk",
        ":content-type": "application/octet-stream",
    }


def test_an_exception_names_its_shape() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(encode_exception("ServiceException", b"{}"))
    (message,) = buffer
    assert message.headers[":exception-type"] == "ServiceException"


def test_a_header_name_of_256_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        encode_message({"n" * 256: ""}, b"")
