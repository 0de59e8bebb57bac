"""The registry's own protocol over HTTP, as docker and its like speak it, and as nobody should."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from tests.conformance.ecr.conftest import (
    INDEX,
    MANIFEST,
    RegistryClient,
    digest_of,
    manifest_of,
)

_NUMBERS = itertools.count(1)
LARGE = bytes(range(256)) * 4096  # goes through a file, not through memory


def test_a_blob_comes_in_pieces_and_goes_out_in_pieces(
    registry: RegistryClient, repository: str
) -> None:
    upload = registry.begin(repository)
    half = len(LARGE) // 2
    reply = registry.call("PATCH", upload, LARGE[:half], Content_Range=f"0-{half - 1}")
    assert (reply.status, reply.headers["range"]) == (202, f"0-{half - 1}")
    assert registry.call("GET", upload).headers["range"] == f"0-{half - 1}"
    reply = registry.call("PATCH", upload, LARGE[half:], Content_Range=f"0-{half - 1}")
    assert (reply.status, reply.headers["range"]) == (416, f"0-{half - 1}")
    chunks = (LARGE[half:][at : at + 100_000] for at in range(0, half, 100_000))
    assert registry.call("PATCH", upload, chunks).status == 202
    digest = digest_of(LARGE)
    reply = registry.call("PUT", f"{upload}?digest={digest}")
    assert (reply.status, reply.headers["docker-content-digest"]) == (201, digest)
    blob = f"/v2/{repository}/blobs/{digest}"
    assert registry.call("GET", blob).body == LARGE
    head = registry.call("HEAD", blob)
    assert (head.status, head.headers["content-length"]) == (200, str(len(LARGE)))
    some = registry.call("GET", blob, Range="bytes=1000-1999")
    assert (some.status, some.body) == (206, LARGE[1000:2000])
    assert registry.call("GET", blob, Range=f"bytes={len(LARGE)}-").status == 416
    assert registry.call("DELETE", blob).status == 405


def test_a_blob_comes_in_one_request(registry: RegistryClient, repository: str) -> None:
    for content in (b"small", LARGE):
        path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}"
        assert registry.call("POST", path, content).status == 201
        found = registry.call("GET", f"/v2/{repository}/blobs/{digest_of(content)}")
        assert found.body == content


def test_what_is_not_what_its_digest_says_is_not_kept(
    registry: RegistryClient, repository: str
) -> None:
    wrong = digest_of(b"something else")
    for content in (b"small", LARGE):
        upload = registry.begin(repository)
        reply = registry.call("PUT", f"{upload}?digest={wrong}", content)
        assert (reply.status, reply.code) == (400, "DIGEST_INVALID")
        assert registry.call("GET", upload).status == 404
    assert registry.call("HEAD", f"/v2/{repository}/blobs/{wrong}").status == 404


@pytest.mark.parametrize(
    "digest",
    ["sha256:../../../etc/passwd", "md5:00", "sha256:" + "G" * 64, "", "sha512:" + "0" * 128],
)
def test_digests_that_are_none_reach_no_file(
    registry: RegistryClient, repository: str, digest: str
) -> None:
    reply = registry.call("PUT", f"{registry.begin(repository)}?digest={digest}", b"x")
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../../x/manifests/a",
        "/v2/UPPER/manifests/a",
        "/v2/a%2f..%2fb/manifests/a",
        "/v2//manifests/a",
        "/v2/none/tags/list",
        "/v2/none/blobs/uploads/../../x",
        "/v2/nothing",
    ],
)
def test_paths_that_lead_nowhere_are_not_found(registry: RegistryClient, path: str) -> None:
    assert registry.call("GET", path).status in (400, 404)


def test_a_blob_is_mounted_from_another_repository_only_if_it_is_there(
    registry: RegistryClient, repository: str, ecr: Any
) -> None:
    other = f"{repository}-other"
    ecr.create_repository(repositoryName=other)
    digest = registry.push_blob(repository, b"shared layer")
    assert registry.call("HEAD", f"/v2/{other}/blobs/{digest}").status == 404
    mount = f"/v2/{other}/blobs/uploads/?mount={digest}&from="
    assert registry.call("POST", mount + "ecr-tests/none").status == 202
    assert registry.call("POST", mount + repository).status == 201
    assert registry.call("GET", f"/v2/{other}/blobs/{digest}").body == b"shared layer"


def test_manifests_are_found_by_tag_and_digest_and_lists_with_what_they_list(
    registry: RegistryClient, repository: str
) -> None:
    digest = registry.push(repository, "v1", b"one layer")
    by_tag = registry.call("GET", f"/v2/{repository}/manifests/v1")
    by_digest = registry.call("GET", f"/v2/{repository}/manifests/{digest}")
    assert by_tag.body == by_digest.body
    assert by_tag.headers["content-type"] == MANIFEST
    assert by_tag.headers["docker-content-digest"] == digest == digest_of(by_tag.body)
    head = registry.call("HEAD", f"/v2/{repository}/manifests/v1")
    assert (head.status, head.headers["content-length"]) == (200, str(len(by_tag.body)))
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"digest": digest, "size": 1}]}
    path = f"/v2/{repository}/manifests/all"
    assert registry.call("PUT", path, json.dumps(index), Content_Type=INDEX).status == 201
    tags = json.loads(registry.call("GET", f"/v2/{repository}/tags/list").body)
    assert tags == {"name": repository, "tags": ["all", "v1"]}
    page = registry.call("GET", f"/v2/{repository}/tags/list?n=1")
    assert json.loads(page.body)["tags"] == ["all"]
    assert "last=all" in page.headers["link"]
    reply = registry.call("DELETE", f"/v2/{repository}/manifests/{digest}")
    assert (reply.status, reply.code) == (409, "DENIED")
    assert registry.call("DELETE", path).status == 202
    assert registry.call("DELETE", f"/v2/{repository}/manifests/{digest}").status == 202
    assert registry.call("GET", f"/v2/{repository}/manifests/v1").code == "MANIFEST_UNKNOWN"
    names = json.loads(registry.call("GET", "/v2/_catalog").body)["repositories"]
    assert repository in names


def test_manifests_of_what_is_not_there_or_makes_no_sense_are_refused(
    registry: RegistryClient, repository: str
) -> None:
    path = f"/v2/{repository}/manifests/v1"
    absent = manifest_of({"digest": digest_of(b"absent"), "size": 6})
    reply = registry.call("PUT", path, absent, Content_Type=MANIFEST)
    assert (reply.status, reply.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    for body in (b"", b"[]", b"{}", b'{"schemaVersion":1}', b"[" * 100_000):
        reply = registry.call("PUT", path, body, Content_Type=MANIFEST)
        assert (reply.status, reply.code) == (400, "MANIFEST_INVALID")
    huge = b'{"schemaVersion":2,"x":"' + b"x" * 4 * 1024 * 1024 + b'"}'
    assert registry.call("PUT", path, huge, Content_Type=MANIFEST).code == "SIZE_INVALID"
    config = registry.push_blob(repository, b"{}")
    good = manifest_of({"digest": config, "size": 2})
    other = f"/v2/{repository}/manifests/{digest_of(b'other')}"
    assert registry.call("PUT", other, good, Content_Type=MANIFEST).code == "DIGEST_INVALID"
    assert registry.call("PUT", f"/v2/{repository}/manifests/no%20tag", good).status == 400


def test_a_tag_that_may_not_move_stays(ecr: Any, registry: RegistryClient, repository: str) -> None:
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    registry.push(repository, "v1", b"first")
    registry.push(repository, "v1", b"first")  # the same is no move
    config = registry.push_blob(repository, b'{"another":"one"}')
    reply = registry.call(
        "PUT",
        f"/v2/{repository}/manifests/v1",
        manifest_of({"digest": config, "size": 17}),
        Content_Type=MANIFEST,
    )
    assert (reply.status, reply.code) == (400, "TAG_INVALID")


def test_what_says_something_about_an_image_is_found(
    registry: RegistryClient, repository: str
) -> None:
    digest = registry.push(repository, "signed", b"layer")
    config = registry.push_blob(repository, b"{}")
    signature = manifest_of(
        {"digest": config, "size": 2},
        artifactType="application/vnd.test.signature",
        subject={"digest": digest, "size": 1},
    )
    own = digest_of(signature)
    reply = registry.call(
        "PUT", f"/v2/{repository}/manifests/{own}", signature, Content_Type=MANIFEST
    )
    assert reply.headers["oci-subject"] == digest
    path = f"/v2/{repository}/referrers/{digest}"
    listed = json.loads(registry.call("GET", path).body)["manifests"]
    assert [(each["digest"], each["size"]) for each in listed] == [(own, len(signature))]
    filtered = registry.call("GET", f"{path}?artifactType=application/none")
    assert json.loads(filtered.body)["manifests"] == []


def test_an_upload_can_be_given_up(registry: RegistryClient, repository: str) -> None:
    upload = registry.begin(repository)
    assert registry.call("PATCH", upload, b"something").status == 202
    assert registry.call("DELETE", upload).status == 204
    assert registry.call("PATCH", upload, b"more").code == "BLOB_UPLOAD_UNKNOWN"


def test_a_repository_is_made_before_it_is_pushed_to(registry: RegistryClient) -> None:
    reply = registry.call("POST", "/v2/ecr-tests/never-made/blobs/uploads/")
    assert (reply.status, reply.code) == (404, "NAME_UNKNOWN")
