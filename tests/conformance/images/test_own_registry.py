"""Functions of images that were pushed to lambdad's own registry, by tools that others made."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from tests.conformance.events.conftest import client_of
from tests.conformance.images.conftest import World

from lambdad.testing.deploy import ROLE, Deployer
from lambdad.testing.images import tree_layer

pytestmark = pytest.mark.slow
_NUMBERS = itertools.count(1)


@pytest.fixture
def ecr(world: World) -> Any:
    return client_of("ecr", world.daemon.endpoint_url)


@pytest.fixture
def repository(ecr: Any) -> str:
    name = f"own-images/app-{next(_NUMBERS)}"
    ecr.create_repository(repositoryName=name)
    return name


@pytest.fixture(scope="session")
def skopeo() -> str:
    found = shutil.which("skopeo")
    if found is None:
        pytest.skip("no skopeo: apt-get install skopeo")
    return found


def copy(skopeo: str, source: str, target: str, *options: str) -> None:
    run = subprocess.run(
        [skopeo, "--insecure-policy", "copy", "--dest-tls-verify=false", *options, source, target],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr


def add(world: World, tag: str, **config: Any) -> str:
    """Add an image to the layout; returns what skopeo calls it."""
    program = tree_layer({"bin/program": world.program}, executable=("bin/program",))
    shown = tree_layer({"tag": tag.encode()})
    world.layout.add(tag, [program, shown], Entrypoint=["/bin/program"], **config)
    return f"oci:{world.layout.directory}:{tag}"


def test_what_skopeo_pushed_runs_and_another_push_runs_after_an_update(
    world: World, ecr: Any, repository: str, skopeo: str
) -> None:
    place = urlsplit(world.daemon.endpoint_url).netloc
    target = f"docker://{place}/{repository}:live"
    copy(skopeo, add(world, "own-first"), target)
    (found,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    name = world.create(f"{found['repositoryUri']}:live")
    assert world.user.invoke(name, "/tag").payload == "own-first"
    code = world.user.lambda_.get_function(FunctionName=name)["Code"]
    (image,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert code["ImageUri"] == f"{found['repositoryUri']}:live"
    assert code["ResolvedImageUri"] == f"{found['repositoryUri']}@{image['imageDigest']}"

    copy(skopeo, add(world, "own-second"), target)
    assert world.user.invoke(name, "/tag").payload == "own-first"
    world.user.lambda_.update_function_code(
        FunctionName=name, ImageUri=f"{found['repositoryUri']}:live"
    )
    world.user.lambda_.get_waiter("function_updated_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 1}
    )
    assert world.user.invoke(name, "/tag").payload == "own-second"


def test_every_name_of_the_registry_means_the_same_image(
    world: World, repository: str, skopeo: str
) -> None:
    place = urlsplit(world.daemon.endpoint_url).netloc
    copy(skopeo, add(world, "own-names"), f"docker://{place}/{repository}:names")
    registry = "000000000000.dkr.ecr.us-east-1"
    for host in (f"{registry}.amazonaws.com", f"{registry}.localhost:{place[-5:]}", place):
        answer = world.invoke(f"{host}/{repository}:names", "/tag")
        assert answer.payload == "own-names"


def test_what_is_not_in_the_registry_is_refused(world: World, repository: str) -> None:
    place = urlsplit(world.daemon.endpoint_url).netloc
    for uri in (f"{place}/{repository}:none", f"{place}/own-images/never:none"):
        with pytest.raises(ClientError, match=r"none|never"):
            world.user.lambda_.create_function(
                FunctionName="own-absent", PackageType="Image", Code={"ImageUri": uri}, Role=ROLE
            )


def test_an_image_of_another_account_needs_its_permission(
    world: World, ecr: Any, repository: str, skopeo: str
) -> None:
    place = urlsplit(world.daemon.endpoint_url).netloc
    copy(skopeo, add(world, "own-foreign"), f"docker://{place}/{repository}:v1")
    uri = f"000000000000.dkr.ecr.us-east-1.localhost/{repository}:v1"
    other = Deployer(world.daemon.endpoint_url, account_id="888888888821")
    function = {
        "FunctionName": "own-foreign",
        "PackageType": "Image",
        "Code": {"ImageUri": uri},
        "Role": ROLE,
    }
    with pytest.raises(ClientError, match="may not read"):
        other.lambda_.create_function(**function)
    statement = {"Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}
    ecr.set_repository_policy(
        repositoryName=repository, policyText=json.dumps({"Statement": [statement]})
    )
    other.lambda_.create_function(**function)


def test_skopeo_copies_lists_of_images_out_as_they_went_in(
    world: World, repository: str, skopeo: str
) -> None:
    program = tree_layer({"bin/program": world.program}, executable=("bin/program",))
    manifests = {
        machine: world.layout.manifest([program], architecture=machine, Entrypoint=["/bin/program"])
        for machine in ("amd64", "arm64")
    }
    world.layout.index("own-both", manifests)
    place = urlsplit(world.daemon.endpoint_url).netloc
    target = f"docker://{place}/{repository}:both"
    copy(skopeo, f"oci:{world.layout.directory}:own-both", target, "--all")
    raw = subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", target],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert len(json.loads(raw.stdout)["manifests"]) == 2
    back = world.base / "back"
    copy(skopeo, target, f"oci:{back}:both", "--all", "--src-tls-verify=false")
    (entry,) = json.loads((back / "index.json").read_text())["manifests"]
    assert entry["digest"] == f"sha256:{hashlib.sha256(raw.stdout).hexdigest()}"
    assert world.invoke(f"{place}/{repository}:both", {}).payload["argv"] == ["/bin/program"]
