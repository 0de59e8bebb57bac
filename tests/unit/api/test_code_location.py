"""Links to packages."""

from __future__ import annotations

from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from lambdad.api import code_location
from lambdad.domain.layers import LayerKey
from lambdad.testing.functions import FUNCTION_KEY

SECRET = b"secret"
DIGEST = "0a" * 32
LINK = urlsplit(
    code_location.sign(
        SECRET, base_url="http://h:1", key=FUNCTION_KEY, digest=DIGEST, now_s=1_000.5
    )
)


def test_a_genuine_link_leads_to_its_package_until_it_expires() -> None:
    for now_s in (0.0, 1_600.0):
        package = code_location.verify(SECRET, path=LINK.path, query=LINK.query, now_s=now_s)
        assert package == code_location.Package(key=FUNCTION_KEY, digest=DIGEST)
    assert code_location.verify(SECRET, path=LINK.path, query=LINK.query, now_s=1_600.1) is None


def test_a_layer_of_a_functions_name_has_a_link_of_its_own() -> None:
    key = LayerKey(account_id="000000000000", region="us-east-1", name=FUNCTION_KEY.name)
    link = urlsplit(
        code_location.sign(SECRET, base_url="http://h:1", key=key, digest=DIGEST, now_s=0)
    )
    package = code_location.verify(SECRET, path=link.path, query=link.query, now_s=0)
    assert package == code_location.Package(key=key, digest=DIGEST)
    assert code_location.verify(SECRET, path=LINK.path, query=link.query, now_s=0) is None


def test_another_secret_does_not_verify() -> None:
    assert code_location.verify(b"other", path=LINK.path, query=LINK.query, now_s=0) is None


@given(at=st.integers(0, len(LINK.query) - 1), character=st.characters())
def test_a_link_with_one_character_changed_leads_nowhere_else(at: int, character: str) -> None:
    query = LINK.query[:at] + character + LINK.query[at + 1 :]
    package = code_location.verify(SECRET, path=LINK.path, query=query, now_s=0)
    assert package in (None, code_location.Package(key=FUNCTION_KEY, digest=DIGEST))


@given(path=st.text(), query=st.text())
def test_garbage_leads_nowhere_and_breaks_nothing(path: str, query: str) -> None:
    assert code_location.verify(SECRET, path=path, query=query, now_s=0) is None
