"""`lambdad runtimes` and what it installs."""

import hashlib
import json

from lambdad.runtimes import java_client

LINE = {
    "identifier": "python3.13",
    "version": "3.13.0",
    "source": "/usr/bin/python3.13",
    "remedy": "",
    "stands_in": False,
    "prepared": True,
    "prewarmed": True,
}
PAGE = {
    "runtimes": [
        LINE,
        {**LINE, "identifier": "python3.14", "stands_in": True, "prewarmed": False},
        {**LINE, "identifier": "ruby3.4", "version": None, "source": "none", "remedy": "Get it."},
    ]
}


def test_what_is_served_is_listed(run, endpoint):
    endpoint.will_answer(json.dumps(PAGE).encode())
    result = run("runtimes", "--endpoint-url", endpoint.url)
    assert result.exit_code == 0, result.output
    assert endpoint.seen[0].path == "/_lambdad/runtimes"
    rows = [line.split() for line in result.stdout.splitlines()[2:] if line]
    assert rows == [
        ["python3.13", "ok", "3.13.0", "yes", "/usr/bin/python3.13"],
        ["python3.14", "stands", "in", "3.13.0", "no", "/usr/bin/python3.13"],
    ]


def test_what_is_missing_is_listed_with_its_remedy(run, endpoint):
    endpoint.will_answer(json.dumps(PAGE).encode())
    result = run("runtimes", "--all", "--endpoint-url", endpoint.url)
    row = next(line for line in result.stdout.splitlines() if "ruby3.4" in line)
    assert row.split()[1] == "missing"
    assert row.endswith("none Get it.")


def test_files_that_are_not_the_tested_ones_are_not_installed(run, endpoint, tmp_path):
    endpoint.will_answer(b"another file")
    result = run("runtimes", "install", "java", "--data-dir", str(tmp_path), "--from", endpoint.url)
    assert result.exit_code == 2
    assert "is not the file that lambdad was tested with" in result.output
    assert not list(tmp_path.rglob("*.jar"))


def test_javas_client_is_installed_below_the_data_directory(run, endpoint, tmp_path, monkeypatch):
    content = b"a jar"
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(java_client, "_FILES", {"com/x/a.jar": digest})
    endpoint.will_answer(content)
    result = run("runtimes", "install", "java", "--data-dir", str(tmp_path), "--from", endpoint.url)
    assert result.exit_code == 0, result.output
    assert endpoint.seen[0].path == "/com/x/a.jar"
    assert (tmp_path / "runtimes" / "java-client" / "a.jar").read_bytes() == content
