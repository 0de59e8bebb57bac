"""What a function's answer says about the items of its batch (`ReportBatchItemFailures`). Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

REPORTS = "ReportBatchItemFailures"


Identify = Callable[[object], str | None]


def as_text(identifier: object) -> str | None:
    """Return an identifier that is a text; None if it is something else."""
    return identifier if isinstance(identifier, str) else None


def failed_items(
    payload: bytes, identifiers: Collection[str], identify: Identify = as_text
) -> frozenset[str] | None:
    """Return which items failed; None when the answer makes the whole batch fail.

    No answer, `null`, `""`, `{}` and no or an empty list of failures say that all went well. An
    answer that cannot be understood, or that names what was not in the batch, fails it whole.
    """
    try:
        answer = json.loads(payload) if payload.strip() else None
    except (ValueError, RecursionError):
        return None
    if answer in (None, ""):
        return frozenset()
    if not isinstance(answer, dict):
        return None
    failures = answer.get("batchItemFailures")
    return frozenset() if failures is None else _named(failures, identifiers, identify)


def _named(
    failures: object, identifiers: Collection[str], identify: Identify
) -> frozenset[str] | None:
    if not isinstance(failures, list):
        return None
    found = set()
    for failure in failures:
        named = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        identifier = identify(named)
        if identifier is None or identifier not in identifiers:
            return None
        found.add(identifier)
    return frozenset(found)
