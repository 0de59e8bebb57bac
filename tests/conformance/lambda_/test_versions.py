"""Published versions, as a client of AWS sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

Request = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., tuple[int, str, str]]

WHO = """
import os

def handler(event, context):
    return {
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "variable": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        "stream": context.log_stream_name,
        "memory": context.memory_limit_in_mb,
    }
"""


@pytest.fixture
def arn(lonely: Deployer) -> str:
    """ARN of the function `hello` of the lonely user."""
    account = lonely.sts.get_caller_identity()["Account"]
    return f"arn:aws:lambda:us-east-1:{account}:function:hello"


def updated(user: Deployer, **changes: Any) -> None:
    user.lambda_.update_function_configuration(FunctionName="hello", **changes)
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName="hello")


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_a_version_is_latest_with_a_number(lonely: Deployer, arn: str) -> None:
    lonely.deploy("hello", WHO, Description="of the function")
    latest = lonely.lambda_.get_function_configuration(FunctionName="hello")
    version = lonely.lambda_.publish_version(FunctionName="hello", Description="one")
    assert version["ResponseMetadata"]["HTTPStatusCode"] == 201
    same = without_metadata(latest)
    assert without_metadata(version) == {
        **same,
        "FunctionArn": f"{arn}:1",
        "Version": "1",
        "Description": "one",
        "RevisionId": version["RevisionId"],
    }
    assert version["RevisionId"] != latest["RevisionId"]
    assert (version["State"], version["LastUpdateStatus"]) == ("Active", "Successful")
    seen = lonely.lambda_.get_function_configuration(FunctionName="hello", Qualifier="1")
    assert without_metadata(seen) == without_metadata(version)
    again = lonely.lambda_.publish_version(FunctionName="hello", Description="other")
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert without_metadata(again) == without_metadata(version)


def test_a_version_keeps_what_it_was_published_with(lonely: Deployer) -> None:
    lonely.deploy("hello", "def handler(event, context):\n    return 'old'\n")
    lonely.lambda_.publish_version(FunctionName="hello")
    lonely.lambda_.update_function_code(
        FunctionName="hello", ZipFile=zip_of({"app.py": "def handler(e, c):\n    return 'new'\n"})
    )
    lonely.lambda_.get_waiter("function_updated_v2").wait(FunctionName="hello")
    assert lonely.invoke("hello").payload == "new"
    assert lonely.invoke("hello:1").payload == "old"


def test_the_guards_of_a_publication(lonely: Deployer, error_of: ErrorOf) -> None:
    lonely.deploy("hello", WHO)
    latest = lonely.lambda_.get_function_configuration(FunctionName="hello")
    publish = lonely.lambda_.publish_version
    assert error_of(publish, FunctionName="hello", CodeSha256="x=") == (
        400,
        "InvalidParameterValueException",
        (
            "CodeSHA256 (x=) is different from current CodeSHA256 in $LATEST "
            f"({latest['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST."
        ),
    )
    assert error_of(publish, FunctionName="hello", RevisionId="stale") == (
        412,
        "PreconditionFailedException",
        (
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id"
        ),
    )
    version = publish(
        FunctionName="hello", CodeSha256=latest["CodeSha256"], RevisionId=latest["RevisionId"]
    )
    assert version["Version"] == "1"


def test_publish_at_creation(lonely: Deployer, a_request: Request, arn: str) -> None:
    created = lonely.lambda_.create_function(**a_request(Publish=True, Tags={"a": "b"}))
    assert (created["Version"], created["FunctionArn"]) == ("1", arn)
    assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
    assert "LastUpdateStatus" not in created
    lonely.lambda_.get_waiter("published_version_active").wait(FunctionName="hello", Qualifier="1")
    version = lonely.lambda_.get_function(FunctionName="hello", Qualifier="1")
    assert version["Configuration"]["FunctionArn"] == f"{arn}:1"
    assert version["Configuration"]["State"] == "Active"
    assert version["Tags"] == {"a": "b"}
    latest = lonely.lambda_.get_function(FunctionName="hello")["Configuration"]
    assert (latest["Version"], latest["FunctionArn"]) == ("$LATEST", arn)


def test_publish_with_new_code(lonely: Deployer, arn: str) -> None:
    lonely.deploy("hello", WHO)
    package = zip_of({"app.py": "def handler(event, context):\n    return 2\n"})
    answer = lonely.lambda_.update_function_code(
        FunctionName="hello", ZipFile=package, Publish=True
    )
    assert (answer["Version"], answer["FunctionArn"]) == ("1", f"{arn}:1")
    assert answer["State"] == "Active"
    lonely.lambda_.get_waiter("published_version_active").wait(FunctionName="hello", Qualifier="1")
    assert lonely.invoke("hello:1").payload == 2
    seen = lonely.lambda_.get_function_configuration(FunctionName="hello", Qualifier="1")
    assert seen["LastUpdateStatus"] == "Successful"


def test_every_way_to_name_a_version(lonely: Deployer, arn: str) -> None:
    lonely.deploy("hello", WHO)
    lonely.lambda_.publish_version(FunctionName="hello")
    account = arn.split(":")[4]
    for qualifier, version in (("1", "1"), ("$LATEST", "$LATEST")):
        for name in ("hello", "function:hello", f"{account}:function:hello", arn):
            for params in (
                {"FunctionName": f"{name}:{qualifier}"},
                {"FunctionName": name, "Qualifier": qualifier},
                {"FunctionName": f"{name}:{qualifier}", "Qualifier": qualifier},
            ):
                seen = lonely.lambda_.get_function(**params)["Configuration"]
                assert (seen["FunctionArn"], seen["Version"]) == (f"{arn}:{qualifier}", version)
                answer = lonely.lambda_.invoke(**params)
                assert answer["ExecutedVersion"] == version
    unqualified = lonely.lambda_.get_function(FunctionName="hello")["Configuration"]
    assert unqualified["FunctionArn"] == arn


def test_running_code_knows_its_version_and_how_it_was_called(lonely: Deployer, arn: str) -> None:
    lonely.deploy("hello", WHO)
    lonely.lambda_.publish_version(FunctionName="hello")
    updated(lonely, MemorySize=512)
    for qualifier, version, memory in (
        ("", "$LATEST", 512),
        (":$LATEST", "$LATEST", 512),
        (":1", "1", 256),
    ):
        answer = lonely.invoke(f"hello{qualifier}")
        seen = answer.payload
        assert (seen["version"], seen["variable"]) == (version, version)
        assert seen["arn"] == arn + qualifier
        assert int(seen["memory"]) == memory
        assert f"/[{version}]" in seen["stream"]
        assert f"Version: {version}" in answer.log


@pytest.mark.parametrize("operation", ["get_function", "get_function_configuration", "invoke"])
def test_a_version_that_is_not_there_is_not_found(
    lonely: Deployer, a_request: Request, error_of: ErrorOf, arn: str, operation: str
) -> None:
    lonely.lambda_.create_function(**a_request())
    assert error_of(getattr(lonely.lambda_, operation), FunctionName="hello", Qualifier="7") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}:7",
    )


def test_versions_are_listed_latest_first_and_page_by_page(lonely: Deployer, arn: str) -> None:
    lonely.deploy("hello", WHO)
    for number in range(11):
        updated(lonely, Timeout=10 + number)
        lonely.lambda_.publish_version(FunctionName="hello")
    expected = ["$LATEST", *map(str, range(1, 12))]
    listed = lonely.lambda_.list_versions_by_function(FunctionName="hello")
    assert "NextMarker" not in listed
    assert [item["Version"] for item in listed["Versions"]] == expected
    assert [item["FunctionArn"] for item in listed["Versions"]] == [f"{arn}:{v}" for v in expected]
    assert not {"State", "LastUpdateStatus", "RuntimeVersionConfig"} & set(listed["Versions"][1])
    paginator = lonely.lambda_.get_paginator("list_versions_by_function")
    pages = paginator.paginate(FunctionName="hello", PaginationConfig={"PageSize": 5})
    sizes = [[item["Version"] for item in page["Versions"]] for page in pages]
    assert [len(page) for page in sizes] == [5, 5, 2]
    assert [version for page in sizes for version in page] == expected


def test_all_versions_of_all_functions_are_listed(
    lonely: Deployer, a_request: Request, error_of: ErrorOf
) -> None:
    for name in ("a", "b"):
        lonely.lambda_.create_function(**a_request(name, Publish=True))
    every = lonely.lambda_.get_paginator("list_functions").paginate(
        FunctionVersion="ALL", PaginationConfig={"PageSize": 3}
    )
    found = [[item["FunctionArn"].split(":", 6)[6] for item in page["Functions"]] for page in every]
    assert found == [["a:$LATEST", "a:1", "b:$LATEST"], ["b:1"]]
    latest = lonely.lambda_.list_functions()["Functions"]
    assert [item["Version"] for item in latest] == ["$LATEST", "$LATEST"]
    call = lonely.lambda_.list_functions
    assert len(call(FunctionVersion="ALL", MasterRegion="ALL")["Functions"]) == 4
    assert call(FunctionVersion="ALL", MasterRegion="us-east-1")["Functions"] == []
    assert error_of(call, MasterRegion="us-east-1")[:2] == (400, "InvalidParameterValueException")
    assert error_of(call, Marker="%%%") == (
        400,
        "InvalidParameterValueException",
        "The provided Marker is invalid.",
    )


def test_deleting_versions(
    lonely: Deployer, a_request: Request, error_of: ErrorOf, arn: str
) -> None:
    delete = lonely.lambda_.delete_function
    assert error_of(delete, FunctionName="hello", Qualifier="1") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}:1",
    )
    lonely.deploy("hello", WHO)
    lonely.lambda_.publish_version(FunctionName="hello")
    lonely.lambda_.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    assert error_of(delete, FunctionName="hello", Qualifier="1") == (
        409,
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [live]",
    )
    assert error_of(delete, FunctionName="hello", Qualifier="$LATEST") == (
        400,
        "InvalidParameterValueException",
        "$LATEST version cannot be deleted without deleting the function.",
    )
    assert error_of(delete, FunctionName="hello", Qualifier="live")[:2] == (
        400,
        "InvalidParameterValueException",
    )
    lonely.lambda_.delete_alias(FunctionName="hello", Name="live")
    for _ in range(2):  # one that is not there is no error
        answer = delete(FunctionName="hello:1")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(lonely.lambda_.invoke, FunctionName="hello:1")[0] == 404
    assert lonely.invoke("hello").payload["version"] == "$LATEST"
    assert lonely.lambda_.publish_version(FunctionName="hello")["Version"] == "2"


def test_publishing_what_is_not_there(lonely: Deployer, error_of: ErrorOf, arn: str) -> None:
    absent = (404, "ResourceNotFoundException", f"Function not found: {arn}")
    assert error_of(lonely.lambda_.publish_version, FunctionName="hello") == absent
    assert error_of(lonely.lambda_.list_versions_by_function, FunctionName="hello") == absent
