"""A daemon with many functions is ready within two seconds, so its store has to be."""

import time
from pathlib import Path

import pytest

from lambdad.domain.arns import FunctionKey
from lambdad.storage.base import Change, InsertFunction, PutResource
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import a_function, a_resource

FUNCTIONS = 10_000
VERSIONS = ("$LATEST", "1", "2", "3", "4")
RESOURCES_EACH = 5
OPEN_S_MAX = 2.0


def function_with_resources(number: int) -> list[Change]:
    name = f"f{number:05}"
    key = FunctionKey(account_id="000000000000", region="us-east-1", name=name)
    return [
        *(
            InsertFunction(function=a_function(key=key, version=version, environment={"A": "b"}))
            for version in VERSIONS
        ),
        *(
            PutResource(
                resource=a_resource(name=f"{name}:a{item}", function=name, version=str(item), w={})
            )
            for item in range(RESOURCES_EACH)
        ),
    ]


@pytest.mark.slow
async def test_10_000_functions_of_5_versions_and_50_000_resources_open_in_two_seconds(
    tmp_path: Path,
) -> None:
    """The time of the process, not of the wall: what else the machine does must not count."""
    store = engine("sqlite")(tmp_path, FakeClock())
    await store.open()
    for number in range(0, FUNCTIONS, 100):
        changes = [c for n in range(number, number + 100) for c in function_with_resources(n)]
        await store.apply(*changes)
    await store.close()

    again = engine("sqlite")(tmp_path, FakeClock())
    begun = time.process_time()
    await again.open()
    spent_s = time.process_time() - begun
    last = FunctionKey(account_id="000000000000", region="us-east-1", name="f09999")
    versions = again.functions.versions(last)
    resources = again.resources.all("alias")
    await again.close()
    assert [function.version for function in versions] == list(VERSIONS)
    assert len(resources) == FUNCTIONS * RESOURCES_EACH
    assert spent_s < OPEN_S_MAX
