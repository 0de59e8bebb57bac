"""Layers over the API: publishing, reading, listing, deleting."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any
from urllib.parse import urlsplit

import pytest

from lambdad.api import code_location
from lambdad.domain.layers import LayerKey
from lambdad.testing.clients import Client
from lambdad.testing.controlplane import a_zip
from lambdad.testing.requests import error_of

ARN = "arn:aws:lambda:us-east-1:000000000000:layer:l"
ABSENT = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
NOT_A_VERSION = (400, "InvalidParameterValueException", "Layer Version Cannot be less than 1")
NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


async def publish(aws: Client, name: str = "l", text: str = "", **members: Any) -> dict[str, Any]:
    content = {"ZipFile": a_zip({"python/layer.py": text})}
    answer = await aws.publish_layer_version(**{"LayerName": name, "Content": content, **members})
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    return answer


def parts_of(location: str) -> tuple[str, str]:
    url = urlsplit(location)
    return url.path, url.query


async def test_a_published_version_is_answered_and_read_in_full(endpoint, aws: Client) -> None:
    package = a_zip({"python/layer.py": "x"})
    published = await publish(
        aws,
        Content={"ZipFile": package},
        Description="what it is",
        CompatibleRuntimes=["python3.12", "nodejs22.x"],
        CompatibleArchitectures=["x86_64"],
        LicenseInfo="MIT",
    )
    location = published["Content"].pop("Location")
    digest = hashlib.sha256(package)
    assert published == {
        "Content": {
            "CodeSha256": base64.b64encode(digest.digest()).decode(),
            "CodeSize": len(package),
        },
        "LayerArn": ARN,
        "LayerVersionArn": f"{ARN}:1",
        "Description": "what it is",
        "CreatedDate": published["CreatedDate"],
        "Version": 1,
        "CompatibleRuntimes": ["python3.12", "nodejs22.x"],
        "CompatibleArchitectures": ["x86_64"],
        "LicenseInfo": "MIT",
    }
    moment = endpoint.clock.now()
    assert published["CreatedDate"] == f"{moment:%Y-%m-%dT%H:%M:%S}.{moment:%f}"[:23] + "+0000"
    for call in (
        aws.get_layer_version(LayerName="l", VersionNumber=1),
        aws.get_layer_version(LayerName=ARN, VersionNumber=1),
        aws.get_layer_version_by_arn(Arn=f"{ARN}:1"),
    ):
        found = await call
        assert found.pop("ResponseMetadata")["HTTPStatusCode"] == 200
        assert found["Content"].pop("Location").startswith("http://127.0.0.1:4566/_lambdad/code/")
        assert found == published
    path, query = parts_of(location)
    package_of = code_location.verify(
        b"secret of the test", path=path, query=query, now_s=endpoint.clock.time()
    )
    assert package_of == code_location.Package(
        key=LayerKey(account_id="000000000000", region="us-east-1", name="l"),
        digest=digest.hexdigest(),
    )


async def test_what_is_not_said_is_left_out_but_for_the_description(aws: Client) -> None:
    published = await publish(aws)
    assert published.keys() == {
        "Content",
        "LayerArn",
        "LayerVersionArn",
        "Description",
        "CreatedDate",
        "Version",
    }
    assert published["Description"] == ""


async def test_numbers_go_up_and_are_never_used_again(aws: Client) -> None:
    assert [(await publish(aws))["Version"] for _ in range(3)] == [1, 2, 3]
    for number in (1, 3):
        answer = await aws.delete_layer_version(LayerName="l", VersionNumber=number)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert (await publish(aws))["Version"] == 4
    for number in (2, 4):
        await aws.delete_layer_version(LayerName="l", VersionNumber=number)
    assert (await publish(aws))["Version"] == 5


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"ZipFile": b"no zip"}, (400, "InvalidParameterValueException", NOT_A_ZIP)),
        (
            {"ZipFile": b""},
            (400, "InvalidParameterValueException", "Uploaded file must be a non-empty zip"),
        ),
        (
            {},
            (400, "InvalidParameterValueException", "Please provide a source for layer content."),
        ),
        (
            {"ZipFile": b"x", "S3Bucket": "bucket", "S3Key": "k"},
            (
                400,
                "InvalidParameterValueException",
                (
                    "Please do not provide other LayerVersionContent parameters when providing a "
                    "ZipFile."
                ),
            ),
        ),
        (
            {"S3Bucket": "bucket"},
            (
                400,
                "InvalidParameterValueException",
                "Please provide both S3Bucket and S3Key: one of them is missing.",
            ),
        ),
    ],
)
async def test_content_that_is_not_acceptable_publishes_nothing(
    aws: Client, content: dict[str, Any], error: tuple[int, str, str]
) -> None:
    assert await error_of(aws.publish_layer_version(LayerName="l", Content=content)) == error
    assert (await aws.list_layers())["Layers"] == []
    assert (await publish(aws))["Version"] == 1


async def test_a_package_of_more_than_50_mb_is_refused(aws: Client) -> None:
    error = await error_of(
        aws.publish_layer_version(LayerName="l", Content={"ZipFile": bytes(52_428_801)})
    )
    message = "Zipped size must be smaller than 52428800 bytes"
    assert error == (413, "RequestEntityTooLargeException", message)


async def test_constraints_of_the_model_hold(aws: Client) -> None:
    zipped = {"ZipFile": a_zip()}
    status, code, message = await error_of(
        aws.publish_layer_version(LayerName="l", Content=zipped, CompatibleRuntimes=["cobol1"])
    )
    assert (status, code) == (400, "ValidationException")
    assert message.startswith(
        "1 validation error detected: Value '[cobol1]' at 'compatibleRuntimes' failed to satisfy "
        "constraint: Member must satisfy constraint: [Member must satisfy enum value set: ["
    )
    status, code, message = await error_of(aws.get_layer_version_by_arn(Arn=ARN))
    assert (status, code) == (400, "ValidationException")
    assert message.startswith(
        f"1 validation error detected: Value '{ARN}' at 'arn' failed to satisfy constraint: Member "
        "must satisfy regular expression pattern: "
    )


async def test_versions_that_are_not_there_are_not_found(aws: Client) -> None:
    await publish(aws)
    missing = {"LayerName": "l", "VersionNumber": 2}
    assert await error_of(aws.get_layer_version(**missing)) == ABSENT
    assert await error_of(aws.get_layer_version(LayerName="x", VersionNumber=1)) == ABSENT
    assert await error_of(aws.get_layer_version_by_arn(Arn=f"{ARN}:2")) == ABSENT
    own = "arn:aws:lambda:::awslayer:AmazonLinux1803"
    assert await error_of(aws.get_layer_version_by_arn(Arn=own)) == ABSENT
    await aws.delete_layer_version(LayerName="l", VersionNumber=1)
    assert await error_of(aws.get_layer_version(LayerName="l", VersionNumber=1)) == ABSENT
    zero = {"LayerName": "l", "VersionNumber": 0}
    assert await error_of(aws.get_layer_version(**zero)) == NOT_A_VERSION


async def test_deleting_is_idempotent(aws: Client) -> None:
    await publish(aws)
    for _ in range(2):
        answer = await aws.delete_layer_version(LayerName="l", VersionNumber=1)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    await aws.delete_layer_version(LayerName="never", VersionNumber=9)
    error = await error_of(aws.delete_layer_version(LayerName="l", VersionNumber=0))
    assert error == NOT_A_VERSION


async def test_versions_are_listed_newest_first_and_by_what_they_fit(aws: Client) -> None:
    await publish(aws, CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["arm64"])
    await publish(aws, CompatibleRuntimes=["nodejs22.x"], Description="second", LicenseInfo="MIT")
    await publish(aws, CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["x86_64"])

    async def numbers(**wanted: str) -> list[int]:
        found = await aws.list_layer_versions(LayerName="l", **wanted)
        return [version["Version"] for version in found["LayerVersions"]]

    assert await numbers() == [3, 2, 1]
    assert await numbers(CompatibleRuntime="python3.12") == [3, 1]
    assert await numbers(CompatibleArchitecture="arm64") == [1]
    assert await numbers(CompatibleRuntime="nodejs22.x", CompatibleArchitecture="arm64") == []
    assert (await aws.list_layer_versions(LayerName="other"))["LayerVersions"] == []
    second = (await aws.list_layer_versions(LayerName="l"))["LayerVersions"][1]
    assert second == {
        "LayerVersionArn": f"{ARN}:2",
        "Version": 2,
        "Description": "second",
        "CreatedDate": second["CreatedDate"],
        "CompatibleRuntimes": ["nodejs22.x"],
        "LicenseInfo": "MIT",
    }


async def test_layers_are_listed_with_their_newest_matching_version(aws: Client) -> None:
    await publish(aws, "b", CompatibleRuntimes=["python3.12"])
    await publish(aws, "b", CompatibleRuntimes=["nodejs22.x"])
    await publish(aws, "a", CompatibleRuntimes=["nodejs22.x"])
    await publish(aws, "gone")
    await aws.delete_layer_version(LayerName="gone", VersionNumber=1)

    async def latest(**wanted: str) -> list[tuple[str, int]]:
        found = (await aws.list_layers(**wanted))["Layers"]
        return [(one["LayerName"], one["LatestMatchingVersion"]["Version"]) for one in found]

    assert await latest() == [("a", 1), ("b", 2)]
    assert await latest(CompatibleRuntime="python3.12") == [("b", 1)]
    assert await latest(CompatibleArchitecture="arm64") == []
    first = (await aws.list_layers())["Layers"][0]
    assert first.keys() == {"LayerName", "LayerArn", "LatestMatchingVersion"}
    assert first["LayerArn"] == ARN.removesuffix("l") + "a"


async def test_listings_go_by_pages(aws: Client) -> None:
    for name in ("a", "b", "c"):
        for _ in range(3):
            await publish(aws, name)
    layers = aws.boto3.get_paginator("list_layers")
    versions = aws.boto3.get_paginator("list_layer_versions")

    def pages(paginator: Any, **params: Any) -> list[Any]:
        return list(paginator.paginate(PaginationConfig={"PageSize": 2}, **params))

    found = await asyncio.to_thread(pages, layers)
    assert [[one["LayerName"] for one in page["Layers"]] for page in found] == [["a", "b"], ["c"]]
    found = await asyncio.to_thread(pages, versions, LayerName="b")
    numbers = [[one["Version"] for one in page["LayerVersions"]] for page in found]
    assert numbers == [[3, 2], [1]]
    for call in (
        aws.list_layers(Marker="%"),
        aws.list_layer_versions(LayerName="b", Marker="eA=="),
    ):
        error = await error_of(call)
        assert error == (400, "InvalidParameterValueException", "The provided Marker is invalid.")


async def test_accounts_and_regions_have_layers_of_their_own(endpoint, aws: Client) -> None:
    await publish(aws)
    for other in (endpoint.client(region="eu-west-1"), endpoint.client(access_key="1" * 12)):
        assert (await other.list_layers())["Layers"] == []
        assert await error_of(other.get_layer_version(LayerName="l", VersionNumber=1)) == ABSENT
        assert (await publish(other))["Version"] == 1
    elsewhere = endpoint.client(region="eu-west-1")
    status, code, message = await error_of(elsewhere.get_layer_version_by_arn(Arn=f"{ARN}:1"))
    assert (status, code) == (404, "ResourceNotFoundException")
    text = "Layers from 'us-east-1' are not reachable in this region ('eu-west-1')"
    assert message == text


async def test_a_layer_counts_to_what_the_account_has_stored(aws: Client) -> None:
    published = await publish(aws)
    usage = (await aws.get_account_settings())["AccountUsage"]
    assert usage == {"TotalCodeSize": published["Content"]["CodeSize"], "FunctionCount": 0}
