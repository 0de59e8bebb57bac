"""Accounts of callers."""

from __future__ import annotations

import pytest

from lambdad.authz.principals import account_of, temporary_access_key


@pytest.mark.parametrize(
    ("access_key", "account"),
    [
        (None, "000000000000"),
        ("", "000000000000"),
        ("test", "000000000000"),
        ("AKIAIOSFODNN7EXAMPLE", "000000000000"),
        ("1111222233334", "000000000000"),
        ("١١١١٢٢٢٢٣٣٣٣", "000000000000"),  # digits, but not ASCII
        ("111122223333", "111122223333"),
    ],
)
def test_twelve_digits_name_an_account_and_all_else_is_the_default(
    access_key: str | None, account: str
) -> None:
    assert account_of(access_key) == account


def test_temporary_credentials_keep_their_account() -> None:
    assert account_of(temporary_access_key("111122223333")) == "111122223333"
