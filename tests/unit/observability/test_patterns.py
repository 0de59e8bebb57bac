import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.observability.patterns import InvalidPattern, compile_pattern

EVENT = json.dumps(
    {
        "level": "ERROR",
        "n": 7,
        "half": 0.5,
        "ok": True,
        "gone": None,
        "user": {"name": "alice", "ip": "123.123.4.5", "a.b": "dotted", "first-name": "A"},
        "tags": ["x", "y"],
        "objects": [{"id": 1}, {"id": 2}],
    }
)


def matches(pattern: str, message: str) -> bool:
    return compile_pattern(pattern)(message)


@pytest.mark.parametrize(
    ("pattern", "message", "wanted"),
    [
        ("", "anything", True),
        ("   ", "anything", True),
        ("ERROR", "[ERROR] failed", True),
        ("ERROR", "[error] failed", False),
        ("ERROR failed", "failed with ERROR", True),
        ("ERROR failed", "ERROR", False),
        ('"out of memory"', "ran out of memory", True),
        ('"out of memory"', "memory of out", False),
        ('"say \\"hi\\""', 'say "hi"', True),
        ("?ERROR ?WARN", "a WARN", True),
        ("?ERROR ?WARN", "an INFO", False),
        ('ERROR -"exit 0"', "ERROR exit 1", True),
        ('ERROR -"exit 0"', "ERROR exit 0", False),
        ("-DEBUG", "INFO", True),
        ("-DEBUG", "DEBUG", False),
        ("INFO ?ERROR", "INFO", True),
        ("zażółć", "zażółć gęślą", True),
    ],
)
def test_terms(pattern, message, wanted):
    assert matches(pattern, message) is wanted


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ('{ $.level = "ERROR" }', True),
        ("{ $.level = ERROR }", True),
        ('{$.level="WARN"}', False),
        ('{ $.level != "WARN" }', True),
        ('{ $.absent != "WARN" }', False),
        ('{ $.level = "ERR*" }', True),
        ('{ $.level = "*RR*R" }', True),
        ('{ $.level = "*RRR*" }', False),
        ('{ $.level = "ERROR*ERROR" }', False),
        ("{ $.user.ip = 123.123.* }", True),
        ("{ $.n = 7 }", True),
        ("{ $.n > 6 && $.n <= 7 }", True),
        ("{ $.n < 7 }", False),
        ("{ $.n != 8 }", True),
        ("{ $.half >= 5e-1 }", True),
        ("{ $.ok IS TRUE }", True),
        ("{ $.ok IS FALSE }", False),
        ("{ $.gone IS NULL }", True),
        ("{ $.absent IS NULL }", False),
        ("{ $.absent NOT EXISTS }", True),
        ("{ $.gone EXISTS }", True),
        ("{ $.ok = true }", True),
        ('{ $.tags[1] = "y" }', True),
        ('{ $.tags[2] = "y" }', False),
        ('{ $.tags[*] = "x" }', True),
        ("{ $.objects[*].id = 2 }", True),
        ("{ $.user['a.b'] = dotted }", True),
        ('{ $.user.["a.b"] = dotted }', True),
        ("{ $.user.first-name = A }", True),
        ('{ ($.n = 1) || ($.level = "ERROR" && ($.user.name = alice)) }', True),
        ("{ $.n = 1 || $.n = 2 && $.n = 7 }", False),
        ("{ $.user.name.more = x }", False),
        ("{ $.level > 3 }", False),
    ],
)
def test_json(pattern, wanted):
    assert matches(pattern, EVENT) is wanted


@pytest.mark.parametrize("message", ["", "text", "[1]", '{"n": 7', '{"a":' * 100_000, "7"])
def test_what_is_no_object_never_matches(message):
    assert matches("{ $.n != 1 }", message) is False
    assert matches("{ $.n NOT EXISTS }", message) is False


@pytest.mark.parametrize(
    "pattern",
    [
        "{",
        "{}",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ $.a = 1 } x",
        "{ $.a = 1 && }",
        "{ $.a > word }",
        "{ $.a IS MAYBE }",
        "{ $.a NOT }",
        "{ a = 1 }",
        "{ $.a == 1 }",
        "{ $.a = %(x)% }",
        "{ " + "(" * 500 + "$.a = 1" + ")" * 500 + " }",
        "[a, a]",
        "%re(gex%",
        "a.b",
        '"open',
        '"a"b',
        "-",
    ],
)
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_pattern_fails_otherwise_than_by_refusal(pattern, message):
    for text in (pattern, "{" + pattern, f"{{ $.{pattern} = {pattern} }}"):
        try:
            matcher = compile_pattern(text)
        except InvalidPattern:
            continue
        assert matcher(message) in (True, False)


@given(st.lists(st.text(st.sampled_from("ab"), max_size=4), min_size=1, max_size=5), st.data())
def test_a_wildcard_matches_what_has_its_parts_in_order(parts, data):
    filler = st.text(st.sampled_from("abc"), max_size=3)
    text = parts[0] + "".join(data.draw(filler) + part for part in parts[1:])
    assert matches('{ $.t = "' + "*".join(parts) + '" }', json.dumps({"t": text}))


@given(st.text(st.sampled_from("ab*"), max_size=6), st.text(st.sampled_from("ab"), max_size=8))
def test_a_wildcard_means_what_a_regular_expression_means(pattern, text):
    wanted = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
    assert matches('{ $.t = "' + pattern + '" }', json.dumps({"t": text})) is wanted
