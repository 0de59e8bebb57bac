"""The channel of lambdad's own clients: what a function writes to it hurts that function alone."""

from __future__ import annotations

import pytest

from lambdad.testing.firing_range import Origin, Range

GROWTH_KIB_MAX = 64 * 1024


KINDS = ["random", "endless piece", "endless answer", "many questions", "half a frame"]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        *((Origin.MADE, kind) for kind in KINDS),
        *((origin, "random") for origin in (Origin.ASSIGNED, Origin.RESTORED)),
    ],
    indirect=["target"],
)
def test_frames_of_a_function_harm_nobody_else(target: Range, kind: str) -> None:
    function = target.attacker(256, 3)
    before = target.holdings().resident_kib
    with target.observed() as seen:
        answer = target.attack("channel.frames", function, kind=kind)
    assert answer.error is not None, answer
    assert max(seen.bystander_s) < 2
    assert seen.resident_kib - before < GROWTH_KIB_MAX
    assert target.result("files.text", function, path="/proc/self/comm")
