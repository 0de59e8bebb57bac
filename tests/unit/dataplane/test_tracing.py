"""Trace headers."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lambdad.dataplane.tracing import trace_header

FORM = re.compile(
    r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01](;Lineage=[0-9a-zA-Z:|.-]+)?"
)


def test_a_trace_begins_with_the_time() -> None:
    assert trace_header(None, 0x5BEF4DE7).startswith("Root=1-5bef4de7-")


def test_the_callers_trace_goes_on_with_a_new_parent() -> None:
    received = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"
    header = trace_header(received, 1.0)
    assert header.startswith("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=")
    assert header.endswith(";Sampled=1")
    assert "9a9197af755a6419" not in header


@given(received=st.text() | st.none())
def test_whatever_is_received_the_form_is_aws(received: str | None) -> None:
    assert FORM.fullmatch(trace_header(received, 1_764_000_000.0))
