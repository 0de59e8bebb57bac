"""Violated constraints are told in AWS's own sentences."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.protocol.errors import ValidationError
from lambdad.protocol.model import load_service
from lambdad.protocol.patterns import compile_pattern
from lambdad.protocol.validator import validate

SERVICES = ("lambda", "logs", "sts")
PATTERNS = sorted(
    {
        shape["pattern"]
        for service in SERVICES
        for shape in load_service(service)._service_description["shapes"].values()
        if "pattern" in shape
    }
)
FUNCTION_NAME = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
TAG = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"


def refusal(operation: str, params: dict[str, Any], service: str = "lambda") -> str | None:
    """Return the text of the refusal, None if the parameters are accepted."""
    try:
        validate(load_service(service).operation_model(operation), params)
    except ValidationError as error:
        return error.message
    return None


def a_function(**members: Any) -> dict[str, Any]:
    role = "arn:aws:iam::000000000000:role/r"
    return {"FunctionName": "f", "Role": role, "Code": {"ZipFile": b"zip"}, **members}


def constraint(subject: str, phrase: str) -> str:
    return f"1 validation error detected: {subject} failed to satisfy constraint: {phrase}"


def test_what_satisfies_the_model_is_accepted() -> None:
    tags = {"Größe": "a b/c", "": ""}
    environment = {"Variables": {"NAME": "anything"}}
    assert refusal("GetFunction", {"FunctionName": "f:$LATEST"}) is None
    assert refusal("CreateFunction", a_function(Environment=environment, MemorySize=128)) is None
    assert refusal("TagResource", {"Resource": "x", "Tags": tags}) is not None
    assert refusal("CreateFunction", a_function(Tags={"Größe": "a b/c", "x": ""})) is None


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"Role": None}, constraint("Value null at 'role'", "Member must not be null")),
        (
            {"FunctionName": "a b"},
            constraint(
                "Value 'a b' at 'functionName'",
                f"Member must satisfy regular expression pattern: {FUNCTION_NAME}",
            ),
        ),
        (
            {"FunctionName": "a" * 141},
            constraint(
                f"Value '{'a' * 141}' at 'functionName'",
                "Member must have length less than or equal to 140",
            ),
        ),
        (
            {"MemorySize": 127},
            constraint(
                "Value '127' at 'memorySize'", "Member must have value greater than or equal to 128"
            ),
        ),
        (
            {"MemorySize": 32769},
            constraint(
                "Value '32769' at 'memorySize'",
                "Member must have value less than or equal to 32768",
            ),
        ),
        (
            {"PackageType": "Jar"},
            constraint(
                "Value 'Jar' at 'packageType'", "Member must satisfy enum value set: [Zip, Image]"
            ),
        ),
        (
            {"TracingConfig": {"Mode": "On"}},
            constraint(
                "Value 'On' at 'tracingConfig.mode'",
                "Member must satisfy enum value set: [Active, PassThrough]",
            ),
        ),
        (
            {"Architectures": ["mips"]},
            constraint(
                "Value '[mips]' at 'architectures'",
                "Member must satisfy constraint: [Member must satisfy enum value set: "
                "[x86_64, arm64], Member must not be null]",
            ),
        ),
        (
            {"Architectures": [None]},
            constraint(
                "Value '[null]' at 'architectures'",
                "Member must satisfy constraint: [Member must satisfy enum value set: "
                "[x86_64, arm64], Member must not be null]",
            ),
        ),
        (
            {"Tags": {"a#": "b"}},
            constraint(
                "Value '{a#=b}' at 'tags'",
                "Map keys must satisfy constraint: [Member must have length less than or equal to "
                "128, Member must have length greater than or equal to 1, Member must satisfy "
                f"regular expression pattern: {TAG}]",
            ),
        ),
        (
            {"Tags": {"a": "#"}},
            constraint(
                "Value '{a=#}' at 'tags'",
                "Map value must satisfy constraint: [Member must have length less than or equal "
                "to 256, Member must have length greater than or equal to 0, Member must satisfy "
                f"regular expression pattern: {TAG}, Member must not be null]",
            ),
        ),
        (
            {"Environment": {"Variables": {"1": "secret"}}},
            constraint(
                "Value at 'environment.variables'",
                "Map keys must satisfy constraint: [Member must satisfy regular expression "
                "pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
            ),
        ),
    ],
)
def test_each_constraint_has_its_sentence(members: dict[str, Any], expected: str) -> None:
    assert refusal("CreateFunction", a_function(**members)) == expected


def test_elements_that_are_not_a_layer_version_are_told_once_for_the_list() -> None:
    text = refusal("CreateFunction", a_function(Layers=["x", "y"]))
    assert text is not None
    assert text.startswith(
        "1 validation error detected: Value '[x, y]' at 'layers' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must have length less than or equal to 2048, "
        "Member must have length greater than or equal to 1, "
        "Member must satisfy regular expression pattern: "
    )
    assert text.endswith(", Member must not be null]")


def test_weights_print_their_bounds_as_the_model_has_them() -> None:
    weights = {"FunctionName": "f", "Name": "a", "FunctionVersion": "1"}
    weights["RoutingConfig"] = {"AdditionalVersionWeights": {"2": 1.5}}  # type: ignore[assignment]
    assert refusal("CreateAlias", weights) == constraint(
        "Value '{2=1.5}' at 'routingConfig.additionalVersionWeights'",
        "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
        "Member must have value greater than or equal to 0.0, Member must not be null]",
    )


def test_members_of_listed_structures_are_named_by_position() -> None:
    events = {"logGroupName": "g", "logStreamName": "s"}
    good, bad = {"timestamp": 1, "message": "m"}, {"timestamp": -1, "message": ""}
    text = refusal("PutLogEvents", {**events, "logEvents": [good, bad]}, "logs")
    assert text == (
        "2 validation errors detected: Value '-1' at 'logEvents.2.member.timestamp' failed to "
        "satisfy constraint: Member must have value greater than or equal to 0; Value '' at "
        "'logEvents.2.member.message' failed to satisfy constraint: Member must have length "
        "greater than or equal to 1"
    )


def test_all_violations_are_told_at_once() -> None:
    text = refusal("CreateFunction", {})
    assert text == "3 validation errors detected: " + "; ".join(
        f"Value null at '{name}' failed to satisfy constraint: Member must not be null"
        for name in ("functionName", "role", "code")
    )


def test_lenient_members_are_left_to_the_service() -> None:
    operation = load_service("lambda").operation_model("CreateFunction")
    validate(operation, a_function(Runtime="cobol"), lenient={"Runtime"})
    with pytest.raises(ValidationError):
        validate(operation, a_function(Runtime="cobol"))


def test_a_refusal_stays_an_answer_however_much_is_wrong() -> None:
    events = {"logGroupName": "g", "logStreamName": "s"}
    bad = [{"timestamp": -1, "message": "m"}] * 5_000
    text = refusal("PutLogEvents", {**events, "logEvents": bad}, "logs")
    assert text is not None
    assert len(text) < 20_000
    text = refusal("GetFunction", {"FunctionName": "a" * 1_000_000})
    assert text is not None
    assert len(text) < 20_000


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_of_the_models_is_understood(pattern: str) -> None:
    compile_pattern(pattern)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_takes_long(pattern: str) -> None:
    """A pattern that backtracks without end would stop the whole daemon."""
    compiled = compile_pattern(pattern)
    pieces = ("a", "a-", "1", "arn:aws:lambda:us-east-1:", "a.", "/a", " ", ":", "_1", "*")
    started = time.thread_time()
    for piece in pieces:
        compiled.fullmatch(piece * (2_048 // len(piece)) + "\0")
    assert time.thread_time() - started < 1.0


@pytest.mark.parametrize(
    ("pattern", "text", "accepted"),
    [
        (r"\d+", "12", True),
        (r"\d+", "\u0663", False),  # Java's \d is ASCII
        (r"[\w-_]*", "a-_", True),
        (r"[\w-_]*", "ä", False),
        (r"[^\s]+", "a b", False),
        (r"[\s\S]+", "a b\n日\0", True),
        (r"[\S]+", "a\u2003日", True),
        (r"[\S]+", "a\n", False),
        (r"\W[\W][\D]", "-ä^", True),
        (r"[\W]", "_", False),
        (r"[\D]", "7", False),
        (r".+", "a\u2028", False),  # Java's dot stops at more line ends
        (TAG, "Größe ٣ 日本", True),
        (TAG, "a#", False),
        (TAG, "a\n", False),
        (r"[\p{L}]+", "aä日", True),
        (r"[\p{L}]+", "a1", False),
        (r"\p{N}+", "1٣Ⅷ", True),
        (r"^a$", "a\n", False),
        (r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "12", False),
        (r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "12a", True),
        (r"[\x21-\x7E]+", "a~!", True),
        (r"[\u0020-\u00FF]+", "ÿ", True),
    ],
)
def test_patterns_mean_what_they_mean_in_java(pattern: str, text: str, accepted: bool) -> None:
    assert bool(compile_pattern(pattern).fullmatch(text)) is accepted


@pytest.mark.parametrize("pattern", ["[a&&b]", "[a[b]]", r"\p{Javanese}", "[a", "a\\", "(a"])
def test_what_has_no_translation_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|property|sets"):
        compile_pattern(pattern)


@given(st.text())
def test_any_name_is_accepted_or_refused(name: str) -> None:
    text = refusal("GetFunction", {"FunctionName": name})
    assert text is None or " at 'functionName' failed to satisfy constraint: " in text
