"""Events are, field by field, the documents beside this file.

What varies stands in angle brackets there: `<uuid>`, `<int>`, see `VARYING`. Types, names, the case
of letters and encodings are compared, members that are missing or too many are failures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.golden_events.world import LOOKS, opened

pytestmark = [pytest.mark.root, pytest.mark.slow]

DOCUMENTS = Path(__file__).parent / "documents"
_DAY, _CLOCK = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d:\d\d"
VARYING = {
    "<uuid>": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<hex32>": r"[0-9a-f]{32}",
    "<hex>": r"[0-9A-F]+",
    "<digits>": r"\d+",
    "<base64>": r"[A-Za-z0-9+/]+={0,2}",
    "<time>": rf"{_DAY}T{_CLOCK}",
    "<time.ms>": rf"{_DAY}T{_CLOCK}\.\d{{3}}",
    "<time+0000>": rf"{_DAY}T{_CLOCK}\.\d{{3}}\+0000",
    "<clf time>": rf"\d\d/[A-Z][a-z]{{2}}/\d{{4}}:{_CLOCK} \+0000",
    "<port>": r"\d+",
    "<id>": r"[a-z0-9]{10,32}",
    "<version id>": r"[A-Za-z0-9._-]{32}",
    "<trace>": r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]",
}


def differences(golden: Any, found: Any, where: str = "") -> Iterator[str]:
    """Yield where an event is not as its document says."""
    if isinstance(golden, dict) and isinstance(found, dict):
        for name in sorted(golden.keys() ^ found.keys()):
            yield f"{where}.{name} is {'missing' if name in golden else 'too many'}"
        for name in golden.keys() & found.keys():
            yield from differences(golden[name], found[name], f"{where}.{name}")
    elif isinstance(golden, list) and isinstance(found, list):
        if len(golden) != len(found):
            yield f"{where} has {len(found)} elements and should have {len(golden)}"
        for index, (wanted, got) in enumerate(zip(golden, found, strict=False)):
            yield from differences(wanted, got, f"{where}[{index}]")
    elif not _fits(golden, found):
        yield f"{where} is {found!r} and should be {golden!r}"


def _fits(golden: Any, found: Any) -> bool:
    if golden == "<int>":
        return type(found) is int
    if golden == "<float>":
        return type(found) in (int, float)
    if isinstance(golden, str) and isinstance(found, str):
        return re.fullmatch(_pattern(golden), found) is not None
    return type(golden) is type(found) and bool(golden == found)


def _pattern(golden: str) -> str:
    parts = re.split(f"({'|'.join(re.escape(each) for each in VARYING)})", golden)
    return "".join(VARYING.get(part) or re.escape(part) for part in parts)


@pytest.mark.parametrize("name", LOOKS)
def test_an_event_is_as_its_document_says(captured: Mapping[str, Any], name: str) -> None:
    assert name in captured, f"no such event came; there are {sorted(captured)}"
    golden = json.loads((DOCUMENTS / f"{name}.json").read_text())
    assert list(differences(golden, captured[name])) == []


def test_what_log_groups_send_is_as_its_document_says(captured: Mapping[str, Any]) -> None:
    golden = json.loads((DOCUMENTS / "logs_data.json").read_text())
    assert list(differences(golden, opened(captured["logs"]))) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"a": 1, "b": ["<uuid>"]},
        {"a": "1", "b": ["x"]},
        {"a": 1, "b": []},
        {"A": 1, "b": ["x"]},
        {"a": 1},
        {"a": True, "b": ["x"]},
    ],
)
def test_what_differs_is_found(changed: Any) -> None:
    assert list(differences(changed, {"a": 1, "b": ["x"]})) != []
