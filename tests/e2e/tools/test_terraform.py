"""HashiCorp's AWS provider, the strictest reader of what it wrote: a second plan is empty."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.tools.conftest import APPLICATIONS, EVERY_TOOL, Workshop

from lambdad.testing.deploy import RUNTIME, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(900)]

PROVIDER = "registry.terraform.io/hashicorp/aws"
SOURCE = (APPLICATIONS / "handler.py").read_text()
TRIGGERS = ("s3", "sns", "dynamodb", "shop", "logs")


def _settings(directory: Path) -> Path:
    """Return the settings by which Terraform finds its provider on this host."""
    given = Path(os.environ.get("TF_CLI_CONFIG_FILE", Path.home() / ".terraformrc"))
    if given.is_file():
        return given
    usual = (
        os.environ.get("TF_PLUGIN_CACHE_DIR", "."),
        Path.home() / ".terraform.d/plugins",
        "/usr/local/share/terraform/plugins",
        "/usr/share/terraform/plugins",
        *Path("/opt").glob("*"),
    )
    for mirror in usual:
        if (Path(mirror) / PROVIDER).is_dir():
            settings = directory / "terraform.rc"
            settings.write_text(
                f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n'
            )
            return settings
    pytest.skip(
        f"no mirror of {PROVIDER}: fill one with `terraform providers mirror DIRECTORY` and name "
        "it in the file that TF_CLI_CONFIG_FILE names"
    )


def _package(shop: Workshop, version: int) -> None:
    source = SOURCE.replace('"version": 1', f'"version": {version}')
    (shop.directory / "package.zip").write_bytes(zip_of({"index.py": source}))


def test_terraform_applies_finds_nothing_to_do_changes_and_destroys(
    workshop: Callable[..., Workshop],
) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not on the PATH")
    shop = workshop("terraform")
    shop.environ |= {
        "TF_CLI_CONFIG_FILE": str(_settings(shop.directory)),
        "TF_IN_AUTOMATION": "1",
        "TF_VAR_package": str(shop.directory / "package.zip"),
        "TF_VAR_runtime": RUNTIME,
    }
    triggers = TRIGGERS
    if EVERY_TOOL:
        triggers += ("sqs", "kinesis")
    else:
        (shop.directory / "slow.tf").unlink()
    _package(shop, 1)
    before = shop.left()
    shop.run("terraform", "init", "-no-color")
    with shop.step("deploy"):
        assert "0 changed, 0 destroyed" in shop.run("terraform", "apply", "-auto-approve")
    with shop.step("again"):
        # 2 says that something would change.
        shop.run("terraform", "plan", "-detailed-exitcode")
    shop.says("hello", shop.run("terraform", "output", "-raw", "http") + "/hello/you")
    rest = shop.run("terraform", "output", "-raw", "rest") + "/rest/me"
    assert shop.says("hello", rest)["name"] == "me"
    shop.says("hello", shop.run("terraform", "output", "-raw", "url"))
    with shop.step("triggers"):
        shop.use(*triggers)
        shop.heard("http", *triggers, *(["schedule"] if EVERY_TOOL else []))

    _package(shop, 2)
    with shop.step("update"):
        printed = shop.run("terraform", "apply", "-auto-approve", TF_VAR_greeting="bye")
    assert "0 added" not in printed, "a layer's new version is a new resource"
    if EVERY_TOOL:
        shop.run("terraform", "plan", "-detailed-exitcode", TF_VAR_greeting="bye")
    answer = shop.says("bye", shop.run("terraform", "output", "-raw", "http") + "/hello/you")
    assert answer["version"] == 2
    assert answer["name"] == "you"
    with shop.step("remove"):
        shop.run("terraform", "destroy", "-auto-approve")
    assert shop.left() == before
