"""The crash test calls every operation that changes something."""

import pytest

from lambdad.api import lambda_, logs
from lambdad.testing.crash.script import READS, REFUSED, SCRIPT
from lambdad.testing.crash.world import World, nothing


@pytest.mark.parametrize("service", [lambda_.LAMBDA, logs.LOGS], ids=lambda each: each.name)
def test_every_mutating_operation_is_in_the_script(service):
    """A new one fails here until it has a step in `lambdad.testing.crash`."""
    mutating = {name for name in service.served() if not name.startswith(READS)} - REFUSED
    called = {step.operation for step in SCRIPT if step.service == service.name}
    assert called == mutating


def test_the_script_ends_where_it_began_so_that_it_can_be_run_for_ever():
    known = nothing()
    for round_ in range(2):
        world = World("w", round_, {"mapping": "m", "signing": "s"})
        for step in SCRIPT:
            known["now_ms"] = 0
            step.params(world, known)
            step.effect(world, known)
        del known["now_ms"]
        assert known == nothing()


def test_every_step_changes_what_is_known():
    """A step whose effect cannot be seen would prove nothing."""
    known, world = nothing(), World("w", 0, {"mapping": "m", "signing": "s"})
    for step in SCRIPT:
        before = repr(known)
        step.effect(world, known)
        assert repr(known) != before, step.operation
