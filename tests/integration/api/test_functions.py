"""Functions, as boto3 sees them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from lambdad.api import code_location
from lambdad.testing.clients import BASE_URL, Client
from lambdad.testing.controlplane import a_zip
from lambdad.testing.requests import FUNCTION_ARN as ARN
from lambdad.testing.requests import ROLE_ARN, UUID, a_request, error_of


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    assert UUID.fullmatch(answer.pop("ResponseMetadata")["RequestId"])
    return answer


async def test_create_answers_with_every_default_of_aws(aws: Client) -> None:
    answer = await aws.create_function(**a_request())
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    without_metadata(answer)
    assert UUID.fullmatch(answer.pop("RevisionId"))
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", answer.pop("CodeSha256"))
    assert re.fullmatch(
        r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}",
        answer.pop("RuntimeVersionConfig")["RuntimeVersionArn"],
    )
    assert answer == {
        "FunctionName": "hello",
        "FunctionArn": ARN,
        "Runtime": "python3.12",
        "Role": ROLE_ARN,
        "Handler": "app.handler",
        "CodeSize": len(a_zip()),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": "2025-11-24T16:00:00.000+0000",
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


async def test_what_is_set_is_read_back_as_set(aws: Client) -> None:
    given = {
        "Description": "d",
        "Timeout": 30,
        "MemorySize": 256,
        "Environment": {"Variables": {"KEY": "välue"}},
        "TracingConfig": {"Mode": "Active"},
        "Architectures": ["arm64"],
        "EphemeralStorage": {"Size": 1024},
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"},
        "FileSystemConfigs": [
            {
                "Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-"
                "01234567890123456",
                "LocalMountPath": "/mnt/data",
            }
        ],
        "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
    }
    await aws.create_function(
        **a_request(
            **given,
            VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
            LoggingConfig={"LogFormat": "JSON", "LogGroup": "/mine"},
        )
    )
    seen = await aws.get_function_configuration(FunctionName="hello")
    assert {name: seen[name] for name in given} == given
    vpc = seen["VpcConfig"]
    assert re.fullmatch(r"vpc-[0-9a-f]{17}", vpc.pop("VpcId"))
    assert vpc == {
        "SubnetIds": ["subnet-1"],
        "SecurityGroupIds": ["sg-1"],
        "Ipv6AllowedForDualStack": False,
    }
    assert seen["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
        "LogGroup": "/mine",
    }


async def test_snapstart_is_of_published_versions_and_never_of_latest(aws: Client) -> None:
    asked = {"ApplyOn": "PublishedVersions"}
    await aws.create_function(**a_request(SnapStart=asked))
    seen = await aws.get_function_configuration(FunctionName="hello")
    assert seen["SnapStart"] == {**asked, "OptimizationStatus": "Off"}


async def test_what_is_set_can_be_cleared(aws: Client) -> None:
    await aws.create_function(
        **a_request(
            DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"},
            KMSKeyArn="arn:aws:kms:us-east-1:000000000000:key/k",
            VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
            Environment={"Variables": {"KEY": "v"}},
        )
    )
    await aws.update_function_configuration(
        FunctionName="hello",
        DeadLetterConfig={"TargetArn": ""},
        KMSKeyArn="",
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        Environment={},
        FileSystemConfigs=[],
    )
    seen = await aws.get_function_configuration(FunctionName="hello")
    assert not {"DeadLetterConfig", "KMSKeyArn", "FileSystemConfigs"} & seen.keys()
    assert seen["Environment"] == {"Variables": {}}
    assert seen["VpcConfig"] == {
        "SubnetIds": [],
        "SecurityGroupIds": [],
        "VpcId": "",
        "Ipv6AllowedForDualStack": False,
    }


async def test_travis_style_empty_vpc_config_is_taken(aws: Client) -> None:
    answer = await aws.create_function(**a_request(VpcConfig={}))
    assert answer["VpcConfig"]["VpcId"] == ""


async def test_a_created_function_is_active_when_a_waiter_looks(aws: Client) -> None:
    await aws.create_function(**a_request())
    answer = await aws.get_function(FunctionName="hello")
    configuration = answer["Configuration"]
    assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
    assert "StateReason" not in configuration
    assert "Tags" not in answer
    assert answer["Code"]["RepositoryType"] == "S3"


async def test_an_update_is_in_progress_in_its_answer_and_done_at_the_next_look(
    aws: Client,
) -> None:
    await aws.create_function(**a_request())
    answer = await aws.update_function_code(FunctionName="hello", ZipFile=a_zip({"b.py": ""}))
    assert answer["LastUpdateStatus"] == "InProgress"
    assert answer["LastUpdateStatusReason"] == "The function is being created."
    assert answer["LastUpdateStatusReasonCode"] == "Creating"
    seen = await aws.get_function_configuration(FunctionName="hello")
    assert seen["LastUpdateStatus"] == "Successful"
    assert seen["CodeSha256"] == answer["CodeSha256"]


async def test_the_code_link_leads_to_the_package_for_ten_minutes(endpoint: Any) -> None:
    aws = endpoint.client()
    created = await aws.create_function(**a_request())
    location = (await aws.get_function(FunctionName="hello"))["Code"]["Location"]
    assert location.startswith(f"{BASE_URL}/_lambdad/code/000000000000/us-east-1/hello?")
    url = urlsplit(location)
    now = endpoint.clock.time()

    def verified(path: str = url.path, query: str = url.query, now_s: float = now) -> Any:
        return code_location.verify(b"secret of the test", path=path, query=query, now_s=now_s)

    package = verified(now_s=now + 599)
    assert endpoint.packages.packages[package.digest] == a_zip()
    assert len(a_zip()) == created["CodeSize"]
    assert verified(now_s=now + 601) is None
    assert verified(path=url.path.replace("hello", "other")) is None
    assert verified(query=url.query.replace("signature=", "signature=0")) is None
    assert verified(query="") is None


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("hello", ARN),
        ("function:hello", ARN),
        ("000000000000:function:hello", ARN),
        (ARN, ARN),
        ("hello:$LATEST", f"{ARN}:$LATEST"),
        (f"{ARN}:$LATEST", f"{ARN}:$LATEST"),
    ],
)
async def test_every_way_to_name_a_function_finds_it(aws: Client, name: str, arn: str) -> None:
    await aws.create_function(**a_request())
    answer = await aws.get_function(FunctionName=name)
    assert answer["Configuration"]["FunctionArn"] == arn


async def test_accounts_and_regions_do_not_see_each_other(endpoint: Any) -> None:
    here = endpoint.client()
    await here.create_function(**a_request())
    for options in ({"region": "eu-west-1"}, {"access_key": "111122223333"}):
        elsewhere = endpoint.client(**options)
        assert (await elsewhere.list_functions())["Functions"] == []
        assert (await error_of(elsewhere.get_function(FunctionName="hello")))[0] == 404
    other = endpoint.client(access_key="111122223333")
    answer = await other.create_function(**a_request())
    assert answer["FunctionArn"] == "arn:aws:lambda:us-east-1:111122223333:function:hello"
    status, code, _ = await error_of(other.get_function(FunctionName=ARN))
    assert (status, code) == (403, "AccessDeniedException")


async def test_listing_goes_through_pages_of_fifty_and_leaves_state_out(aws: Client) -> None:
    for number in range(60):
        await aws.create_function(**a_request(FunctionName=f"f{number:02}"))
    first = await aws.list_functions(MaxItems=1000)
    assert len(first["Functions"]) == 50
    rest = await aws.list_functions(Marker=first["NextMarker"])
    assert "NextMarker" not in rest
    names = [f["FunctionName"] for f in first["Functions"] + rest["Functions"]]
    assert names == [f"f{number:02}" for number in range(60)]
    item = first["Functions"][0]
    hidden = {"State", "StateReason", "LastUpdateStatus", "RuntimeVersionConfig"}
    assert not hidden & item.keys()
    everything = await aws.list_functions(FunctionVersion="ALL", MaxItems=1)
    assert everything["Functions"][0]["FunctionArn"].endswith(":function:f00:$LATEST")
    status, code, _ = await error_of(aws.list_functions(Marker="%%%"))
    assert (status, code) == (400, "InvalidParameterValueException")


async def test_delete_answers_204_and_leaves_nothing(aws: Client) -> None:
    await aws.create_function(**a_request())
    answer = await aws.delete_function(FunctionName="hello")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert aws.responses[-1].body == b""
    assert await error_of(aws.get_function(FunctionName="hello")) == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {ARN}",
    )
    assert await error_of(aws.get_function(FunctionName="hello", Qualifier="1")) == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {ARN}:1",
    )
