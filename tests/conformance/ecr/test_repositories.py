"""ECR's API over HTTP: repositories, images and layers."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from tests.conformance.ecr.conftest import RegistryClient, digest_of, manifest_of
from tests.conformance.events.conftest import client_of

from lambdad.testing.daemon import DaemonProcess


def failure(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**params)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def upload(ecr: Any, repository: str, content: bytes) -> str:
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    middle = len(content) // 2
    for first, part in ((0, content[:middle]), (middle, content[middle:])):
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload_id,
            partFirstByte=first,
            partLastByte=first + len(part) - 1,
            layerPartBlob=part,
        )
    digest = digest_of(content)
    answer = ecr.complete_layer_upload(
        repositoryName=repository, uploadId=upload_id, layerDigests=[digest]
    )
    assert answer["layerDigest"] == digest
    return digest


def test_a_repository_is_told_as_it_was_made_and_made_once(ecr: Any, daemon: DaemonProcess) -> None:
    name = "ecr-tests/made"
    made = ecr.create_repository(
        repositoryName=name,
        tags=[{"Key": "team", "Value": "a"}],
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
    )["repository"]
    port = urlsplit(daemon.endpoint_url).port
    assert made["repositoryArn"] == f"arn:aws:ecr:us-east-1:000000000000:repository/{name}"
    assert made["repositoryUri"] == f"000000000000.dkr.ecr.us-east-1.localhost:{port}/{name}"
    assert made["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"] == [made]
    assert failure(ecr.create_repository, repositoryName=name) == (
        "RepositoryAlreadyExistsException",
        f"The repository with name '{name}' already exists in the registry with id '000000000000'",
    )
    ecr.tag_resource(resourceArn=made["repositoryArn"], tags=[{"Key": "x", "Value": "1"}])
    ecr.untag_resource(resourceArn=made["repositoryArn"], tagKeys=["team"])
    tags = ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
    assert tags == [{"Key": "x", "Value": "1"}]
    ecr.delete_repository(repositoryName=name)
    assert failure(ecr.describe_repositories, repositoryNames=[name]) == (
        "RepositoryNotFoundException",
        f"The repository with name '{name}' does not exist in the registry with id '000000000000'",
    )


def test_names_that_are_none_are_refused(ecr: Any) -> None:
    for name in ("UPPER", "../up", "a//b", "a/"):
        code, _ = failure(ecr.create_repository, repositoryName=name)
        assert code == "InvalidParameterException"


def test_accounts_have_registries_of_their_own(daemon: DaemonProcess, repository: str) -> None:
    for account in ("999999999921", "999999999929"):
        other = client_of("ecr", daemon.endpoint_url, account=account)
        code, _ = failure(other.describe_repositories, repositoryNames=[repository])
        assert code == "RepositoryNotFoundException"


def test_policies_are_checked_kept_and_enforced_between_accounts(
    ecr: Any, daemon: DaemonProcess, repository: str
) -> None:
    named = {"repositoryName": repository}
    assert failure(ecr.get_repository_policy, **named)[0] == "RepositoryPolicyNotFoundException"
    code, _ = failure(ecr.set_repository_policy, policyText="{}", **named)
    assert code == "InvalidParameterException"
    other = client_of("ecr", daemon.endpoint_url, account="999999999922")
    read = {"registryId": "000000000000", **named}
    assert failure(other.list_images, **read)[0] == "AccessDeniedException"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999999999922:root"},
        "Action": ["ecr:ListImages"],
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    ecr.set_repository_policy(policyText=text, **named)
    assert ecr.get_repository_policy(**named)["policyText"] == text
    assert other.list_images(**read)["imageIds"] == []
    assert failure(other.describe_images, **read)[0] == "AccessDeniedException"
    ecr.delete_repository_policy(**named)
    assert failure(other.list_images, **read)[0] == "AccessDeniedException"


def test_lifecycle_policies_are_kept(ecr: Any, repository: str) -> None:
    named = {"repositoryName": repository}
    assert failure(ecr.get_lifecycle_policy, **named)[0] == "LifecyclePolicyNotFoundException"
    code, _ = failure(ecr.put_lifecycle_policy, lifecyclePolicyText="[]" + " " * 100, **named)
    assert code == "InvalidParameterException"
    text = json.dumps({"rules": [{"rulePriority": 1, "description": "x" * 80}]})
    ecr.put_lifecycle_policy(lifecyclePolicyText=text, **named)
    assert ecr.get_lifecycle_policy(**named)["lifecyclePolicyText"] == text
    ecr.delete_lifecycle_policy(**named)
    assert failure(ecr.get_lifecycle_policy, **named)[0] == "LifecyclePolicyNotFoundException"


def test_an_image_goes_in_and_out_by_the_api_alone(ecr: Any, repository: str) -> None:
    named = {"repositoryName": repository}
    config, layer = b'{"os":"linux"}' * 5, b"layer of an image " * 100
    manifest = manifest_of(
        {"digest": digest_of(config), "size": len(config)},
        {"digest": digest_of(layer), "size": len(layer)},
    ).decode()
    code, text = failure(ecr.put_image, imageManifest=manifest, imageTag="v1", **named)
    assert code == "LayersNotFoundException"
    assert digest_of(layer) in text
    for content in (config, layer):
        upload(ecr, repository, content)
    layers = ecr.batch_check_layer_availability(
        layerDigests=[digest_of(layer), digest_of(b"none")], **named
    )["layers"]
    assert [each["layerAvailability"] for each in layers] == ["AVAILABLE", "UNAVAILABLE"]
    image = ecr.put_image(imageManifest=manifest, imageTag="v1", **named)["image"]
    assert image["imageId"] == {"imageDigest": digest_of(manifest.encode()), "imageTag": "v1"}
    code, _ = failure(ecr.put_image, imageManifest=manifest, imageTag="v1", **named)
    assert code == "ImageAlreadyExistsException"
    found = ecr.batch_get_image(imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}], **named)
    assert [each["imageManifest"] for each in found["images"]] == [manifest]
    assert [each["failureCode"] for each in found["failures"]] == ["ImageNotFound"]
    url = ecr.get_download_url_for_layer(layerDigest=digest_of(layer), **named)["downloadUrl"]
    with urllib.request.urlopen(url) as response:  # noqa: S310 - of this daemon
        assert response.read() == layer


def test_uploads_that_contradict_themselves_are_refused(ecr: Any, repository: str) -> None:
    named = {"repositoryName": repository}
    upload_id = ecr.initiate_layer_upload(**named)["uploadId"]
    ours = {"uploadId": upload_id, **named}
    code, _ = failure(ecr.complete_layer_upload, layerDigests=[digest_of(b"x")], **ours)
    assert code == "EmptyUploadException"
    code, _ = failure(
        ecr.upload_layer_part, partFirstByte=5, partLastByte=6, layerPartBlob=b"ab", **ours
    )
    assert code == "InvalidLayerPartException"
    ecr.upload_layer_part(partFirstByte=0, partLastByte=1, layerPartBlob=b"ab", **ours)
    code, _ = failure(ecr.complete_layer_upload, layerDigests=[digest_of(b"xy")], **ours)
    assert code == "InvalidLayerException"
    code, _ = failure(ecr.complete_layer_upload, layerDigests=[digest_of(b"ab")], **ours)
    assert code == "UploadNotFoundException"


def test_images_are_listed_described_and_deleted_by_tag_and_digest(
    ecr: Any, registry: RegistryClient, repository: str
) -> None:
    named = {"repositoryName": repository}
    first = registry.push(repository, "one", b"first")
    second = registry.push(repository, "two", b"second")
    registry.push(repository, "also", b"second")
    found = ecr.list_images(**named)["imageIds"]
    assert sorted(each["imageTag"] for each in found) == ["also", "one", "two"]
    page = ecr.list_images(maxResults=1, **named)
    rest = ecr.list_images(nextToken=page["nextToken"], **named)
    assert len(page["imageIds"]) == 1
    assert len(rest["imageIds"]) == 2
    (detail,) = ecr.describe_images(imageIds=[{"imageTag": "two"}], **named)["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"]) == (second, ["also", "two"])
    assert detail["imageSizeInBytes"] >= len(b"second")
    code, text = failure(ecr.describe_images, imageIds=[{"imageTag": "none"}], **named)
    assert (code, "imageTag:'none'" in text) == ("ImageNotFoundException", True)
    assert failure(ecr.delete_repository, **named)[0] == "RepositoryNotEmptyException"

    gone = ecr.batch_delete_image(imageIds=[{"imageTag": "one"}, {"imageTag": "one"}], **named)
    assert gone["imageIds"] == [{"imageDigest": first, "imageTag": "one"}]
    assert [each["failureCode"] for each in gone["failures"]] == ["ImageNotFound"]
    gone = ecr.batch_delete_image(imageIds=[{"imageDigest": second}], **named)
    assert sorted(each["imageTag"] for each in gone["imageIds"]) == ["also", "two"]
    assert ecr.list_images(**named)["imageIds"] == []
    ecr.delete_repository(**named)


def test_images_of_a_list_stay_as_long_as_the_list(
    ecr: Any, registry: RegistryClient, repository: str
) -> None:
    named = {"repositoryName": repository}
    child = registry.push(repository, "amd", b"machine code")
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
    absent = json.dumps({**index, "manifests": [{"digest": digest_of(b"no"), "size": 2}]})
    code, _ = failure(ecr.put_image, imageManifest=absent, imageTag="all", **named)
    assert code == "ReferencedImagesNotFoundException"
    whole = json.dumps({**index, "manifests": [{"digest": child, "size": 2}]})
    ecr.put_image(imageManifest=whole, imageTag="all", **named)
    gone = ecr.batch_delete_image(imageIds=[{"imageDigest": child}], **named)
    assert [each["failureCode"] for each in gone["failures"]] == ["ImageReferencedByManifestList"]
    ecr.batch_delete_image(imageIds=[{"imageTag": "all"}], **named)
    gone = ecr.batch_delete_image(imageIds=[{"imageDigest": child}], **named)
    assert gone["failures"] == []


def test_scanning_is_refused_and_says_so(
    ecr: Any, registry: RegistryClient, repository: str
) -> None:
    registry.push(repository, "v1", b"to be scanned")
    image = {"repositoryName": repository, "imageId": {"imageTag": "v1"}}
    code, text = failure(ecr.start_image_scan, **image)
    assert (code, "trivy" in text) == ("UnsupportedImageTypeException", True)
    assert failure(ecr.describe_image_scan_findings, **image)[0] == "ScanNotFoundException"


def test_a_password_for_the_registry_is_good_for_twelve_hours(
    ecr: Any, daemon: DaemonProcess
) -> None:
    (data,) = ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    port = urlsplit(daemon.endpoint_url).port
    assert data["proxyEndpoint"] == f"http://000000000000.dkr.ecr.us-east-1.localhost:{port}"
    reply = RegistryClient(daemon.endpoint_url, password).call("GET", "/v2/")
    assert reply.status == 200


def test_the_settings_of_the_registry_are_told(ecr: Any) -> None:
    assert ecr.describe_registry()["replicationConfiguration"] == {"rules": []}
    assert failure(ecr.get_registry_policy)[0] == "RegistryPolicyNotFoundException"
    scanning = ecr.get_registry_scanning_configuration()["scanningConfiguration"]
    assert scanning == {"scanType": "BASIC", "rules": []}
    assert ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
    assert failure(ecr.describe_repositories, nextToken="no")[0] == "InvalidParameterException"


def test_settings_of_a_repository_can_be_changed(ecr: Any, repository: str) -> None:
    named = {"repositoryName": repository}
    ecr.put_image_scanning_configuration(imageScanningConfiguration={"scanOnPush": True}, **named)
    filters = [{"filterType": "WILDCARD", "filter": "latest*"}]
    ecr.put_image_tag_mutability(
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
        **named,
    )
    (found,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    assert found["imageTagMutabilityExclusionFilters"] == filters
    code, _ = failure(
        ecr.put_image_tag_mutability, imageTagMutability="MUTABLE_WITH_EXCLUSION", **named
    )
    assert code == "InvalidParameterException"
