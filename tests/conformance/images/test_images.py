"""Functions of `PackageType` Image."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from tests.conformance.images.conftest import World

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, Deployer, zip_of
from lambdad.testing.images import docker_archive, member, tar, tree_layer

Plain = Callable[..., str]


def variables(answer: Any) -> dict[str, str]:
    return dict(item.split("=", 1) for item in answer.payload["environment"])


def test_the_image_says_what_runs_where_and_with_what(world: World, plain: Plain) -> None:
    uri = plain(Cmd=["one", "two"], WorkingDir="/bin", Env=["COLOUR=red", "SIZE=big"])
    answer = world.invoke(uri, {}, Environment={"Variables": {"SIZE": "small"}})
    assert answer.payload["argv"] == ["/bin/program", "one", "two"]
    assert answer.payload["directory"] == "/bin"
    assert answer.payload["uid"] != 0
    found = variables(answer)
    assert found["COLOUR"] == "red"
    assert found["SIZE"] == "small"
    assert found["AWS_EXECUTION_ENV"] == "AWS_Lambda_Image"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert "_HANDLER" not in found
    assert "LD_LIBRARY_PATH" not in found


def test_image_config_replaces_what_the_image_says(world: World, plain: Plain) -> None:
    uri = plain(Entrypoint=["/bin/absent"], Cmd=["one"])
    name = world.create(
        uri, ImageConfig={"EntryPoint": ["/bin/program", "-x"], "WorkingDirectory": "/var/task"}
    )
    answer = world.user.invoke(name, {})
    # Another entry point leaves the image's command out.
    assert answer.payload["argv"] == ["/bin/program", "-x"]
    assert answer.payload["directory"] == "/var/task"
    configuration = world.user.lambda_.get_function_configuration(FunctionName=name)
    assert configuration["ImageConfigResponse"] == {
        "ImageConfig": {"EntryPoint": ["/bin/program", "-x"], "WorkingDirectory": "/var/task"}
    }
    world.user.lambda_.update_function_configuration(
        FunctionName=name, ImageConfig={"EntryPoint": ["/bin/program"], "Command": ["new"]}
    )
    world.user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert world.user.invoke(name, {}).payload["argv"] == ["/bin/program", "new"]


def test_a_configuration_has_what_images_have_and_no_more(world: World, plain: Plain) -> None:
    uri = plain()
    name = world.create(uri)
    function = world.user.lambda_.get_function(FunctionName=name)
    configuration = function["Configuration"]
    digest = function["Code"]["ResolvedImageUri"].rpartition("@sha256:")[2]
    assert function["Code"]["ImageUri"] == uri
    assert function["Code"]["RepositoryType"] == "ECR"
    assert configuration["CodeSha256"] == digest
    assert configuration["CodeSize"] == 0
    assert configuration["PackageType"] == "Image"
    for absent in ("Runtime", "Handler", "RuntimeVersionConfig", "ImageConfigResponse", "Layers"):
        assert absent not in configuration


def test_the_image_is_the_root_and_the_host_is_not_there(world: World, plain: Plain) -> None:
    name = world.create(plain())

    def seen(path: str) -> Any:
        return world.user.invoke(name, path).payload

    places = {"bin", "dev", "etc", "mnt", "opt", "proc", "run", "sys", "tmp", "var"}
    assert set(seen("/")) == places
    assert set(seen("/bin")) == {"program"}
    assert seen("/usr") == {"error": "No such file or directory"}
    assert set(seen("/etc")) == {"group", "hostname", "hosts", "passwd", "resolv.conf"}
    assert "sbx_user1051" in seen("/etc/passwd")
    assert "localhost" in seen("/etc/hosts")
    assert set(seen("/dev")) <= {
        *("fd", "full", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero"),
    }
    assert {entry for entry in seen("/proc") if entry.isdigit()} == {"1", "2"}
    for forbidden in ("/proc/1/root", "/proc/1/root/etc", "/proc/1/environ", "/proc/1/maps"):
        assert seen(forbidden) == {"error": "Permission denied"}
    for path in ("/x", "/bin/program", "/etc/hosts", "/dev/x", "/opt/x", "/var/task/x"):
        assert seen(f"write:{path}") in ("Read-only file system", "Text file busy"), path
    assert seen("write:/tmp/x") == "written"


def test_what_leads_out_of_an_image_leads_nowhere(world: World, plain: Plain) -> None:
    secret = world.base / "secret"
    secret.write_text("the host's")
    links = {
        "absolute": str(secret),
        "relative": "../" * 20 + str(secret).lstrip("/"),
        "root": "/proc/self/root" + str(secret),
    }
    layer = tar([member(name, type=b"2", linkname=to) for name, to in links.items()])
    name = world.create(plain(layer))
    for link in links:
        assert "error" in world.user.invoke(name, f"/{link}").payload


def test_upper_layers_hide_lower_ones(world: World, plain: Plain) -> None:
    low = tree_layer({"data/a": b"low", "data/b": b"low", "gone/x": b"low"})
    high = tree_layer({"data/a": b"high", "data/.wh.b": b"", ".wh.gone": b""})
    name = world.create(plain(low, high))
    assert world.user.invoke(name, "/data").payload == ["a"]
    assert world.user.invoke(name, "/data/a").payload == "high"
    assert "error" in world.user.invoke(name, "/gone").payload


def test_extensions_of_an_image_are_started(world: World, plain: Plain) -> None:
    # It registers with nothing, so that it ends, which ends the init: it was started.
    layer = tree_layer({"opt/extensions/watcher": b"#!/nothing\n"}, executable=())
    answer = world.invoke(plain(layer), {})
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Extension.LaunchError"


@pytest.mark.parametrize("compression", ["gzip", "zstd", ""])
def test_every_compression_is_understood(world: World, compression: str) -> None:
    layer = tree_layer({"main": world.program}, executable=("main",))
    tag = f"compressed-{compression}"
    world.layout.add(tag, [layer], compression=compression, Cmd=["/main"])
    assert world.invoke(world.uri(tag), {}).payload["argv"] == ["/main"]


def test_an_archive_of_docker_save_works(world: World) -> None:
    layer = tree_layer({"main": world.program}, executable=("main",))
    archive = world.base / "saved.tar"
    docker_archive(archive, [layer], tag="v1", Cmd=["/main", "saved"])
    answer = world.invoke(f"docker-archive:{archive}:v1", {})
    assert answer.payload["argv"] == ["/main", "saved"]


def test_a_registry_gives_the_image_for_the_machine(world: World) -> None:
    layer = tree_layer({"main": world.program}, executable=("main",))
    manifests = {
        machine: world.layout.manifest([layer], architecture=machine, Cmd=["/main", machine])
        for machine in ("arm64", "amd64")
    }
    world.layout.index("both", manifests)
    name = world.create(f"{world.registry.place}/team/app:both")
    assert world.user.invoke(name, {}).payload["argv"] == ["/main", "amd64"]
    code = world.user.lambda_.get_function(FunctionName=name)["Code"]
    digest = hashlib.sha256(manifests["amd64"]).hexdigest()
    assert code["ResolvedImageUri"] == f"{world.registry.place}/team/app@sha256:{digest}"
    assert any(path.startswith("/token?") for path in world.registry.asked)


def test_another_image_serves_after_an_update(world: World, plain: Plain) -> None:
    name = world.create(plain(Cmd=["old"]))
    assert world.user.invoke(name, {}).payload["argv"][1:] == ["old"]
    world.user.lambda_.update_function_code(FunctionName=name, ImageUri=plain(Cmd=["new"]))
    world.user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert world.user.invoke(name, {}).payload["argv"][1:] == ["new"]


def test_versions_keep_the_image_that_they_were_published_with(world: World, plain: Plain) -> None:
    name = world.create(plain(Cmd=["first"]), Publish=True)
    world.user.lambda_.get_waiter("published_version_active").wait(FunctionName=f"{name}:1")
    world.user.lambda_.update_function_code(FunctionName=name, ImageUri=plain(Cmd=["second"]))
    world.user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert world.user.invoke(f"{name}:1", {}).payload["argv"][1:] == ["first"]


def test_a_damaged_image_fails_and_says_why(world: World) -> None:
    manifest = world.layout.manifest([tree_layer({"only-here": b"1"})], Cmd=["/y"])
    world.layout.tag("damaged", world.layout.blob(manifest))
    digest = json.loads(manifest)["layers"][0]["digest"].partition(":")[2]
    (world.layout.directory / "blobs" / "sha256" / digest).write_bytes(b"something else")
    world.user.lambda_.create_function(
        FunctionName="damaged", Code={"ImageUri": world.uri("damaged")}, **IMAGE
    )
    with pytest.raises(WaiterError, match="terminal failure state"):
        world.user.lambda_.get_waiter("function_active_v2").wait(
            FunctionName="damaged", WaiterConfig={"Delay": 1}
        )
    configuration = world.user.lambda_.get_function_configuration(FunctionName="damaged")
    assert configuration["State"] == "Failed"
    assert configuration["StateReasonCode"] == "InvalidImage"
    assert digest in configuration["StateReason"]


IMAGE: dict[str, Any] = {"PackageType": "Image", "Role": ROLE}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"Code": {"ImageUri": "{}"}, "Handler": "x.y"},
            (
                "Please don't provide Handler or Runtime or Layer when the intended function "
                "PackageType is Image."
            ),
        ),
        (
            {"Code": {"ZipFile": zip_of({"x": "y"})}},
            "Please provide ImageUri when creating a function with packageType Image.",
        ),
        (
            {
                "PackageType": "Zip",
                "Code": {"ImageUri": "{}"},
                "Runtime": "provided.al2023",
                "Handler": "x",
            },
            "Please don't provide ImageUri when creating a function with packageType Zip.",
        ),
        ({"Code": {"ImageUri": "{}-absent"}}, "does not exist. Provide a valid source image."),
        ({"Code": {"ImageUri": "NOT AN IMAGE"}}, "is not valid. Provide a valid source image."),
        ({"Code": {"ImageUri": "oci:/etc:x"}}, "Name the directory in images.local"),
        ({"Code": {"ImageUri": "docker-archive:/etc/shadow"}}, "Name the directory in images."),
    ],
)
def test_what_is_not_acceptable_is_refused(
    world: World, plain: Plain, members: dict[str, Any], message: str
) -> None:
    uri = plain()
    code = {
        name: value.replace("{}", uri) if isinstance(value, str) else value
        for name, value in members["Code"].items()
    }
    with pytest.raises(ClientError) as refusal:
        world.user.lambda_.create_function(
            FunctionName="refused", **{**IMAGE, **members, "Code": code}
        )
    error = refusal.value.response["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    assert message in error["Message"]


def test_a_backup_has_the_images_and_can_do_without_their_source(
    world: World, plain: Plain
) -> None:
    name = world.create(plain(Cmd=["kept"]))
    command = [sys.executable, "-m", "lambdad"]
    copy, again = world.base / "copy", world.base / "again"
    place = str(world.daemon.data_dir)
    subprocess.run([*command, "backup", str(copy), "--data-dir", place], check=True)
    subprocess.run([*command, "restore", str(copy), "--data-dir", str(again)], check=True)
    # Without settings it could not be fetched.
    with DaemonProcess(again) as daemon:
        answer = Deployer(daemon.endpoint_url).invoke(name, {})
        assert answer.payload["argv"] == ["/bin/program", "kept"]


def test_a_program_is_looked_for_in_the_path(world: World, plain: Plain) -> None:
    answer = world.invoke(plain(Entrypoint=["program"], Env=["PATH=/nowhere:/bin"]), {})
    assert answer.payload["argv"] == ["/bin/program"]


@pytest.mark.parametrize(
    ("config", "error_type", "reason"),
    [
        (
            {"EntryPoint": ["/bin/absent"]},
            "Runtime.InvalidEntrypoint",
            "fork/exec /bin/absent: no such file or directory",
        ),
        (
            {"WorkingDirectory": "/absent"},
            "Runtime.InvalidWorkingDir",
            "chdir /absent: no such file or directory",
        ),
    ],
)
def test_what_cannot_start_is_an_error_of_the_function(
    world: World, plain: Plain, config: dict[str, Any], error_type: str, reason: str
) -> None:
    answer = world.invoke(plain(), {}, ImageConfig=config)
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == error_type
    assert answer.payload["errorMessage"].endswith(f" Error: {reason}")
