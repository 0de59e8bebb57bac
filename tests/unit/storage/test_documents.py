"""What is written down about a function is read back the same."""

from dataclasses import dataclass
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Code, Function, LoggingConfig, State, Status, UpdateStatus
from lambdad.storage.documents import decode, encode
from lambdad.testing.functions import a_function

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
FUNCTIONS = st.builds(
    Function,
    key=st.builds(FunctionKey),
    code=st.builds(Code),
    status=st.builds(
        Status, state=st.sampled_from(State), last_update=st.none() | st.sampled_from(UpdateStatus)
    ),
    logging=st.builds(LoggingConfig),
    environment=st.none() | TEXTS,
    layers=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    architectures=st.just(("arm64",)),
    echoed=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    tags=TEXTS,
)


@given(FUNCTIONS)
def test_decoding_undoes_encoding(function: Function) -> None:
    assert decode(Function, encode(function)) == function


def test_a_field_that_is_missing_takes_its_default() -> None:
    """So a field may be added without a migration."""
    text = encode(a_function()).replace('"memory_mb":128,', "")
    assert decode(Function, text) == a_function()


def test_a_field_that_no_longer_exists_is_ignored() -> None:
    text = encode(a_function()).replace("{", '{"colour":"blue",', 1)
    assert decode(Function, text) == a_function()


def test_what_is_no_function_is_an_error() -> None:
    for text in ("{}", "nonsense", '{"key":{}}'):
        with pytest.raises((TypeError, ValueError)):
            decode(Function, text)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Leaf:
    colour: Colour


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    named: dict[str, Leaf]
    best: Leaf | None = None


def test_dataclasses_are_found_at_every_depth() -> None:
    leaf = Leaf(Colour.RED)
    for tree in (Tree((leaf,), {"a": leaf}, leaf), Tree((), {})):
        assert decode(Tree, encode(tree)) == tree


@dataclass(frozen=True)
class Ambiguous:
    either: Leaf | Tree


def test_members_that_json_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(TypeError, match="apart"):
        decode(Ambiguous, "{}")
