"""The forms that handlers have in each language, and what is said of names that fit none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer, zip_of
from lambdad.testing.languages import LANGUAGES, Language, NotHere, here, settings

pytestmark = [pytest.mark.root, pytest.mark.slow]

FIXTURES = Path(__file__).parents[2] / "fixtures" / "runtimes"

# Language, handler, event, and its answer or what the error says: type and part of the message.
ANSWERS: Mapping[str, tuple[str, str, Any, Any]] = {
    "Java: a method of a plain class": (
        "Java",
        "example.Handler$Plain::greet",
        {"name": "Ada"},
        {"text": "hello Ada from {name}"},
    ),
    "Java: streams": ("Java", "example.Handler$Streams", {"a": 1}, [{"a": 1}]),
    "Java: the interface's method named": (
        "Java",
        "example.Handler::handleRequest",
        {"do": "echo", "value": [1, "é"]},
        [1, "é"],
    ),
    ".NET: an object in, a task out": (
        ".NET",
        "Example::Example.Function::Greet",
        {"name": "Ada"},
        "hello Ada from {name}",
    ),
    ".NET: streams": (".NET", "Example::Example.Function::Streams", {"a": 1}, [{"a": 1}]),
    ".NET: a program of its own": (".NET", "Program", {"a": 1}, ["program", {"a": 1}]),
    "Ruby: a method of a module": (
        "Ruby",
        "app.Greeter.greet",
        {"name": "Ada"},
        "hello Ada from {name}",
    ),
}
REFUSALS: Mapping[str, tuple[str, str, str | None, str]] = {
    "Java: no such class": (
        "Java",
        "example.Gone",
        "java.lang.ClassNotFoundException",
        "Class not found: example.Gone",
    ),
    "Java: no such method": (
        "Java",
        "example.Handler$Plain::gone",
        None,  # AWS's client gives none
        "No public method named gone",
    ),
    ".NET: no such assembly": (
        ".NET",
        "Gone::Example.Function::Handle",
        "LambdaValidationException",
        "Could not find the specified handler assembly with the file name 'Gone'",
    ),
    ".NET: no such type": (
        ".NET",
        "Example::Example.Gone::Handle",
        "LambdaValidationException",
        "Unable to load type 'Example.Gone' from assembly 'Example'.",
    ),
    ".NET: no such method": (
        ".NET",
        "Example::Example.Function::Gone",
        "LambdaValidationException",
        "Unable to find method 'Gone' in type 'Example.Function' from assembly 'Example'.",
    ),
    "Ruby: no such file": ("Ruby", "gone.handler", "Init<LoadError>", "/var/task/gone"),
    "Ruby: no form": ("Ruby", "app", "Init<ArgumentError>", "Invalid handler app"),
    "Ruby: no such method": ("Ruby", "app.gone", "Function<NoMethodError>", "gone"),
}


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """A daemon that knows where the test's own language installations are."""
    with DaemonProcess(tmp_path_factory.mktemp("forms") / "data", environ=settings()) as daemon:
        yield Deployer(daemon.endpoint_url)


def deploy(user: Deployer, name: str, handler: str) -> str:
    language: Language = next(language for language in LANGUAGES if language.name == name)
    runtime = next((name for name in language.runtimes if name in here()), None)
    if runtime is None:
        pytest.skip(f"this host has no {name}: scripts/install_runtimes installs it")
    try:
        files = language.package(FIXTURES)
    except NotHere as absent:
        pytest.skip(str(absent))
    function = f"f-{uuid.uuid4().hex[:12]}"
    user.deploy(function, files, Handler=handler, Runtime=runtime, MemorySize=language.memory_mb)
    return function


def filled(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value.replace("{name}", name)
    if isinstance(value, dict):
        return {key: filled(item, name) for key, item in value.items()}
    return value


@pytest.mark.parametrize("case", ANSWERS)
def test_handlers_of_every_form_answer(user: Deployer, case: str) -> None:
    language, handler, event, expected = ANSWERS[case]
    function = deploy(user, language, handler)
    answer = user.invoke(function, event)
    assert (answer.error, answer.payload) == (None, filled(expected, function))


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_no_handler_is_named(user: Deployer, case: str) -> None:
    language, handler, error_type, message = REFUSALS[case]
    answer = user.invoke(deploy(user, language, handler), {})
    assert (answer.error, answer.payload.get("errorType")) == ("Unhandled", error_type)
    assert message in answer.payload["errorMessage"]


@pytest.mark.parametrize("place", ["lib/ of the package", "java/lib/ of a layer"])
def test_java_finds_its_classes_in_archives(user: Deployer, place: str) -> None:
    language = next(language for language in LANGUAGES if language.name == "Java")
    runtime = next((name for name in language.runtimes if name in here()), None)
    if runtime is None:
        pytest.skip("this host has no Java: scripts/install_runtimes installs it")
    files = language.package(FIXTURES)
    classes = {name: content for name, content in files.items() if name.endswith(".class")}
    archives = {f"lib/{Path(name).name}": files[name] for name in files if name.endswith(".jar")}
    archives["lib/app.jar"] = zip_of(classes)
    function, layers = f"f-{uuid.uuid4().hex[:12]}", []
    if place.startswith("java"):
        content = {f"java/{name}": archive for name, archive in archives.items()}
        layer = user.lambda_.publish_layer_version(
            LayerName=function, Content={"ZipFile": zip_of(content)}
        )
        layers, archives = [layer["LayerVersionArn"]], {"notes.txt": b"no class is here"}
    user.deploy(
        function,
        archives,
        Handler="example.Handler",
        Runtime=runtime,
        MemorySize=language.memory_mb,
        Layers=layers,
    )
    answer = user.invoke(function, {"do": "echo", "value": 1})
    assert (answer.error, answer.payload) == (None, 1), answer.log


def test_ruby_requires_from_both_places_of_layers(user: Deployer) -> None:
    language = next(language for language in LANGUAGES if language.name == "Ruby")
    runtime = next((name for name in language.runtimes if name in here()), None)
    if runtime is None:
        pytest.skip("this host has no Ruby: scripts/install_runtimes installs it")
    function = f"f-{uuid.uuid4().hex[:12]}"
    # Gems are for the version that runs, which may be another where that stands in.
    version = (here()[runtime] or runtime.removeprefix("ruby")).split(".")
    gems = f"ruby/gems/{version[0]}.{version[1]}.0"
    specification = (
        "Gem::Specification.new { |s| s.name = 'special'; s.version = '1.0'; s.summary = 's'; "
        "s.authors = ['a']; s.files = ['lib/special.rb']; s.require_paths = ['lib'] }"
    )
    content = {
        "ruby/lib/general.rb": "GENERAL = 'general'",
        f"{gems}/gems/special-1.0/lib/special.rb": "SPECIAL = 'special'",
        f"{gems}/specifications/special-1.0.gemspec": specification,
    }
    layer = user.lambda_.publish_layer_version(
        LayerName=function, Content={"ZipFile": zip_of(content)}
    )
    source = (
        "require 'general'\nrequire 'special'\n"
        "def handler(event:, context:)\n  [GENERAL, SPECIAL]\nend\n"
    )
    user.deploy(function, {"app.rb": source}, Runtime=runtime, Layers=[layer["LayerVersionArn"]])
    answer = user.invoke(function)
    assert (answer.error, answer.payload) == (None, ["general", "special"]), answer.log
