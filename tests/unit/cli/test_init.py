"""`lambdad init`, and how `lambdad dev` finds out what is in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambdad.cli.errors import Failure
from lambdad.cli.folders import described
from lambdad.cli.projects import LANGUAGES


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_a_project_has_all_that_it_needs(run, tmp_path, language):
    result = run("init", "--runtime", language.name, "first")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "first" / "event.json").read_text()) == {"name": "world"}
    (tmp_path / "first" / language.code).mkdir(exist_ok=True)
    found = described(tmp_path / "first", runtime=None, handler=None)
    assert found.code == tmp_path / "first" / language.code
    assert found.settings == {
        "Runtime": language.runtime,
        "Handler": language.handler,
        "MemorySize": language.memory_mb,
        "Timeout": 10,
    }


def test_a_version_may_be_said(run, tmp_path):
    run("init", "--runtime", "dotnet6", "first")
    assert "Runtime: dotnet6\n" in (tmp_path / "first" / "template.yaml").read_text()
    assert ">net6.0<" in (tmp_path / "first" / "Function.csproj").read_text()


@pytest.mark.parametrize("runtime", ["provided.al2023", "cobol"])
def test_a_runtime_that_leaves_the_language_open_is_refused(run, tmp_path, runtime):
    result = run("init", "--runtime", runtime, "first")
    assert result.exit_code == 2
    assert "go, rust, shell" in result.output
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "event.json").write_text("mine")
    result = run("init", "--runtime", "python", "mine")
    assert result.exit_code == 2
    assert "there already" in result.output
    assert (tmp_path / "mine" / "event.json").read_text() == "mine"


def test_a_name_that_no_function_can_have_is_refused(run):
    assert run("init", "--runtime", "python", "no name").exit_code == 2


@pytest.mark.parametrize(
    ("file", "runtime", "handler"),
    [
        ("app.py", "python3.13", "app.handler"),
        ("lambda_function.py", "python3.13", "lambda_function.lambda_handler"),
        ("index.mjs", "nodejs22.x", "index.handler"),
        ("bootstrap", "provided.al2023", "bootstrap"),
    ],
)
def test_code_without_a_template_is_known_by_its_files(tmp_path, file, runtime, handler):
    (tmp_path / file).touch()
    found = described(tmp_path, runtime=None, handler=None)
    assert found.settings == {"Runtime": runtime, "Handler": handler}
    assert found.code == tmp_path


def test_what_is_said_wins(tmp_path):
    (tmp_path / "app.py").touch()
    found = described(tmp_path, runtime="python3.11", handler="app.other")
    assert found.settings == {"Runtime": "python3.11", "Handler": "app.other"}


def test_a_folder_that_says_nothing_is_refused(tmp_path):
    with pytest.raises(Failure, match="does not say what it is"):
        described(tmp_path, runtime=None, handler=None)


def test_code_that_is_not_built_is_missed(run, tmp_path):
    run("init", "--runtime", "go", "first")
    with pytest.raises(Failure, match="is not there"):
        described(Path("first").resolve(), runtime=None, handler=None)


def test_dev_says_when_the_daemon_does_not_allow_it(run, endpoint, tmp_path):
    (tmp_path / "app.py").touch()
    absent = {"x-amzn-ErrorType": "ResourceNotFoundException"}
    endpoint.will_answer(b'{"Message":"absent"}', status=404, headers=absent)
    refused = {"x-amzn-ErrorType": "InvalidParameterValueException"}
    endpoint.will_answer(b'{"message":"Start it with ..."}', status=400, headers=refused)
    result = run("dev", ".", "--endpoint-url", endpoint.url)
    assert result.exit_code == 2
    assert "Start it with ..." in result.output
    body = json.loads(endpoint.seen[1].body)
    assert body["Code"] == {"S3Bucket": "hot-reload", "S3Key": str(tmp_path)}
