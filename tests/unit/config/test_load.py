"""Settings come from four places, and a wrong one is always explained."""

from pathlib import Path

import pytest

from lambdad.config.keys import BOUNDS, keys
from lambdad.config.load import ConfigError, load_config, variable
from lambdad.config.sections import Config


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


def test_nothing_given_is_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config(environ={}) == Config()


def test_a_file_in_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lambdad.toml").write_text("[server]\nport = 7\n")
    monkeypatch.chdir(tmp_path)
    assert load_config(environ={}).server.port == 7


def test_options_win_over_the_environment_which_wins_over_the_file(write) -> None:
    path = write('[server]\nport = 1\nhost = "file"\ndata_dir = "/file"\n')
    environ = {"LAMBDAD_SERVER_PORT": "2", "LAMBDAD_SERVER_HOST": "environment"}
    server = load_config(path=path, environ=environ, overrides={"server.port": 3}).server
    assert (server.port, server.host, server.data_dir) == (3, "environment", Path("/file"))


def test_every_key_can_be_set_from_the_environment() -> None:
    texts = {int: "17", float: "17.5", str: "text", Path: "/p", int | None: "17"}
    for key in keys().values():
        text = texts.get(key.kind, "/p,/q")
        if isinstance(key.default, bool):
            text = str(not key.default).lower()
        config = load_config(environ={variable(key): text})
        assert getattr(getattr(config, key.section), key.field) != key.default, key.name


def test_lists_and_paths_are_read_from_both_notations(write) -> None:
    path = write('[runtimes]\nsearch = ["/a", "/b"]\nnodejs_sdk = "~/sdk"\n')
    from_file = load_config(path=path, environ={}).runtimes
    environ = {"LAMBDAD_RUNTIMES_SEARCH": "/a, /b", "LAMBDAD_RUNTIMES_NODEJS_SDK": "~/sdk"}
    assert from_file == load_config(environ=environ).runtimes
    assert from_file.search == (Path("/a"), Path("/b"))
    assert from_file.nodejs_sdk == Path.home() / "sdk"


def test_an_empty_variable_unsets_what_has_no_default() -> None:
    environ = {"LAMBDAD_RUNTIMES_NODEJS_SDK": "", "LAMBDAD_RUNTIMES_SEARCH": ""}
    runtimes = load_config(environ=environ).runtimes
    assert (runtimes.nodejs_sdk, runtimes.search) == (None, ())


def test_an_integer_in_the_file_is_good_for_a_duration(write) -> None:
    timeout = load_config(path=write("[server]\ndrain_timeout_s = 5\n"), environ={})
    assert timeout.server.drain_timeout_s == 5.0
    assert isinstance(timeout.server.drain_timeout_s, float)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nprot = 1\n", ["settings.toml", "server.prot", "server.port"]),
        ("[sever]\nport = 1\n", ["[sever]", "[server]"]),
        ("server = 1\n", ["server is not a table", "[server]"]),
        ("[server\n", ["not TOML", "line 1"]),
        ('[server]\nport = "80"\n', ["settings.toml", "server.port", "'80'", "a whole number"]),
        ("[server]\nport = true\n", ["a whole number"]),
        ("[server]\nport = 65536\n", ["between 0 and 65535"]),
        ("[server]\nport = 1.5\n", ["a whole number"]),
        ("[server]\ndrain_timeout_s = -1\n", ["0 or more"]),
        ("[server]\ndrain_timeout_s = nan\n", ["finite"]),
        ('[server]\nhost = ""\n', ["server.host", "not empty"]),
        ('[server]\ndata_dir = ""\n', ["server.data_dir", "path"]),
        ("[sandbox]\negress = 1\n", ["true or false"]),
        ('[sandbox]\nallow_private = "10.0.0.0/8"\n', ["a list of strings"]),
        ("[sandbox]\nallow_private = [1]\n", ["a string"]),
        ("[sandbox]\nfirst_uid = 0\n", ["between 1 and 4294967294"]),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_remedy(write, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(path=write(text), environ={})
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"LAMBDAD_SERVER_PROT": "1"}, ["LAMBDAD_SERVER_PROT", "LAMBDAD_SERVER_PORT"]),
        ({"LAMBDAD_SERVER_PORT": "x"}, ["variable LAMBDAD_SERVER_PORT", "'x'", "whole number"]),
        ({"LAMBDAD_SANDBOX_EGRESS": "maybe"}, ["LAMBDAD_SANDBOX_EGRESS", "true or false"]),
        ({"LAMBDAD_SERVER_DRAIN_TIMEOUT_S": "inf"}, ["finite"]),
    ],
)
def test_a_wrong_variable_is_refused_by_name(environ: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(environ=environ)
    for word in words:
        assert word in str(refused.value)


def test_an_unknown_option_names_the_nearest_key() -> None:
    with pytest.raises(ConfigError, match=r"server\.host"):
        load_config(environ={}, overrides={"server.hots": "x"})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read: No such file"):
        load_config(path=tmp_path / "absent.toml", environ={})


def test_the_variables_of_a_kubernetes_service_are_no_settings() -> None:
    """Kubernetes sets them in every pod when a service is called "lambdad"."""
    environ = {
        "LAMBDAD_SERVICE_HOST": "10.0.0.1",
        "LAMBDAD_PORT": "tcp://10.0.0.1:4566",
        "LAMBDAD_PORT_4566_TCP_ADDR": "10.0.0.1",
    }
    assert load_config(environ=environ) == Config()


def test_bounds_are_of_existing_numbers_and_hold_for_the_defaults() -> None:
    for name in BOUNDS:
        assert keys()[name].kind in (int, float, int | None)
    for key in keys().values():
        assert key.read(key.default, text=False) == key.default


def test_directories_of_file_systems_are_named_by_the_arn_of_an_access_point(write) -> None:
    arn = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-1"
    path = write(f'[filesystems]\n"{arn}" = "/srv/data"\n')
    assert load_config(path=path, environ={}).filesystems == {arn: Path("/srv/data")}
    assert load_config(path=write(""), environ={}).filesystems == {}


@pytest.mark.parametrize("value", ['"relative"', "7", '""', "{}"])
def test_a_directory_of_a_file_system_is_an_absolute_path(write, value: str) -> None:
    with pytest.raises(ConfigError, match=r'filesystems\."a" = .* is wrong.*absolute|path'):
        load_config(path=write(f'[filesystems]\n"a" = {value}\n'), environ={})


def test_file_systems_are_a_table(write) -> None:
    with pytest.raises(ConfigError, match="filesystems is not a table"):
        load_config(path=write('filesystems = "/srv"\n'), environ={})
