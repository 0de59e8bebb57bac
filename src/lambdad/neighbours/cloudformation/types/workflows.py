"""AWS::StepFunctions and AWS::Cognito."""

from __future__ import annotations

import json
import re

from lambdad.neighbours.cloudformation.calls import text_of
from lambdad.neighbours.cloudformation.types.base import Naming, Work
from lambdad.neighbours.cloudformation.types.declared import Declared, given, own_id

_VARIABLE = re.compile(r"\$\{([^${}]+)\}")


def _definition(work: Work) -> str:
    """Return the definition of a state machine, wherever it stands, with its names filled in."""
    if (place := work.get("DefinitionS3Location")) is not None:
        params = {"Bucket": place["Bucket"], "Key": place["Key"]}
        version = {"VersionId": place["Version"]} if "Version" in place else {}
        text = work.call("s3", "GetObject", **params, **version)["Body"].read().decode()
    elif (found := work.get("Definition")) is not None:
        text = json.dumps(found)
    else:
        text = text_of(work.get("DefinitionString"))
    names = work.get("DefinitionSubstitutions") or {}

    def filled(match: re.Match[str]) -> str:
        return text_of(names[match[1]]) if match[1] in names else match[0]

    return _VARIABLE.sub(filled, text)


def _lower_tags(work: Work) -> list[dict[str, str]] | None:
    return [{"key": name, "value": each} for name, each in work.tags().items()] or None


def _machine_name(work: Work) -> str:
    return work.physical_id.rpartition(":")[2]


def _pool_arn(work: Work) -> str:
    return work.arn("cognito-idp", f"userpool/{work.physical_id}")


def _provider(work: Work) -> str:
    return f"cognito-idp.{work.calls.region}.amazonaws.com/{work.physical_id}"


TYPES = tuple(
    each.as_type()
    for each in (
        Declared(
            name="AWS::StepFunctions::StateMachine",
            service="stepfunctions",
            create="CreateStateMachine",
            update="UpdateStateMachine",
            delete="DeleteStateMachine",
            key={"stateMachineArn": own_id},
            names={"StateMachineName": "name", "StateMachineType": "type"},
            more={"definition": _definition, "tags": _lower_tags},
            found="stateMachineArn",
            attributes={"Arn": own_id, "Name": _machine_name},
            naming=Naming(property="StateMachineName", length=80),
            fixed=("StateMachineType",),
            required=("RoleArn",),
        ),
        Declared(
            name="AWS::StepFunctions::Activity",
            service="stepfunctions",
            create="CreateActivity",
            delete="DeleteActivity",
            key={"activityArn": own_id},
            more={"tags": _lower_tags},
            found="activityArn",
            attributes={"Arn": own_id, "Name": _machine_name},
            naming=Naming(property="Name", length=80),
        ),
        Declared(
            name="AWS::Cognito::UserPool",
            service="cognito-idp",
            create="CreateUserPool",
            update="UpdateUserPool",
            delete="DeleteUserPool",
            key={"UserPoolId": own_id},
            names={"UserPoolName": "PoolName"},
            more={"UserPoolTags": lambda work: work.get("UserPoolTags")},
            found="UserPool.Id",
            attributes={
                "Arn": _pool_arn,
                "UserPoolId": own_id,
                "ProviderName": _provider,
                "ProviderURL": lambda work: f"https://{_provider(work)}",
            },
            naming=Naming(property="UserPoolName", length=128),
            fixed=("AliasAttributes", "UsernameAttributes"),
        ),
        Declared(
            name="AWS::Cognito::UserPoolClient",
            service="cognito-idp",
            create="CreateUserPoolClient",
            update="UpdateUserPoolClient",
            delete="DeleteUserPoolClient",
            key={"UserPoolId": given("UserPoolId"), "ClientId": own_id},
            found="UserPoolClient.ClientId",
            attributes={"ClientId": own_id, "Name": given("ClientName")},
            naming=Naming(property="ClientName", length=128),
            fixed=("GenerateSecret", "UserPoolId"),
            required=("UserPoolId",),
        ),
        Declared(
            name="AWS::Cognito::UserPoolGroup",
            service="cognito-idp",
            create="CreateGroup",
            update="UpdateGroup",
            delete="DeleteGroup",
            key={"UserPoolId": given("UserPoolId"), "GroupName": own_id},
            naming=Naming(property="GroupName", length=128),
            fixed=("UserPoolId",),
            required=("UserPoolId",),
        ),
        Declared(
            name="AWS::Cognito::UserPoolDomain",
            service="cognito-idp",
            create="CreateUserPoolDomain",
            delete="DeleteUserPoolDomain",
            key={"UserPoolId": given("UserPoolId"), "Domain": own_id},
            physical_id=given("Domain"),
            required=("Domain", "UserPoolId"),
        ),
        Declared(
            name="AWS::Cognito::UserPoolResourceServer",
            service="cognito-idp",
            create="CreateResourceServer",
            update="UpdateResourceServer",
            delete="DeleteResourceServer",
            key={"UserPoolId": given("UserPoolId"), "Identifier": own_id},
            physical_id=given("Identifier"),
            fixed=("Identifier", "UserPoolId"),
            required=("Identifier", "Name", "UserPoolId"),
        ),
    )
)
