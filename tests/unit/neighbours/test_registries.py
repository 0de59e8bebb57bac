"""Which registry is meant, what a manifest says, and what a password is worth."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.domain.images import ImageProblem
from lambdad.neighbours.ecr.access import Grant, password_of, seal, unseal
from lambdad.neighbours.ecr.model import Repository, read_manifest
from lambdad.neighbours.registry_hosts import (
    RegistryAddress,
    address_of,
    registry_name,
    registry_named,
)

KEY = b"k" * 32
GRANT = Grant(
    account_id="111122223333",
    region="eu-west-1",
    arn="arn:aws:iam::111122223333:root",
    role_arn=None,
    expires_s=1_000,
)
OWN = RegistryAddress("111122223333", "eu-west-1")


@pytest.mark.parametrize(
    ("path", "headers", "address"),
    [
        ("/v2/", {"host": "111122223333.dkr.ecr.eu-west-1.localhost:4566"}, OWN),
        ("/v2", {"host": "localhost:4566"}, RegistryAddress()),
        ("/v2/a/tags/list", {"host": "x", "authorization": "Basic QQ=="}, RegistryAddress()),
        ("/v2/a/tags/list", {"host": "x", "authorization": "Bearer abc"}, RegistryAddress()),
        ("/v2/apis", {"host": "x", "authorization": "AWS4-HMAC-SHA256 Credential=…"}, None),
        ("/v2/key", {"host": "bucket.s3.localhost:4566"}, None),
        ("/v2/key", {"host": "bucket.localhost"}, None),
        ("/v20/key", {"host": "localhost"}, None),
    ],
)
def test_a_request_is_for_a_registry_by_path_host_and_proof(
    path: str, headers: dict[str, str], address: RegistryAddress | None
) -> None:
    assert address_of(path, headers) == address


def test_names_of_images_mean_a_registry_here_or_somebody_elses() -> None:
    name = registry_name("111122223333", "eu-west-1", "127.0.0.1:4566")
    assert name == "111122223333.dkr.ecr.eu-west-1.localhost:4566"
    assert registry_named(name, 4566) == OWN
    aws = registry_named("111122223333.dkr.ecr.eu-west-1.amazonaws.com", 4566)
    assert aws == RegistryAddress("111122223333", "eu-west-1", certain=False)
    assert registry_named("localhost:4566", 4566) == RegistryAddress()
    for other in ("localhost:5000", "public.ecr.aws", "111122223333.dkr.ecr.x.example.com"):
        assert registry_named(other, 4566) is None


def test_a_password_is_worth_something_until_it_expires_and_only_as_it_is() -> None:
    password = seal(GRANT, KEY)
    assert unseal(password, KEY, now_s=999) == GRANT
    assert unseal(password, KEY, now_s=1_000) is None
    assert unseal(password, b"x" * 32, now_s=0) is None
    assert unseal("A" + password[1:], KEY, now_s=0) is None


@given(st.text(max_size=100))
def test_no_text_is_a_password_by_chance(text: str) -> None:
    assert unseal(text, KEY, now_s=0) is None
    password_of(text)
    password_of(f"Basic {text}")


def test_tags_move_as_the_repository_allows() -> None:
    def may_move(mutability: str, tag: str) -> bool:
        filters = [{"filterType": "WILDCARD", "filter": "dev-*"}]
        settings = {
            "imageTagMutability": mutability,
            "imageTagMutabilityExclusionFilters": filters,
        }
        repository = Repository(
            account_id="1", region="r", name="n", created_ms=0, settings=settings
        )
        return repository.may_move(tag)

    assert may_move("MUTABLE", "v1")
    assert not may_move("IMMUTABLE", "dev-1")
    assert may_move("IMMUTABLE_WITH_EXCLUSION", "dev-1")
    assert not may_move("IMMUTABLE_WITH_EXCLUSION", "v1")
    assert may_move("MUTABLE_WITH_EXCLUSION", "v1")
    assert not may_move("MUTABLE_WITH_EXCLUSION", "dev-1")


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=20))
def test_no_manifest_of_a_stranger_breaks_its_reader(value: object) -> None:
    for member in ("mediaType", "config", "layers", "subject", "manifests", "schemaVersion"):
        document = {"schemaVersion": 2, "config": {}, "layers": [], member: value}
        with pytest.raises(ImageProblem):
            read_manifest(json.dumps(document).encode(), None)


def test_a_manifest_has_parts_without_end_only_until_somebody_counts() -> None:
    descriptor = {"digest": "sha256:" + "0" * 64, "size": 1}
    document = {"schemaVersion": 2, "config": descriptor, "layers": [descriptor] * 4_201}
    with pytest.raises(ImageProblem, match="4200"):
        read_manifest(json.dumps(document).encode(), None)


def test_layers_that_may_not_be_distributed_need_not_be_there() -> None:
    foreign = {
        "digest": "sha256:" + "1" * 64,
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "urls": ["https://example.com/layer"],
    }
    config = {"digest": "sha256:" + "0" * 64, "size": 1}
    document = {"schemaVersion": 2, "config": config, "layers": [foreign]}
    assert read_manifest(json.dumps(document).encode(), None).blobs == (config["digest"],)
