"""What all batches have in common: their entries' ids and the results of each. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.domain.errors import ServiceException
from lambdad.neighbours.sqs.errors import (
    BatchEntryIdsNotDistinct,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    TooManyEntriesInBatchRequest,
)

_ENTRIES_MAX = 10
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def entries_of(params: Mapping[str, Any], kind: str) -> Sequence[Mapping[str, Any]]:
    """Return a batch's entries.

    Raises:
        EmptyBatchRequest, TooManyEntriesInBatchRequest, InvalidBatchEntryId,
            BatchEntryIdsNotDistinct: see the texts.
    """
    entries: Sequence[Mapping[str, Any]] = params.get("Entries") or ()
    if not entries:
        raise EmptyBatchRequest(f"There should be at least one {kind} in the request.")
    if len(entries) > _ENTRIES_MAX:
        raise TooManyEntriesInBatchRequest(
            f"Maximum number of entries per request are {_ENTRIES_MAX}. "
            f"You have sent {len(entries)}."
        )
    seen: set[str] = set()
    for entry in entries:
        entry_id = entry.get("Id") or ""
        if _ID.fullmatch(entry_id) is None:
            raise InvalidBatchEntryId(
                "A batch entry id can only contain alphanumeric characters, hyphens and "
                "underscores. It can be at most 80 letters long."
            )
        if entry_id in seen:
            raise BatchEntryIdsNotDistinct(f"Id {entry_id} repeated.")
        seen.add(entry_id)
    return entries


def failed(entry_id: str, error: ServiceException) -> dict[str, Any]:
    """Return the result of an entry that was refused."""
    return {"Id": entry_id, "SenderFault": True, "Code": error.code, "Message": error.message}


def results(
    successful: Sequence[Mapping[str, Any]], refused: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a batch's answer; a list without elements is not there at all."""
    return {
        **({"Successful": list(successful)} if successful else {}),
        **({"Failed": list(refused)} if refused else {}),
    }
