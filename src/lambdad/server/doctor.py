"""What this host can do for functions, found out by trying.

Decides what is worth telling and in which words a remedy is given; how it is shown is not
known here. Every finding that is not `ok` and can be mended has a remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "degraded", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        section: `sandbox`, `guards`, `runtimes` or `tools`.
        detail: how it is done here, or why it is not.
        remedy: what the operator can do; empty when nothing is to be done.
        stops: for a guard: what it keeps a hostile function from.
    """

    section: str
    name: str
    state: State
    detail: str
    remedy: str = ""
    stops: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings.

    Attributes:
        backend: the one that would be used; None when none works.
        isolated: whether that backend isolates at all.
    """

    backend: str | None
    isolated: bool
    findings: Sequence[Finding]
