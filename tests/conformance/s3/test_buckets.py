"""Buckets and their settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call()
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_life_of_a_bucket(s3: Any, a_bucket: Callable[[], str]) -> None:
    name = a_bucket()
    assert refusal(lambda: s3.head_bucket(Bucket=name)) == (404, "404")
    assert refusal(lambda: s3.list_objects_v2(Bucket=name)) == (404, "NoSuchBucket")
    s3.create_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    assert name in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert refusal(lambda: s3.delete_bucket(Bucket=name)) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert refusal(lambda: s3.delete_bucket(Bucket=name)) == (404, "NoSuchBucket")


def test_regions_and_names(
    west: Any, s3: Any, stranger: Any, bucket: str, a_bucket: Callable[[], str]
) -> None:
    name = a_bucket()
    configuration = {"LocationConstraint": "eu-west-1"}
    west.create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    again = refusal(
        lambda: west.create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
    )
    assert again == (409, "BucketAlreadyOwnedByYou")
    assert refusal(lambda: stranger.create_bucket(Bucket=bucket)) == (409, "BucketAlreadyExists")
    assert refusal(lambda: s3.create_bucket(Bucket="192.168.5.4")) == (400, "InvalidBucketName")
    assert refusal(lambda: s3.create_bucket(Bucket="Upper")) == (400, "InvalidBucketName")
    assert bucket not in [each["Name"] for each in stranger.list_buckets()["Buckets"]]
    assert refusal(lambda: stranger.head_bucket(Bucket=bucket)) == (403, "403")


SETTINGS: list[tuple[str, str, dict[str, Any], str, bool]] = [
    ("bucket_tagging", "Tagging", {"TagSet": [{"Key": "a", "Value": "1"}]}, "NoSuchTagSet", True),
    (
        "bucket_cors",
        "CORSConfiguration",
        {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
        "NoSuchCORSConfiguration",
        True,
    ),
    (
        "bucket_lifecycle_configuration",
        "LifecycleConfiguration",
        {
            "Rules": [
                {
                    "ID": "r",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "tmp/"},
                    "Expiration": {"Days": 1},
                }
            ]
        },
        "NoSuchLifecycleConfiguration",
        True,
    ),
    (
        "bucket_website",
        "WebsiteConfiguration",
        {"IndexDocument": {"Suffix": "index.html"}},
        "NoSuchWebsiteConfiguration",
        True,
    ),
    (
        "public_access_block",
        "PublicAccessBlockConfiguration",
        {"BlockPublicAcls": False, "IgnorePublicAcls": True},
        "",
        False,
    ),
    (
        "bucket_ownership_controls",
        "OwnershipControls",
        {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        "",
        False,
    ),
    (
        "bucket_encryption",
        "ServerSideEncryptionConfiguration",
        {
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": "key",
                    },
                    "BucketKeyEnabled": True,
                }
            ]
        },
        "",
        False,
    ),
    ("bucket_versioning", "VersioningConfiguration", {"Status": "Enabled"}, "", True),
    ("bucket_accelerate_configuration", "AccelerateConfiguration", {"Status": "Enabled"}, "", True),
    ("bucket_request_payment", "RequestPaymentConfiguration", {"Payer": "Requester"}, "", True),
    (
        "bucket_logging",
        "BucketLoggingStatus",
        {"LoggingEnabled": {"TargetBucket": "b", "TargetPrefix": "p/"}},
        "",
        True,
    ),
]


@pytest.mark.parametrize(
    ("suffix", "member", "document", "missing", "flat"), SETTINGS, ids=[s[0] for s in SETTINGS]
)
def test_settings_are_read_back_as_they_were_set(
    s3: Any,
    bucket: str,
    *,
    suffix: str,
    member: str,
    document: dict[str, Any],
    missing: str,
    flat: bool,
) -> None:
    put, get = getattr(s3, f"put_{suffix}"), getattr(s3, f"get_{suffix}")
    if missing:
        assert refusal(lambda: get(Bucket=bucket)) == (404, missing)
    put(Bucket=bucket, **{member: document})
    found = get(Bucket=bucket)
    found.pop("ResponseMetadata")
    found.pop("TransitionDefaultMinimumObjectSize", None)
    assert (found if flat else found[member]) == document


def test_a_lifecycle_says_what_is_too_small_to_be_moved(s3: Any, bucket: str) -> None:
    rule = {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    lifecycle = {"Bucket": bucket, "LifecycleConfiguration": {"Rules": [rule]}}
    member = "TransitionDefaultMinimumObjectSize"
    size = "all_storage_classes_128K"
    assert s3.put_bucket_lifecycle_configuration(**lifecycle)[member] == size
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)[member] == size
    size = "varies_by_storage_class"
    s3.put_bucket_lifecycle_configuration(**lifecycle, **{member: size})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)[member] == size


def test_what_was_deleted_is_gone(s3: Any, bucket: str) -> None:
    s3.delete_public_access_block(Bucket=bucket)
    assert refusal(lambda: s3.get_public_access_block(Bucket=bucket)) == (
        404,
        "NoSuchPublicAccessBlockConfiguration",
    )
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refusal(lambda: s3.get_bucket_tagging(Bucket=bucket)) == (404, "NoSuchTagSet")
    assert refusal(lambda: s3.get_bucket_replication(Bucket=bucket)) == (
        404,
        "ReplicationConfigurationNotFoundError",
    )
    assert refusal(lambda: s3.get_object_lock_configuration(Bucket=bucket)) == (
        404,
        "ObjectLockConfigurationNotFoundError",
    )
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"


def test_a_policy_decides(s3: Any, stranger: Any, bucket: str) -> None:
    def policy(*statements: dict[str, Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": statements}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))

    arn = f"arn:aws:s3:::{bucket}"
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="shut/k", Body=b"x")
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy({**allow, "Resource": f"{arn}/open/*"}, deny)
    assert stranger.get_object(Bucket=bucket, Key="open/k")["Body"].read() == b"x"
    denied = (403, "AccessDenied")
    assert refusal(lambda: stranger.get_object(Bucket=bucket, Key="shut/k")) == denied
    no_delete = {**allow, "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": f"{arn}/*"}
    policy(no_delete)
    assert refusal(lambda: s3.delete_object(Bucket=bucket, Key="open/k")) == denied
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] == [no_delete]
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="open/k")
    assert refusal(lambda: s3.get_bucket_policy(Bucket=bucket)) == (404, "NoSuchBucketPolicy")
    assert refusal(lambda: s3.put_bucket_policy(Bucket=bucket, Policy="{}")) == (
        400,
        "MalformedPolicy",
    )
