"""What of a function's layers reaches its sandbox and its runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambdad.domain.errors import HostUnfit, PlatformError
from lambdad.domain.functions import Code
from lambdad.domain.layers import merged_digest
from lambdad.testing.functions import a_function
from lambdad.testing.sandbox import FakeGuest

Make = Callable[..., Any]

CODE, ONE, TWO = (Code(sha256="x=", size_bytes=1, digest=digit * 64) for digit in "012")


async def echo(guest: FakeGuest) -> None:
    while True:
        request_id, payload = await guest.next()
        await guest.respond(request_id, payload)


def mounts_of(plane: Any) -> dict[str, str]:
    """Directories below the package store, by where they are mounted."""
    return {mount.target: mount.source.name for mount in plane.backend.sandboxes[-1].spec.mounts}


async def test_without_layers_nothing_lies_on_opt(dataplane: Make) -> None:
    plane = dataplane(echo, a_function(code=CODE))
    await plane.invoke()
    assert mounts_of(plane) == {"/var/task": CODE.digest}
    assert plane.packages.merged == []


async def test_one_layer_is_mounted_as_it_is(dataplane: Make) -> None:
    plane = dataplane(echo, a_function(code=CODE, layer_packages=(ONE,)))
    await plane.invoke()
    assert mounts_of(plane) == {"/var/task": CODE.digest, "/opt": ONE.digest}


async def test_several_layers_are_merged_before_they_are_mounted(dataplane: Make) -> None:
    plane = dataplane(echo, a_function(code=CODE, layer_packages=(TWO, ONE)))
    await plane.invoke()
    digests = [TWO.digest, ONE.digest]
    assert plane.packages.merged == [digests]
    assert mounts_of(plane)["/opt"] == merged_digest(digests)


async def test_layers_are_merged_when_the_function_changes_not_when_it_is_invoked(
    dataplane: Make,
) -> None:
    plane = dataplane(echo)
    merged = plane.packages.merged
    plane.invoker.version_changed(a_function(code=CODE, layer_packages=(ONE, TWO)))
    await plane.invoke()  # of a function that has none
    assert merged == [[ONE.digest, TWO.digest]]


async def test_packages_of_running_environments_are_in_use(dataplane: Make) -> None:
    function = a_function(code=CODE, layer_packages=(ONE, TWO))
    plane = dataplane(echo, function)
    await plane.invoke()
    plane.shelf.function = a_function(code=CODE, revision_id="r2")
    assert plane.invoker.digests() == function.packages
    plane.invoker.version_changed(plane.shelf.function)
    await plane.settled()
    assert plane.invoker.digests() == frozenset()


async def test_other_layers_take_another_environment(dataplane: Make) -> None:
    plane = dataplane(echo, a_function(code=CODE, layer_packages=(ONE,)))
    await plane.invoke()
    plane.shelf.function = a_function(code=CODE, layer_packages=(TWO,), revision_id="r2")
    await plane.invoke()
    assert len(plane.backend.sandboxes) == 2
    assert mounts_of(plane)["/opt"] == TWO.digest


@pytest.mark.parametrize(
    ("present", "started"),
    [
        ((ONE,), "/opt/bootstrap"),
        ((CODE, ONE), "/var/task/bootstrap"),
    ],
)
async def test_a_bootstrap_is_looked_for_in_the_code_and_then_in_the_layers(
    dataplane: Make, tmp_path: Path, present: tuple[Code, ...], started: str
) -> None:
    begun = []

    async def look(guest: FakeGuest) -> None:
        begun.append(guest.argv)
        await echo(guest)

    for package in (CODE, ONE):
        (tmp_path / package.digest).mkdir()
    for package in present:
        program = tmp_path / package.digest / "bootstrap"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    function = a_function(code=CODE, layer_packages=(ONE,), runtime="provided.al2023")
    plane = dataplane(look, function)
    plane.packages.root = tmp_path
    result = await plane.invoke()
    assert result.function_error is None, result
    assert begun == [(started,)]


async def test_layers_that_cannot_be_merged_fail_the_invocation_not_the_daemon(
    dataplane: Make,
) -> None:
    plane = dataplane(echo, a_function(code=CODE, layer_packages=(ONE, TWO)))

    async def full(digests: object) -> None:
        raise HostUnfit("No space is left.", "Free some.")

    plane.packages.merge = full
    with pytest.raises(PlatformError):
        await plane.invoke()
    await plane.settled()
    assert plane.backend.sandboxes == []
