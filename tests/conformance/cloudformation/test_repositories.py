"""Repositories of container images in stacks, as the bootstrap templates of tools have them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.cloudformation.conftest import Account

pytestmark = pytest.mark.slow

RULES = json.dumps({"rules": [{"rulePriority": 1, "description": "old ones" + "." * 80}]})
POLICY: Any = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        }
    ],
}


def template(**properties: Any) -> str:
    repository = {"Type": "AWS::ECR::Repository", "Properties": properties}
    outputs = {
        "Uri": {"Value": {"Fn::GetAtt": ["Images", "RepositoryUri"]}},
        "Arn": {"Value": {"Fn::GetAtt": ["Images", "Arn"]}},
        "Name": {"Value": {"Ref": "Images"}},
    }
    return json.dumps({"Resources": {"Images": repository}, "Outputs": outputs})


def test_a_repository_is_made_changed_and_removed_with_its_stack(account: Account) -> None:
    ecr = account.client("ecr")
    stack = account.deploy(
        "images",
        template(
            RepositoryName="assets-of-a-stack",
            ImageTagMutability="IMMUTABLE",
            ImageScanningConfiguration={"ScanOnPush": True},
            LifecyclePolicy={"LifecyclePolicyText": RULES},
            RepositoryPolicyText=POLICY,
            Tags=[{"Key": "team", "Value": "a"}],
        ),
    )
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    named = {"repositoryName": "assets-of-a-stack"}
    (found,) = ecr.describe_repositories()["repositories"]
    assert outputs == {
        "Uri": found["repositoryUri"],
        "Arn": found["repositoryArn"],
        "Name": "assets-of-a-stack",
    }
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    assert ecr.get_lifecycle_policy(**named)["lifecyclePolicyText"] == RULES
    assert json.loads(ecr.get_repository_policy(**named)["policyText"]) == POLICY

    account.update("images", template(RepositoryName="assets-of-a-stack"))
    (found,) = ecr.describe_repositories()["repositories"]
    assert found["imageTagMutability"] == "MUTABLE"
    assert ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"] == []
    for gone in (ecr.get_lifecycle_policy, ecr.get_repository_policy):
        with pytest.raises(ClientError, match="does not exist"):
            gone(**named)

    assert account.delete("images")["StackStatus"] == "DELETE_COMPLETE"
    assert ecr.describe_repositories()["repositories"] == []
