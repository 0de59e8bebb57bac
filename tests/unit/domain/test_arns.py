"""Names, partial ARNs and ARNs: what is written is what is read."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.controlplane.references import resolve
from lambdad.domain.aliases import alias_key, names_alias
from lambdad.domain.arns import LATEST, FunctionKey, parse_function_reference
from lambdad.domain.errors import ServiceException
from lambdad.protocol.model import load_service

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

names = st.text(ALPHABET, min_size=1, max_size=64)
versions = st.integers(1, 10**9).map(str)
aliases = st.text(ALPHABET, min_size=1, max_size=128).filter(lambda name: not name.isdigit())
qualifiers = st.none() | st.just(LATEST) | versions | aliases
accounts = st.text("0123456789", min_size=12, max_size=12)
regions = st.sampled_from(["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1"])
keys = st.builds(FunctionKey, account_id=accounts, region=regions, name=names)


def _pattern(shape: str) -> re.Pattern[str]:
    metadata = load_service("lambda").shape_for(shape).metadata
    return re.compile(metadata["pattern"])


def _qualified(text: str, qualifier: str | None) -> str:
    return text if qualifier is None else f"{text}:{qualifier}"


@given(key=keys, qualifier=qualifiers)
def test_an_arn_is_read_as_it_was_written(key: FunctionKey, qualifier: str | None) -> None:
    reference = parse_function_reference(key.arn(qualifier))
    assert reference is not None
    assert (reference.account_id, reference.region, reference.name, reference.qualifier) == (
        key.account_id,
        key.region,
        key.name,
        qualifier,
    )


def _reads_as_prefix(name: str) -> bool:
    """Whether `name:x` names the function x instead: AWS's patterns allow both readings."""
    return name == "function" or re.fullmatch(r"\d{12}", name) is not None


@given(key=keys, qualifier=qualifiers)
def test_every_form_of_a_name_means_the_same_function(
    key: FunctionKey, qualifier: str | None
) -> None:
    forms = (
        key.name,
        f"function:{key.name}",
        f"{key.account_id}:function:{key.name}",
        key.arn(),
    )
    for form in forms:
        if form == key.name and qualifier is not None and _reads_as_prefix(key.name):
            continue
        target = resolve(
            _qualified(form, qualifier),
            account_id=key.account_id,
            region=key.region,
            action="GetFunction",
        )
        assert (target.key, target.qualifier) == (key, qualifier)
        apart = resolve(
            form, qualifier, account_id=key.account_id, region=key.region, action="GetFunction"
        )
        assert apart == target


@given(key=keys, qualifier=qualifiers)
def test_what_lambdad_writes_the_service_model_takes(
    key: FunctionKey, qualifier: str | None
) -> None:
    assert _pattern("FunctionArn").fullmatch(key.arn(qualifier))
    assert _pattern("NamespacedFunctionName").fullmatch(key.arn(qualifier))
    if qualifier is not None:
        shape = "Alias" if names_alias(qualifier) else "Version"
        assert _pattern(shape).fullmatch(qualifier)


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused_and_never_breaks_anything(text: str) -> None:
    reference = parse_function_reference(text)
    if reference is not None:
        assert text.endswith(_qualified(reference.name, reference.qualifier))
    with contextlib.suppress(ServiceException):
        resolve(text, account_id="0" * 12, region="us-east-1", action="GetFunction")


@given(qualifier=versions | aliases)
def test_a_qualifier_is_a_version_or_an_alias_and_never_both(qualifier: str) -> None:
    assert names_alias(qualifier) is (not re.fullmatch("[0-9]+", qualifier))


@pytest.mark.parametrize("qualifier", [LATEST, "$LATEST.PUBLISHED", "0", "17"])
def test_latest_and_numbers_name_no_alias(qualifier: str) -> None:
    assert not names_alias(qualifier)


@given(one=st.tuples(names, aliases), other=st.tuples(names, aliases))
def test_aliases_of_different_functions_are_different_resources(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    (first, alias), (second, another) = one, other
    keys = [
        alias_key(FunctionKey(account_id="0" * 12, region="us-east-1", name=name), qualifier)
        for name, qualifier in ((first, alias), (second, another))
    ]
    assert (keys[0] == keys[1]) is (one == other)
