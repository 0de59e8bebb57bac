"""What is kept of borrowed services, and which requests change them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdad.neighbours.borrowed.journal import Entry, Journal
from lambdad.neighbours.borrowed.program import changes


def entry(number: int) -> Entry:
    return Entry(
        number=number,
        time_s=1.5,
        method="POST",
        path="/",
        query="",
        headers={"HTTP_X": "y"},
        body=b"\0\xff",
    )


def test_entries_come_back_in_order_with_their_seeds(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    for number in (1, 3):
        journal.append(entry(number))
    seeds = [journal.seed(number) for number in (1, 3)]
    again = Journal(tmp_path / "j")
    assert list(again.replay()) == [entry(1), entry(3)]
    assert [again.seed(number) for number in (1, 3)] == seeds
    assert again.last_number == 3


def test_an_entry_that_a_crash_cut_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append(entry(1))
    whole = path.read_bytes()
    journal.append(entry(2))
    for cut in range(len(whole), path.stat().st_size):
        torn = tmp_path / "torn"
        torn.write_bytes(path.read_bytes()[:cut])
        kept = Journal(torn)
        assert [each.number for each in kept.replay()] == [1]
        kept.append(entry(2))
        assert [each.number for each in Journal(torn).replay()] == [1, 2]


def test_no_two_journals_have_the_same_seeds(tmp_path: Path) -> None:
    assert Journal(tmp_path / "a").seed(1) != Journal(tmp_path / "b").seed(1)


@pytest.mark.parametrize(
    ("method", "target", "query", "body", "changing"),
    [
        ("POST", "AmazonSSM.PutParameter", "", b"{}", True),
        ("POST", "AmazonSSM.GetParameter", "", b"{}", False),
        ("POST", "TrentService.Decrypt", "", b"{}", False),
        ("POST", "X.Listen", "", b"{}", True),
        ("POST", "", "", b"Action=ListRoles&Version=1", False),
        ("POST", "", "", b"Action=CreateRole&Version=1", True),
        ("GET", "", "Action=CreateRole", b"", True),
        ("GET", "", "", b"", False),
        ("PUT", "", "", b"", True),
    ],
)
def test_what_may_change_something_is_kept(
    method: str, target: str, query: str, body: bytes, changing: bool
) -> None:
    form = "" if target or not body else "application/x-www-form-urlencoded"
    assert changes(method, target, query, body, form) is changing
