import itertools
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.domain.limits import LOG_EVENT_BYTES_MAX
from lambdad.observability.lines import Frame, FrameReader, LineSplitter, split_event
from lambdad.observability.tail import LogTail

NOW_MS = 1_764_000_000_000


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def a_frame(
    payload: bytes,
    *,
    magic: int = 0xA55A0003,
    stamp: int = NOW_MS * 1000,
    length: int | None = None,
) -> bytes:
    return struct.pack(">IIQ", magic, len(payload) if length is None else length, stamp) + payload


CUTS = st.lists(st.integers(0, 10_000), max_size=6)


class TestLineSplitter:
    def test_lines_keep_their_newline_and_a_partial_line_waits(self):
        splitter = LineSplitter()
        assert splitter.feed(b"one\n\ntw") == ["one\n", "\n"]
        assert splitter.feed(b"o\r\n") == ["two\r\n"]
        assert splitter.feed(b"three") == []
        assert splitter.flush() == ["three"]
        assert splitter.flush() == []

    def test_a_character_cut_in_two_reads_is_whole(self):
        splitter = LineSplitter()
        data = "żółw €🐢\n".encode()
        assert [line for byte in data for line in splitter.feed(bytes([byte]))] == ["żółw €🐢\n"]

    @given(st.binary(max_size=400), CUTS)
    def test_events_depend_on_the_bytes_and_not_on_the_reads(self, data, cuts):
        splitter = LineSplitter()
        events = [event for part in chunks(data, cuts) for event in splitter.feed(part)]
        events += splitter.flush()
        assert "".join(events) == data.decode("utf-8", "replace")
        assert all(event.count("\n") <= 1 for event in events)
        assert all(event.endswith("\n") for event in events[:-1])

    @given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode), CUTS)
    def test_no_event_is_empty_or_too_long(self, data, cuts):
        splitter = LineSplitter(limit=8)
        events = [event for part in chunks(data, cuts) for event in splitter.feed(part)]
        events += splitter.flush()
        assert all(0 < len(event.encode()) <= 8 for event in events)

    @given(st.text(max_size=200), CUTS)
    def test_splitting_long_lines_loses_no_character(self, text, cuts):
        splitter = LineSplitter(limit=8)
        events = [event for part in chunks(text.encode(), cuts) for event in splitter.feed(part)]
        assert "".join(events + splitter.flush()) == text

    def test_a_line_without_end_is_split_and_not_hoarded(self):
        splitter = LineSplitter()
        events = [event for _ in range(80) for event in splitter.feed(b"x" * 65_536)]
        assert sum(map(len, events)) >= 80 * 65_536 - LOG_EVENT_BYTES_MAX
        assert max(map(len, events)) == LOG_EVENT_BYTES_MAX

    def test_replaced_bytes_do_not_make_an_event_too_long(self):
        splitter = LineSplitter()
        events = splitter.feed(b"\xff" * LOG_EVENT_BYTES_MAX + b"\n")
        assert len(events) == 4
        assert all(len(event.encode()) <= LOG_EVENT_BYTES_MAX for event in events)


@given(st.text(max_size=60), st.integers(4, 20))
def test_split_event_keeps_the_text(text, limit):
    pieces = list(split_event(text, limit))
    assert "".join(pieces) == text
    assert all(0 < len(piece.encode()) <= limit for piece in pieces)


class TestFrameReader:
    def test_a_frame_is_one_event_whatever_its_newlines(self):
        reader = FrameReader()
        assert reader.feed(a_frame(b"one\ntwo\n", magic=0xA55A0017)) == [
            Frame(text="one\ntwo\n", timestamp_us=NOW_MS * 1000, level="ERROR")
        ]

    def test_json_frames_are_told_apart(self):
        (frame,) = FrameReader().feed(a_frame(b"{}", magic=0xA55A000E))
        assert (frame.is_json, frame.level) == (True, "INFO")

    @given(
        st.lists(
            st.tuples(st.text(min_size=1, max_size=30), st.integers(0, 2**64 - 1)), max_size=5
        ),
        CUTS,
    )
    def test_frames_survive_any_cuts(self, records, cuts):
        data = b"".join(a_frame(text.encode(), stamp=stamp) for text, stamp in records)
        reader = FrameReader()
        frames = [frame for part in chunks(data, cuts) for frame in reader.feed(part)]
        assert [(frame.text, frame.timestamp_us) for frame in frames] == records
        assert reader.flush() == []

    def test_text_between_frames_is_kept_as_lines(self):
        reader = FrameReader()
        frames = reader.feed(b"plain\nmore" + a_frame(b"framed") + b"end\n")
        assert [frame.text for frame in frames] == ["plain\n", "more", "framed", "end\n"]
        assert frames[0].timestamp_us is None

    @pytest.mark.parametrize("header", [b"\xa5\x5a\x00\x99", b"\xa5\x5a\x00\x03"])
    def test_a_header_that_cannot_be_is_text(self, header):
        data = header + b"\xff" * 12 + b"said\n"
        frames = FrameReader().feed(data)
        assert "".join(frame.text for frame in frames) == data.decode("utf-8", "replace")
        assert all(frame.timestamp_us is None for frame in frames)

    def test_a_frame_cut_short_by_the_end_is_kept(self):
        reader = FrameReader()
        assert reader.feed(a_frame(b"half", length=1_000)) == []
        assert [frame.text for frame in reader.flush()] == ["half"]
        assert [frame.text for frame in reader.feed(a_frame(b"whole"))] == ["whole"]

    def test_a_long_frame_comes_in_pieces_that_fit(self):
        reader = FrameReader()
        text = "€" * 500_000
        data = a_frame(text.encode())
        parts = [data[at : at + 65_536] for at in range(0, len(data), 65_536)]
        frames = [frame for part in parts for frame in reader.feed(part)]
        assert "".join(frame.text for frame in frames) == text
        assert all(len(frame.text.encode()) <= LOG_EVENT_BYTES_MAX for frame in frames)

    @given(
        st.lists(
            st.binary(max_size=40)
            | st.sampled_from(
                [b"\xa5\x5a\x00\x03", b"\xa5\x5a", b"\xa5", a_frame(b"x", length=99)]
            ),
            max_size=12,
        )
    )
    def test_garbage_is_bounded_and_harmless(self, parts):
        reader = FrameReader(limit=16)
        frames = [frame for part in parts for frame in reader.feed(part)]
        frames += reader.flush()
        assert all(0 < len(frame.text.encode()) <= 16 for frame in frames)
        assert sum(len(frame.text) for frame in frames) <= sum(map(len, parts))
        assert reader.flush() == []

    @given(
        st.lists(
            st.binary(max_size=20)
            | st.binary(max_size=20).map(a_frame)
            | st.sampled_from(
                [b"\xa5\x5a\x00\x03", b"line\n", a_frame(b"x", length=9), a_frame(b"y" * 99)]
            ),
            max_size=8,
        )
    )
    def test_records_depend_on_the_bytes_and_not_on_the_reads(self, parts):
        """Frames that come whole are read in one go, others byte by byte as they come."""
        data, reader, slow = b"".join(parts), FrameReader(), FrameReader()
        at_once = reader.feed(data) + reader.flush()
        one_by_one = [frame for byte in data for frame in slow.feed(bytes([byte]))] + slow.flush()
        assert at_once == one_by_one

    def test_a_flood_of_false_headers_is_read_to_its_end(self):
        reader = FrameReader()
        frames = [frame for _ in range(4) for frame in reader.feed(b"\xa5\x5a\x00" * 20_000)]
        frames += reader.flush()
        assert sum(len(frame.text) for frame in frames) == 4 * 60_000
        assert len(frames) < 20

    def test_an_incredible_time_is_replaced_by_the_present(self):
        assert Frame(text="x", timestamp_us=(NOW_MS - 5) * 1000).happened_ms(NOW_MS) == NOW_MS - 5
        assert Frame(text="x", timestamp_us=2**64 - 1).happened_ms(NOW_MS) == NOW_MS
        assert Frame(text="x", timestamp_us=0).happened_ms(NOW_MS) == NOW_MS
        assert Frame(text="x").happened_ms(NOW_MS) == NOW_MS


class TestLogTail:
    @given(st.lists(st.text(max_size=50), max_size=20))
    def test_it_is_the_end_of_the_text_in_whole_characters(self, texts):
        tail = LogTail(limit=16)
        for text in texts:
            tail.add(text)
        whole = "".join(texts).encode()
        content = tail.content()
        assert whole.endswith(content)
        assert len(content) <= 16
        assert len(content) >= min(len(whole), 13)
        content.decode("utf-8")

    def test_it_stays_small(self):
        tail = LogTail()
        for _ in range(100):
            tail.add(os.urandom(50_000).hex())
        assert len(tail.content()) == 4_096
        assert len(tail._data) <= 8 * 4_096

    def test_it_can_begin_anew(self):
        tail = LogTail()
        tail.add("before")
        tail.clear()
        tail.add("after")
        assert tail.content() == b"after"
