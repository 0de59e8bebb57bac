"""Runtimes are found where version managers put them, and asked once."""

import os
from pathlib import Path

import pytest

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.errors import HostUnfit
from lambdad.domain.runtimes import RETIRED_RUNTIMES
from lambdad.runtimes import java_client
from lambdad.runtimes.catalogue import Catalogue


def an_interpreter(binary: Path, says: str, journal: Path) -> Path:
    """A program that tells its version and writes down that it was asked."""
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho asked >> {journal}\necho '{says}'\n")
    binary.chmod(0o755)
    return binary


@pytest.fixture
def make(tmp_path):
    """Catalogues that share a cache and are closed at the end."""
    made = []

    def make_catalogue(*search, config=None, **variables):
        catalogue = Catalogue(
            config or RuntimesConfig(search=search), tmp_path / "cache", variables=variables
        )
        made.append(catalogue)
        return catalogue

    yield make_catalogue
    for catalogue in made:
        catalogue.close()


def line_of(catalogue, identifier):
    return next(line for line in catalogue.report() if line.identifier == identifier)


def test_knows_awss_identifiers_in_awss_order(make):
    catalogue = make()
    names = catalogue.supported_identifiers()
    assert names[:4] == ["nodejs20.x", "python3.14", "provided.al2023", "python3.12"]
    assert "python3.14" in names
    assert all(catalogue.known(name) for name in names)
    assert not catalogue.known("Python3.12")
    assert not catalogue.known("cobol74")
    # Those that AWS has retired are served where the host has them, and not offered.
    reported = [line.identifier for line in catalogue.report()]
    assert sorted(names) == [name for name in reported if name not in RETIRED_RUNTIMES]


def test_asks_each_interpreter_once_even_across_restarts(make, tmp_path):
    journal = tmp_path / "journal"
    an_interpreter(tmp_path / "pythons/a/bin/python3.14", "Python 3.14.2", journal)
    for _ in range(3):
        assert line_of(make(tmp_path / "pythons"), "python3.14").version == "3.14.2"
    assert journal.read_text() == "asked\n"


def test_asks_again_when_the_file_changed(make, tmp_path):
    journal = tmp_path / "journal"
    binary = an_interpreter(tmp_path / "pythons/a/bin/python3.14", "Python 3.14.2", journal)
    assert line_of(make(tmp_path / "pythons"), "python3.14").version == "3.14.2"
    binary.write_text("#!/bin/sh\necho Python 3.14.10\n")
    assert line_of(make(tmp_path / "pythons"), "python3.14").version == "3.14.10"


def test_a_damaged_cache_is_no_harm(make, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/interpreters.json").write_text("{ not json")
    an_interpreter(tmp_path / "pythons/a/bin/python3.14", "Python 3.14.2", tmp_path / "journal")
    assert line_of(make(tmp_path / "pythons"), "python3.14").version == "3.14.2"


def test_the_newest_patch_level_of_a_place_wins(make, tmp_path):
    for patch in (9, 10, 2):
        place = tmp_path / f"pythons/3.14.{patch}/bin/python3.14"
        an_interpreter(place, f"Python 3.14.{patch}", tmp_path / "journal")
    assert line_of(make(tmp_path / "pythons"), "python3.14").version == "3.14.10"


def test_the_configured_place_wins_over_the_usual_ones(make, tmp_path):
    an_interpreter(tmp_path / "mine/bin/python3.14", "Python 3.14.0", tmp_path / "journal")
    usual = tmp_path / "pyenv/versions/3.14.9/bin/python3.14"
    an_interpreter(usual, "Python 3.14.9", tmp_path / "journal")
    catalogue = make(tmp_path / "mine", PYENV_ROOT=str(tmp_path / "pyenv"))
    assert line_of(catalogue, "python3.14").version == "3.14.0"


@pytest.mark.parametrize(
    ("variable", "place", "identifier"),
    [
        ("PYENV_ROOT", "versions/3.14.1/bin/python3.14", "python3.14"),
        ("UV_PYTHON_INSTALL_DIR", "cpython-3.14/bin/python3.14", "python3.14"),
        ("ASDF_DATA_DIR", "installs/python/3.14.1/bin/python3.14", "python3.14"),
        ("NVM_DIR", "versions/node/v16.20.2/bin/node", "nodejs16.x"),
        ("MISE_DATA_DIR", "installs/node/16/bin/node", "nodejs16.x"),
    ],
)
def test_finds_what_version_managers_installed(make, tmp_path, variable, place, identifier):
    says = "v16.20.2" if identifier == "nodejs16.x" else "Python 3.14.1"
    an_interpreter(tmp_path / "root" / place, says, tmp_path / "journal")
    catalogue = make(**{variable: str(tmp_path / "root")})
    assert catalogue.unavailable(identifier) is None
    assert line_of(catalogue, identifier).source == str(tmp_path / "root" / place)


def test_what_does_not_run_does_not_count(make, tmp_path):
    broken = tmp_path / "pythons/a/bin/python3.14"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    assert make(tmp_path / "pythons").unavailable("python3.14") is not None


def test_a_missing_runtime_says_how_to_get_it(make):
    catalogue = make()
    cause = catalogue.unavailable("nodejs16.x")
    assert cause is not None
    assert cause.startswith(
        "Node.js 16 is not installed on this host. Install it (`nvm install 16`"
    )
    with pytest.raises(HostUnfit):
        catalogue.find("nodejs16.x")
    assert line_of(catalogue, "nodejs16.x").remedy.startswith("Install it")


def test_a_language_outside_usr_is_mounted_with_its_own_packages_hidden(make, tmp_path):
    catalogue = make(PYENV_ROOT=os.environ.get("PYENV_ROOT", ""))
    outside = [
        line
        for line in catalogue.report()
        if line.identifier.startswith("python3.") and line.version and "/usr/" not in line.source
    ]
    if not outside:
        pytest.skip("every Python of this host is below /usr")
    runtime = catalogue.find(outside[0].identifier)
    targets = [mount.target for mount in runtime.mounts]
    packages = f"/var/lang/lib/{runtime.identifier}/site-packages"
    assert targets == ["/var/runtime", "/var/lang", packages]
    assert runtime.argv[0] == f"/var/lang/bin/{runtime.identifier}"
    assert all(mount.source.is_absolute() for mount in runtime.mounts)
    assert not (runtime.mounts[2].source / "pip").exists()


def test_a_node_sdk_is_mounted_where_functions_look(make, tmp_path):
    (tmp_path / "modules/@aws-sdk").mkdir(parents=True)
    probe = make()
    found = [
        line.identifier
        for line in probe.report()
        if line.version and line.identifier.startswith("node")
    ]
    if not found:
        pytest.skip("this host has no node")
    catalogue = make(config=RuntimesConfig(nodejs_sdk=tmp_path / "modules"))
    mounts = {mount.target: mount.source for mount in catalogue.find(found[0]).mounts}
    assert mounts["/var/runtime/node_modules"] == tmp_path / "modules"
    assert (mounts["/var/runtime"] / "node_modules").is_dir()


def test_a_wrong_sdk_is_refused_with_a_remedy(make, tmp_path):
    catalogue = make(config=RuntimesConfig(nodejs_sdk=tmp_path))
    found = [
        line.identifier
        for line in catalogue.report()
        if line.version and line.identifier.startswith("node")
    ]
    if not found:
        pytest.skip("this host has no node")
    with pytest.raises(HostUnfit, match="holds no AWS SDK"):
        catalogue.find(found[0])


@pytest.mark.parametrize(
    ("wanted", "there", "place"),
    [
        ("python3.14", "Python 3.13.0", "bin/python3.13"),
        ("nodejs24.x", "v22.1.0", "bin/node"),
    ],
)
def test_the_nearest_version_stands_in_where_that_is_allowed(make, tmp_path, wanted, there, place):
    root = tmp_path / "only"
    an_interpreter(root / place, there, tmp_path / "journal")
    strict = make(root)
    assert strict.unavailable(wanted) is not None
    catalogue = make(config=RuntimesConfig(search=(root,), fallback=True))
    line = line_of(catalogue, wanted)
    assert (line.stands_in, line.version) == (True, there.split()[-1].lstrip("v"))
    assert not line_of(catalogue, "provided.al2023").stands_in


def test_java_is_known_by_its_release_file(make, tmp_path):
    """Starting it takes long."""
    for home, says in (("jdk8", "1.8.0_402"), ("jdk21", "21.0.2"), ("jdk21b", "21.0.9")):
        an_interpreter(tmp_path / "jdks" / home / "bin" / "java", "nothing", tmp_path / "journal")
        release = tmp_path / "jdks" / home / "release"
        release.write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{says}"\n')
    client = tmp_path / "client"
    client.mkdir()
    config = RuntimesConfig(search=(tmp_path / "jdks",), java_client=client)
    assert "lambdad runtimes install java" in make(config=config).unavailable("java21")
    for name in java_client.JARS:
        (client / name).touch()
    catalogue = make(config=config)
    assert line_of(catalogue, "java8.al2").version == "8.0.402"
    assert line_of(catalogue, "java21").source == str(tmp_path / "jdks/jdk21b/bin/java")
    assert not (tmp_path / "journal").exists()
