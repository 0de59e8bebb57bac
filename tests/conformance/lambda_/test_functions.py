"""The life of a function over the wire: create, read, update, list, delete."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.testing.deploy import ROLE, Deployer, zip_of
from lambdad.testing.raw_calls import raw

pytestmark = [pytest.mark.root, pytest.mark.slow]

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
PACKAGE = zip_of({"app.py": "def handler(event, context):\n    return event\n"})
OTHER = zip_of({"app.py": "def handler(event, context):\n    return 'other'\n"})

Request = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., tuple[int, str, str]]


def sha256_of(package: bytes) -> str:
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


def active(user: Deployer, name: str = "hello") -> dict[str, Any]:
    user.lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
    answer: dict[str, Any] = user.lambda_.get_function(FunctionName=name)
    return answer


def test_create_answers_201_with_every_default_of_aws(lonely: Deployer, a_request: Request) -> None:
    answer = lonely.lambda_.create_function(**a_request())
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 201
    assert metadata["HTTPHeaders"]["content-type"] == "application/json"
    assert UUID.fullmatch(metadata["HTTPHeaders"]["x-amzn-requestid"])
    assert UUID.fullmatch(answer.pop("RevisionId"))
    assert STAMP.fullmatch(answer.pop("LastModified"))
    runtime = answer.pop("RuntimeVersionConfig")["RuntimeVersionArn"]
    assert re.fullmatch(r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}", runtime)
    account = lonely.sts.get_caller_identity()["Account"]
    assert answer == {
        "FunctionName": "hello",
        "FunctionArn": f"arn:aws:lambda:us-east-1:{account}:function:hello",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": len(PACKAGE),
        "CodeSha256": sha256_of(PACKAGE),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"},
    }


def test_a_created_function_becomes_active(lonely: Deployer, a_request: Request) -> None:
    created = lonely.lambda_.create_function(**a_request())
    configuration = active(lonely)["Configuration"]
    assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
    assert not {"StateReason", "StateReasonCode", "LastUpdateStatusReason"} & configuration.keys()
    assert configuration["RevisionId"] != created["RevisionId"]
    assert configuration["LastModified"] == created["LastModified"]
    same = lonely.lambda_.get_function_configuration(FunctionName="hello")
    same.pop("ResponseMetadata")
    assert same == configuration


def test_what_is_set_is_read_back_and_listed(lonely: Deployer, a_request: Request) -> None:
    given = {
        "Description": "dèscription 😀",
        "Timeout": 900,
        "MemorySize": 10_240,
        "Environment": {"Variables": {"KEY": "välue", "EMPTY": ""}},
        "TracingConfig": {"Mode": "Active"},
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 10_240},
        "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
    }
    lonely.lambda_.create_function(**a_request(**given, Tags={"team": "ö", "empty": ""}))
    answer = active(lonely)
    assert {name: answer["Configuration"][name] for name in given} == given
    assert answer["Tags"] == {"team": "ö", "empty": ""}
    [listed] = lonely.lambda_.list_functions()["Functions"]
    assert {name: listed[name] for name in given} == given
    assert not {"State", "LastUpdateStatus", "StateReasonCode", "Tags"} & listed.keys()


def test_the_link_to_the_code_gives_the_package(lonely: Deployer, a_request: Request) -> None:
    lonely.lambda_.create_function(**a_request())
    code = active(lonely)["Code"]
    assert code["RepositoryType"] == "S3"
    with urllib.request.urlopen(code["Location"]) as answer:  # noqa: S310
        assert answer.read() == PACKAGE
        assert answer.headers["Content-Length"] == str(len(PACKAGE))
    lonely.lambda_.update_function_code(FunctionName="hello", ZipFile=OTHER)
    with urllib.request.urlopen(active(lonely)["Code"]["Location"]) as answer:  # noqa: S310
        assert answer.read() == OTHER


def test_an_update_of_the_code_is_in_progress_and_then_done(
    lonely: Deployer, a_request: Request
) -> None:
    lonely.lambda_.create_function(**a_request())
    before = active(lonely)["Configuration"]
    answer = lonely.lambda_.update_function_code(FunctionName="hello", ZipFile=OTHER)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert (answer["State"], answer["LastUpdateStatus"]) == ("Active", "InProgress")
    assert answer["LastUpdateStatusReason"] == "The function is being created."
    assert answer["LastUpdateStatusReasonCode"] == "Creating"
    assert (answer["CodeSha256"], answer["CodeSize"]) == (sha256_of(OTHER), len(OTHER))
    after = active(lonely)["Configuration"]
    assert after["LastUpdateStatus"] == "Successful"
    assert len({before["RevisionId"], answer["RevisionId"], after["RevisionId"]}) == 3
    assert lonely.invoke("hello", 1).payload == "other"


def test_dry_run_of_an_update_changes_nothing(lonely: Deployer, a_request: Request) -> None:
    lonely.lambda_.create_function(**a_request())
    before = active(lonely)["Configuration"]
    answer = lonely.lambda_.update_function_code(FunctionName="hello", ZipFile=OTHER, DryRun=True)
    assert answer["CodeSha256"] == sha256_of(OTHER)
    assert active(lonely)["Configuration"] == before


def test_an_update_of_the_configuration_changes_what_is_named(
    lonely: Deployer, a_request: Request
) -> None:
    lonely.lambda_.create_function(
        **a_request(Description="kept", Environment={"Variables": {"AA": "1"}})
    )
    active(lonely)
    answer = lonely.lambda_.update_function_configuration(
        FunctionName="hello", Timeout=7, MemorySize=192, Environment={"Variables": {"BB": "2"}}
    )
    assert answer["LastUpdateStatus"] == "InProgress"
    seen = active(lonely)["Configuration"]
    assert (seen["Timeout"], seen["MemorySize"], seen["Description"]) == (7, 192, "kept")
    assert seen["Environment"] == {"Variables": {"BB": "2"}}


@pytest.mark.parametrize("operation", ["update_function_code", "update_function_configuration"])
def test_a_stale_revision_is_refused_and_the_latest_is_not(
    lonely: Deployer, a_request: Request, error_of: ErrorOf, operation: str
) -> None:
    created = lonely.lambda_.create_function(**a_request())
    latest = active(lonely)["Configuration"]["RevisionId"]
    update = getattr(lonely.lambda_, operation)
    change = {"ZipFile": OTHER} if operation.endswith("code") else {"Timeout": 9}
    assert error_of(update, FunctionName="hello", RevisionId=created["RevisionId"], **change) == (
        412,
        "PreconditionFailedException",
        (
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id"
        ),
    )
    update(FunctionName="hello", RevisionId=latest, **change)


def test_listing_goes_through_all_pages(lonely: Deployer, a_request: Request) -> None:
    names = [f"f{number:03}" for number in range(60)]
    for name in names:
        lonely.lambda_.create_function(**a_request(name))
    pages = list(lonely.lambda_.get_paginator("list_functions").paginate())
    assert [len(page["Functions"]) for page in pages] == [50, 10]
    assert "NextMarker" not in pages[-1]
    paginator = lonely.lambda_.get_paginator("list_functions")
    small = [
        [function["FunctionName"] for function in page["Functions"]]
        for page in paginator.paginate(PaginationConfig={"PageSize": 7})
    ]
    assert [name for page in small for name in page] == names
    assert max(map(len, small)) == 7
    everything = lonely.lambda_.list_functions(FunctionVersion="ALL", MaxItems=1)
    assert everything["Functions"][0]["FunctionArn"].endswith(":function:f000:$LATEST")


def test_a_deleted_function_is_gone_and_its_name_free(
    lonely: Deployer, a_request: Request, error_of: ErrorOf
) -> None:
    lonely.lambda_.create_function(**a_request())
    active(lonely)
    assert lonely.invoke("hello", 1).payload == 1
    answer = lonely.lambda_.delete_function(FunctionName="hello")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert answer["ResponseMetadata"]["HTTPHeaders"].get("content-length", "0") == "0"
    account = lonely.sts.get_caller_identity()["Account"]
    arn = f"arn:aws:lambda:us-east-1:{account}:function:hello"
    absent = (404, "ResourceNotFoundException", f"Function not found: {arn}")
    for call in ("get_function", "get_function_configuration", "delete_function", "invoke"):
        assert error_of(getattr(lonely.lambda_, call), FunctionName="hello") == absent, call
    assert (
        error_of(lonely.lambda_.update_function_code, FunctionName="hello", ZipFile=OTHER) == absent
    )
    assert error_of(lonely.lambda_.update_function_configuration, FunctionName="hello") == absent
    created = lonely.lambda_.create_function(
        **a_request(Code={"ZipFile": OTHER}, Description="second life")
    )
    assert created["Description"] == "second life"
    active(lonely)
    assert lonely.invoke("hello").payload == "other"


def test_a_function_cannot_be_created_twice(
    lonely: Deployer, a_request: Request, error_of: ErrorOf
) -> None:
    lonely.lambda_.create_function(**a_request())
    assert error_of(lonely.lambda_.create_function, **a_request()) == (
        409,
        "ResourceConflictException",
        "Function already exist: hello",
    )


def test_errors_have_the_wire_form_of_aws(lonely: Deployer) -> None:
    status, headers, body = raw(
        lonely.lambda_.meta.endpoint_url, "GET", "/2015-03-31/functions/absent"
    )
    assert status == 404
    assert headers["x-amzn-errortype"] == "ResourceNotFoundException"
    assert UUID.fullmatch(headers["x-amzn-requestid"])
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {
        "Type": "User",
        "Message": ("Function not found: arn:aws:lambda:us-east-1:000000000000:function:absent"),
    }
    status, headers, body = raw(
        lonely.lambda_.meta.endpoint_url, "POST", "/2015-03-31/functions", b"{}"
    )
    assert (status, headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert list(json.loads(body)) == ["message"]
    status, headers, body = raw(
        lonely.lambda_.meta.endpoint_url, "POST", "/2015-03-31/functions", b"{not json"
    )
    assert status == 400
    assert headers["x-amzn-errortype"] == "SerializationException"
    for number in (1, 2):
        path = f"/2015-03-31/functions/a:{number}?Qualifier=3"
        status, headers, body = raw(lonely.lambda_.meta.endpoint_url, "GET", path)
        assert (status, headers["x-amzn-errortype"]) == (400, "InvalidParameterValueException")
        assert json.loads(body) == {
            "Type": "User",
            "message": (
                "The derived qualifier from the function name does not match the specified "
                "qualifier."
            ),
        }


def test_older_sdks_may_end_paths_with_a_slash(lonely: Deployer) -> None:
    status, _, body = raw(lonely.lambda_.meta.endpoint_url, "GET", "/2015-03-31/functions/")
    assert (status, list(json.loads(body))) == (200, ["Functions"])


def test_accounts_and_regions_live_side_by_side(
    lonely: Deployer, a_request: Request, error_of: ErrorOf
) -> None:
    account = lonely.sts.get_caller_identity()["Account"]
    endpoint = lonely.lambda_.meta.endpoint_url
    other = f"{int(account) + 10**10:012}"
    users = [
        Deployer(endpoint, account_id=who, region=where)
        for who in (account, other)
        for where in ("us-east-1", "eu-central-1")
    ]
    for number, user in enumerate(users):
        source = (
            "import os\ndef handler(event, context):\n"
            f"    return [{number}, context.invoked_function_arn, os.environ['AWS_REGION']]\n"
        )
        user.deploy("same", source)
    for number, user in enumerate(users):
        who, where = (account, other)[number // 2], ("us-east-1", "eu-central-1")[number % 2]
        arn = f"arn:aws:lambda:{where}:{who}:function:same"
        assert user.invoke("same").payload == [number, arn, where]
        assert user.invoke(arn).payload[0] == number
        assert user.sts.get_caller_identity()["Account"] == who
        [function] = user.lambda_.list_functions()["Functions"]
        assert function["FunctionArn"] == arn
    mine = f"arn:aws:lambda:us-east-1:{account}:function:same"
    assert error_of(users[2].lambda_.get_function, FunctionName=mine)[:2] == (
        403,
        "AccessDeniedException",
    )
    assert error_of(users[1].lambda_.get_function, FunctionName=mine) == (
        404,
        "ResourceNotFoundException",
        "Functions from 'us-east-1' are not reachable in this region ('eu-central-1')",
    )
    users[0].lambda_.delete_function(FunctionName="same")
    assert users[3].invoke("same").payload[0] == 3


def test_tags_are_added_overwritten_and_removed(
    lonely: Deployer, a_request: Request, error_of: ErrorOf
) -> None:
    arn = lonely.lambda_.create_function(**a_request(Tags={"a": "1"}))["FunctionArn"]
    active(lonely)
    answer = lonely.lambda_.tag_resource(Resource=arn, Tags={"a": "2", "ключ": "é"})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert lonely.lambda_.list_tags(Resource=arn)["Tags"] == {"a": "2", "ключ": "é"}
    lonely.lambda_.untag_resource(Resource=arn, TagKeys=["a", "never"])
    assert lonely.lambda_.get_function(FunctionName="hello")["Tags"] == {"ключ": "é"}
    lonely.lambda_.untag_resource(Resource=arn, TagKeys=["ключ"])
    assert "Tags" not in lonely.lambda_.get_function(FunctionName="hello")
    assert lonely.lambda_.list_tags(Resource=arn)["Tags"] == {}
    assert error_of(
        lonely.lambda_.tag_resource, Resource=arn, Tags={f"k{n}": "" for n in range(51)}
    ) == (400, "InvalidParameterValueException", "Number of tags exceeds resource tag limit.")
    assert error_of(lonely.lambda_.list_tags, Resource=f"{arn}:1") == (
        400,
        "InvalidParameterValueException",
        "Tags on function aliases and versions are not supported. Please specify a function ARN.",
    )


def test_sts_names_the_account_of_the_access_key(lonely: Deployer, user: Deployer) -> None:
    account = lonely.sts.get_caller_identity()["Account"]
    assert re.fullmatch(r"7\d{11}", account)
    identity = user.sts.get_caller_identity()
    assert identity["Account"] == "000000000000"
    assert identity["Arn"].startswith("arn:aws:")
    named = Deployer(user.lambda_.meta.endpoint_url, account_id="test")
    assert named.sts.get_caller_identity()["Account"] == "000000000000"
