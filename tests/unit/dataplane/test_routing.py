"""Which version a request runs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.dataplane.routing import route
from lambdad.domain.aliases import Alias, from_resource, to_resource
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.errors import ResourceConflictException, ResourceNotFoundException
from lambdad.domain.functions import Function, State, Status, UpdateStatus
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.testing.functions import FUNCTION_KEY, a_function


class Store:
    """Versions of one function and aliases, in a dictionary."""

    def __init__(self, *functions: Function, aliases: Mapping[str, Alias] | None = None) -> None:
        self.versions = {(function.key, function.version): function for function in functions}
        stored = map(to_resource, (aliases or {}).values())
        self.resources = {resource.key: resource for resource in stored}
        self.reads = 0

    @property
    def changes(self) -> int:
        return 0

    def runtimes(self) -> frozenset[tuple[str, int]]:
        return frozenset()

    def get(self, key: FunctionKey | ResourceKey, version: str = LATEST) -> object:
        self.reads += 1
        if isinstance(key, ResourceKey):
            return self.resources.get(key)
        return self.versions.get((key, version))


def an_alias(**members: object) -> Alias:
    return Alias(**{"function": FUNCTION_KEY, "name": "live", "version": "1", **members})  # type: ignore[arg-type]


def three_versions(**alias: object) -> Store:
    functions = (a_function(version=version) for version in (LATEST, "1", "2"))
    return Store(*functions, aliases={"live": an_alias(**alias)})


def routed(store: Store, qualifier: str | None, draw: float = 0.5) -> str:
    return route(store, store, FUNCTION_KEY, qualifier, draw=lambda: draw).version  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("qualifier", "version"),
    [(None, LATEST), (LATEST, LATEST), ("1", "1"), ("2", "2"), ("live", "1")],
)
def test_a_qualifier_leads_to_its_version(qualifier: str | None, version: str) -> None:
    assert routed(three_versions(), qualifier) == version


def test_an_alias_of_latest_runs_latest() -> None:
    assert routed(three_versions(version=LATEST), "live") == LATEST


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("7", f"Function not found: {FUNCTION_KEY.arn('7')}"),
        ("other", f"Cannot find alias arn: {FUNCTION_KEY.arn('other')}"),
        ("$LATEST.PUBLISHED", f"Function not found: {FUNCTION_KEY.arn('$LATEST.PUBLISHED')}"),
    ],
)
def test_a_qualifier_of_nothing_is_refused(qualifier: str, message: str) -> None:
    with pytest.raises(ResourceNotFoundException) as refused:
        routed(three_versions(), qualifier)
    assert (refused.value.message, refused.value.members) == (message, {"Type": "User"})


@pytest.mark.parametrize("qualifier", [None, "1", "live"])
def test_a_function_that_is_not_there_is_not_found_whatever_the_qualifier(
    qualifier: str | None,
) -> None:
    with pytest.raises(ResourceNotFoundException) as refused:
        routed(Store(), qualifier)
    assert refused.value.message == f"Function not found: {FUNCTION_KEY.arn(qualifier)}"


@pytest.mark.parametrize(
    ("draw", "version"), [(0.0, "2"), (0.2499, "2"), (0.25, "1"), (0.999, "1")]
)
def test_the_draw_decides_between_two_versions(draw: float, version: str) -> None:
    assert routed(three_versions(weights={"2": 0.25}), "live", draw) == version


@pytest.mark.parametrize("weight", [0.0, 0.01, 0.1, 0.5, 0.9, 1.0])
def test_traffic_is_shared_as_the_weight_says(weight: float) -> None:
    store = three_versions(weights={"2": weight})
    source = random.Random(20_260_101)  # noqa: S311 - it must be the same every time
    requests = 20_000
    seen = Counter(
        route(store, store, FUNCTION_KEY, "live", draw=source.random).version  # type: ignore[arg-type]
        for _ in range(requests)
    )
    # Five standard deviations of a binomial distribution.
    tolerance = 5 * (weight * (1 - weight) / requests) ** 0.5
    assert abs(seen["2"] / requests - weight) <= tolerance
    assert seen["1"] + seen["2"] == requests


def test_no_number_is_drawn_where_there_is_nothing_to_choose() -> None:
    def never() -> float:
        raise AssertionError("drawn")

    store = three_versions()
    for qualifier in (None, "1", "live"):
        route(store, store, FUNCTION_KEY, qualifier, draw=never)  # type: ignore[arg-type]


def test_a_route_costs_at_most_two_reads_of_memory() -> None:
    store = three_versions(weights={"2": 0.5})
    routed(store, "live")
    assert store.reads == 2


def test_while_an_update_is_in_progress_the_old_configuration_runs() -> None:
    old = a_function(memory_mb=128)
    updating = a_function(
        memory_mb=256,
        status=Status(state=State.ACTIVE, last_update=UpdateStatus.IN_PROGRESS),
        in_service=old,
    )
    store = Store(updating)
    assert route(store, store, FUNCTION_KEY, None, draw=random.random) is old  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [State.PENDING, State.FAILED, State.INACTIVE])
def test_what_is_not_active_does_not_run(state: State) -> None:
    store = Store(a_function(status=Status(state=state)))
    with pytest.raises(ResourceConflictException) as refused:
        routed(store, None)
    assert refused.value.message.endswith(f"following state: {state}")


names = st.text("abcXYZ019-_", min_size=1, max_size=12)


@given(
    name=names,
    version=st.sampled_from([LATEST, "1", "20"]),
    description=st.text(max_size=20),
    weights=st.dictionaries(st.sampled_from(["3", "4"]), st.floats(0, 1), max_size=1),
)
def test_an_alias_is_read_as_it_was_stored(
    name: str, version: str, description: str, weights: dict[str, float]
) -> None:
    alias = an_alias(
        name=name, version=version, description=description, weights=weights, revision_id="r"
    )
    resource: Resource = to_resource(alias)
    assert from_resource(FUNCTION_KEY, resource) == alias
    assert resource.function == FUNCTION_KEY.name


@given(weight=st.floats(0, 1), draw=st.floats(0, 1, exclude_max=True))
def test_a_version_without_weight_never_runs(weight: float, draw: float) -> None:
    assert an_alias(weights={"2": 0.0}).choose(draw) == "1"
    assert an_alias(weights={"2": 1.0}).choose(draw) == "2"
    assert an_alias(weights={"2": weight}).choose(draw) in ("1", "2")
