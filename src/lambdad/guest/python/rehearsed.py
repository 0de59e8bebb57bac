"""A handler that nobody deploys: see `ahead`."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def handler(event: "Any", context: "Any") -> "Any":
    """Give the event back."""
    return event
