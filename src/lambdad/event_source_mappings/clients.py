"""Which client packages are there; they come with extras of lambdad that not everybody has."""

from __future__ import annotations

from importlib.util import find_spec

from lambdad.domain.event_source_mappings import KAFKA, SourceKind


def missing_client(kind: SourceKind) -> str | None:
    """Return what to do about a client that is not installed; None when there is nothing to do."""
    package, extra = ("aiokafka", "kafka") if kind in KAFKA else ("aiormq", "rabbitmq")
    if find_spec(package) is not None:
        return None
    return (
        f"The client of this event source is not installed here. Run: pip install "
        f"'lambdad[{extra}]', and restart lambdad."
    )
