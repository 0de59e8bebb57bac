"""Names of layers, and what a function needs of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.domain.functions import Code
from lambdad.domain.layers import LayerKey, LayerReference, merged_digest, parse_layer_arn
from lambdad.testing.functions import a_function

KEYS = st.builds(
    LayerKey,
    account_id=st.from_regex(r"[0-9]{12}", fullmatch=True),
    region=st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"]),
    name=st.from_regex(r"[a-zA-Z0-9_-]{1,140}", fullmatch=True),
)


@given(key=KEYS, version=st.none() | st.integers(0, 10**9))
def test_an_arn_names_what_it_was_made_of(key: LayerKey, version: int | None) -> None:
    assert parse_layer_arn(key.arn(version)) == LayerReference(key=key, version=version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "layer",
        "arn:aws:lambda:us-east-1:000000000000:function:f",
        "arn:aws:lambda:us-east-1:000000000000:layer:l:",
        "arn:aws:lambda:us-east-1:000000000000:layer:l:1:2",
        "arn:aws:lambda:us-east-1:000000000000:layer:l:x",
        "arn:aws:lambda:us-east-1:00000000000:layer:l:1",
        "arn:aws:lambda:us-east-1:000000000000:layer:l:1\n",
        "arn:aws:lambda:::awslayer:AmazonLinux1803",
    ],
)
def test_other_text_is_no_layer(text: str) -> None:
    assert parse_layer_arn(text) is None


@given(digests=st.lists(st.from_regex(r"[0-9a-f]{64}", fullmatch=True), min_size=2, unique=True))
def test_the_key_of_a_merged_tree_depends_on_the_order(digests: list[str]) -> None:
    assert merged_digest(digests) == merged_digest(list(digests))
    assert merged_digest(digests) != merged_digest(digests[::-1])
    assert merged_digest(digests) not in digests


def test_one_package_is_its_own_tree() -> None:
    assert merged_digest(["ab"]) == "ab"


def test_a_function_needs_its_code_its_layers_and_what_they_make_together() -> None:
    code, one, two = (Code(sha256="x=", size_bytes=1, digest=d * 64) for d in "012")
    assert a_function(code=code).packages == {code.digest}
    assert a_function(code=code).layer_tree is None
    single = a_function(code=code, layer_packages=(one,))
    assert single.layer_tree == one.digest
    assert single.packages == {code.digest, one.digest}
    both = a_function(code=code, layer_packages=(one, two))
    merged = merged_digest([one.digest, two.digest])
    assert both.layer_tree == merged
    assert both.packages == {code.digest, one.digest, two.digest, merged}


def test_what_still_serves_is_needed_too() -> None:
    new, old, layer = (Code(sha256="x=", size_bytes=1, digest=d * 64) for d in "012")
    updating = a_function(code=new, in_service=a_function(code=old, layer_packages=(layer,)))
    assert updating.packages == {new.digest, old.digest, layer.digest}
