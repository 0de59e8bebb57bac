"""AWS's own Python client and ours post the same documents for the same functions."""

import json
import sys

import pytest

HERE = f"python3.{sys.version_info[1]}"

APP = """
import collections, decimal, enum, math
Point = collections.namedtuple("Point", "x y")
class Colour(enum.IntEnum):
    RED = 1
class Odd(Exception):
    def __str__(self):
        return "odd\\nerror"
def deep(n):
    return deep(n - 1) if n else 1 / 0
CASES = [
    lambda c: {"é": ["\\u2028", 1.5, 1e22, None, True]},
    lambda c: b"\\x00\\xff",
    lambda c: decimal.Decimal("1.10"),
    lambda c: {"a": decimal.Decimal("-NaN"), "b": decimal.Decimal("Infinity")},
    lambda c: [Point(1, {"k": Point(1, 2)}), Colour.RED, math.nan],
    lambda c: {b"k": b"v", 1: 2, None: 3, 2.5: 4},
    lambda c: {"a": b"\\xff"},
    lambda c: {(1,): 2},
    lambda c: {decimal.Decimal(1): 1},
    lambda c: {1, 2},
    lambda c: object,
    lambda c: range(3),
    lambda c: deep(3),
    lambda c: [][1],
    lambda c: (_ for _ in ()).throw(Odd()),
    lambda c: c.identity.cognito_identity_id,
    lambda c: repr(c.client_context),
    lambda c: repr(c),
    lambda c: {"x": c.memory_limit_in_mb, "y": c.tenant_id},
    lambda c: "x" * 100_000,
]
def handler(event, context):
    return CASES[event](context)
"""

MODULES = [
    ("app.handler", "import nothing_there"),
    ("app.handler", "from os import nothing_there"),
    ("app.nope", "handler = 1"),
    ("app", ""),
    ("sys.handler", ""),
    ("app.handler", "def handler(:"),
    ("app.handler", "1 / 0"),
    ("absent.handler", ""),
    ("app.handler", "def f():\n    raise KeyError('x')\nf()"),
]


@pytest.mark.slow
async def test_every_answer_and_error_is_the_same(guest, awslambdaric):
    count = APP.count("lambda c:")
    ours = await guest.run(HERE, {"app.py": APP}, range(count))
    theirs = await guest.run(
        HERE, {"app.py": APP}, range(count), command=[*awslambdaric, "app.handler"]
    )
    assert len(theirs.posts) == count
    for mine, reference in zip(ours.posts, theirs.posts, strict=True):
        assert mine.kind == reference.kind
        assert mine.body == reference.body
        assert mine.headers["content-type"] == reference.headers["content-type"]
    assert ours.log == theirs.log


@pytest.mark.slow
@pytest.mark.parametrize(("handler", "app"), MODULES)
async def test_every_failure_to_initialise_is_the_same(guest, awslambdaric, handler, app):
    files = {"app.py": app + "\n"}
    ours = await guest.run(HERE, files, handler=handler)
    theirs = await guest.run(HERE, files, handler=handler, command=[*awslambdaric, handler])
    (mine,), (reference,) = ours.posts, theirs.posts
    assert (mine.kind, ours.exit_code) == (reference.kind, theirs.exit_code)
    error_type = "lambda-runtime-function-error-type"
    assert mine.headers[error_type] == reference.headers[error_type]
    assert without_interpreter(mine.document) == without_interpreter(reference.document)


def without_interpreter(document):
    """The two may run on different installations of the same Python."""
    text = json.dumps(document)
    return json.loads(text.replace(sys.base_prefix, "PREFIX").replace("/root/.pyenv", "PREFIX"))
