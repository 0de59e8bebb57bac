"""AWS::IAM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.calls import CallFailed, text_of
from lambdad.neighbours.cloudformation.types.base import Made, Naming, ResourceType, Work

# Roles and users take the same things under their own operations.
_AWS_OWN = "arn:aws:iam::aws:policy/"


def named_capability(property_name: str) -> Any:
    """Return what callers have to acknowledge, more if the template names the resource."""

    def capability(properties: Mapping[str, Any]) -> str:
        return "CAPABILITY_NAMED_IAM" if property_name in properties else "CAPABILITY_IAM"

    return capability


def plain_capability(properties: Mapping[str, Any]) -> str:
    """Return what callers have to acknowledge for any resource of IAM."""
    return "CAPABILITY_IAM"


def _inline(properties: Mapping[str, Any]) -> dict[str, str]:
    return {
        each["PolicyName"]: text_of(each["PolicyDocument"])
        for each in properties.get("Policies") or ()
    }


def _set_policies(work: Work, kind: str, name: str) -> None:
    """Make inline and attached policies of a role or user those of the template."""
    who = {f"{kind}Name": name}
    before, after = _inline(work.previous), _inline(work.properties)
    for policy, document in after.items():
        if before.get(policy) != document:
            work.call("iam", f"Put{kind}Policy", **who, PolicyName=policy, PolicyDocument=document)
    for policy in before:
        if policy not in after:
            work.remove("iam", f"Delete{kind}Policy", **who, PolicyName=policy)
    old, new = (
        list(each.get("ManagedPolicyArns") or ()) for each in (work.previous, work.properties)
    )
    for arn in new:
        if arn not in old:
            _attach(work, kind, who, arn)
    for arn in old:
        if arn not in new:
            work.remove("iam", f"Detach{kind}Policy", **who, PolicyArn=arn)


def _attach(work: Work, kind: str, who: Mapping[str, str], arn: str) -> None:
    try:
        work.call("iam", f"Attach{kind}Policy", **who, PolicyArn=arn)
    except CallFailed as error:
        # What AWS provides is not always there where somebody else plays IAM.
        if not (error.gone and arn.startswith(_AWS_OWN)):
            raise


def _role(found: Mapping[str, Any]) -> Made:
    role = found["Role"]
    return Made(
        physical_id=role["RoleName"], attributes={"Arn": role["Arn"], "RoleId": role["RoleId"]}
    )


def _create_role(work: Work) -> Made:
    found = work.create(
        "iam",
        "CreateRole",
        **work.without("Policies", "ManagedPolicyArns", "Tags", "RoleName"),
        RoleName=work.name,
        Tags=work.tag_list(),
    )
    _set_policies(work, "Role", work.name)
    return _role(found or work.call("iam", "GetRole", RoleName=work.name))


def _update_role(work: Work) -> Made:
    name = work.physical_id
    if work.changed("AssumeRolePolicyDocument"):
        work.call(
            "iam",
            "UpdateAssumeRolePolicy",
            RoleName=name,
            PolicyDocument=text_of(work.get("AssumeRolePolicyDocument")),
        )
    if work.changed("Description", "MaxSessionDuration"):
        work.call(
            "iam",
            "UpdateRole",
            RoleName=name,
            Description=work.get("Description", ""),
            MaxSessionDuration=work.get("MaxSessionDuration", 3_600),
        )
    _set_policies(work, "Role", name)
    old, new = work.tags(work.previous), work.tags()
    if removed := [each for each in old if each not in new]:
        work.call("iam", "UntagRole", RoleName=name, TagKeys=removed)
    if new and new != old:
        work.call("iam", "TagRole", RoleName=name, Tags=work.tag_list())
    return _role(work.call("iam", "GetRole", RoleName=name))


def _clear(work: Work, kind: str) -> None:
    who = {f"{kind}Name": work.physical_id}
    try:
        attached = work.call("iam", f"ListAttached{kind}Policies", **who)["AttachedPolicies"]
        inline = work.call("iam", f"List{kind}Policies", **who)["PolicyNames"]
    except CallFailed as error:
        if error.gone:
            return
        raise
    for each in attached:
        work.remove("iam", f"Detach{kind}Policy", **who, PolicyArn=each["PolicyArn"])
    for name in inline:
        work.remove("iam", f"Delete{kind}Policy", **who, PolicyName=name)


def _delete_role(work: Work) -> None:
    _clear(work, "Role")
    work.remove("iam", "DeleteRole", RoleName=work.physical_id)


def _create_user(work: Work) -> Made:
    work.create(
        "iam", "CreateUser", UserName=work.name, Path=work.get("Path"), Tags=work.tag_list()
    )
    _set_policies(work, "User", work.name)
    found = work.call("iam", "GetUser", UserName=work.name)["User"]
    return Made(physical_id=work.name, attributes={"Arn": found["Arn"]})


def _update_user(work: Work) -> Made:
    _set_policies(work, "User", work.physical_id)
    found = work.call("iam", "GetUser", UserName=work.physical_id)["User"]
    return Made(physical_id=work.physical_id, attributes={"Arn": found["Arn"]})


def _delete_user(work: Work) -> None:
    _clear(work, "User")
    work.remove("iam", "DeleteUser", UserName=work.physical_id)


_HOLDERS = (("Roles", "Role"), ("Users", "User"), ("Groups", "Group"))


def _put_policy(work: Work) -> Made:
    name = str(work.get("PolicyName"))
    for members, kind in _HOLDERS:
        wanted = work.get(members) or []
        for each in wanted:
            work.call(
                "iam",
                f"Put{kind}Policy",
                **{f"{kind}Name": each},
                PolicyName=name,
                PolicyDocument=text_of(work.get("PolicyDocument")),
            )
        for each in work.previous.get(members) or ():
            if each not in wanted or work.previous.get("PolicyName") != name:
                work.remove(
                    "iam",
                    f"Delete{kind}Policy",
                    **{f"{kind}Name": each},
                    PolicyName=work.previous.get("PolicyName"),
                )
    return Made(physical_id=work.physical_id or work.name, attributes={"Id": work.name})


def _delete_policy(work: Work) -> None:
    for members, kind in _HOLDERS:
        for each in work.get(members) or ():
            work.remove(
                "iam",
                f"Delete{kind}Policy",
                **{f"{kind}Name": each},
                PolicyName=work.get("PolicyName"),
            )


def _managed(work: Work, arn: str) -> Made:
    return Made(physical_id=arn, attributes={"PolicyArn": arn})


def _create_managed(work: Work) -> Made:
    path = str(work.get("Path", "/"))
    found = work.create(
        "iam",
        "CreatePolicy",
        PolicyName=work.name,
        Path=path,
        Description=work.get("Description"),
        PolicyDocument=text_of(work.get("PolicyDocument")),
    )
    made_before = f"arn:aws:iam::{work.calls.account_id}:policy{path}{work.name}"
    arn = found["Policy"]["Arn"] if found else made_before
    _set_holders(work, arn)
    return _managed(work, arn)


def _set_holders(work: Work, arn: str) -> None:
    for members, kind in _HOLDERS:
        before, after = work.previous.get(members) or [], work.get(members) or []
        for each in after:
            if each not in before:
                work.call("iam", f"Attach{kind}Policy", **{f"{kind}Name": each}, PolicyArn=arn)
        for each in before:
            if each not in after:
                work.remove("iam", f"Detach{kind}Policy", **{f"{kind}Name": each}, PolicyArn=arn)


def _update_managed(work: Work) -> Made:
    arn = work.physical_id
    if work.changed("PolicyDocument"):
        _forget_versions(work, arn)
        work.call(
            "iam",
            "CreatePolicyVersion",
            PolicyArn=arn,
            SetAsDefault=True,
            PolicyDocument=text_of(work.get("PolicyDocument")),
        )
    _set_holders(work, arn)
    return _managed(work, arn)


def _forget_versions(work: Work, arn: str) -> None:
    """A policy has five versions at most: keep the one that counts."""
    for each in work.call("iam", "ListPolicyVersions", PolicyArn=arn)["Versions"]:
        if not each["IsDefaultVersion"]:
            work.remove("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=each["VersionId"])


def _delete_managed(work: Work) -> None:
    arn = work.physical_id
    try:
        holders = work.call("iam", "ListEntitiesForPolicy", PolicyArn=arn)
        for _, kind in _HOLDERS:
            for each in holders.get(f"Policy{kind}s", ()):
                name = f"{kind}Name"
                work.remove("iam", f"Detach{kind}Policy", **{name: each[name]}, PolicyArn=arn)
        _forget_versions(work, arn)
    except CallFailed as error:
        if not error.gone:
            raise
    work.remove("iam", "DeletePolicy", PolicyArn=arn)


def _create_profile(work: Work) -> Made:
    work.create(
        "iam", "CreateInstanceProfile", InstanceProfileName=work.name, Path=work.get("Path")
    )
    for role in work.get("Roles") or ():
        work.create("iam", "AddRoleToInstanceProfile", InstanceProfileName=work.name, RoleName=role)
    found = work.call("iam", "GetInstanceProfile", InstanceProfileName=work.name)
    return Made(physical_id=work.name, attributes={"Arn": found["InstanceProfile"]["Arn"]})


def _delete_profile(work: Work) -> None:
    for role in work.get("Roles") or ():
        work.remove(
            "iam",
            "RemoveRoleFromInstanceProfile",
            InstanceProfileName=work.physical_id,
            RoleName=role,
        )
    work.remove("iam", "DeleteInstanceProfile", InstanceProfileName=work.physical_id)


TYPES = (
    ResourceType(
        name="AWS::IAM::Role",
        by_name=True,
        create=_create_role,
        update=_update_role,
        delete=_delete_role,
        naming=Naming(property="RoleName", length=64),
        fixed=frozenset({"Path"}),
        capability=named_capability("RoleName"),
        required=("AssumeRolePolicyDocument",),
    ),
    ResourceType(
        name="AWS::IAM::User",
        by_name=True,
        create=_create_user,
        update=_update_user,
        delete=_delete_user,
        naming=Naming(property="UserName", length=64),
        fixed=frozenset({"Path"}),
        capability=named_capability("UserName"),
    ),
    ResourceType(
        name="AWS::IAM::Policy",
        create=_put_policy,
        update=_put_policy,
        delete=_delete_policy,
        capability=plain_capability,
        required=("PolicyDocument", "PolicyName"),
    ),
    ResourceType(
        name="AWS::IAM::ManagedPolicy",
        create=_create_managed,
        update=_update_managed,
        delete=_delete_managed,
        naming=Naming(property="ManagedPolicyName", length=128),
        fixed=frozenset({"Path", "Description"}),
        capability=named_capability("ManagedPolicyName"),
        required=("PolicyDocument",),
    ),
    ResourceType(
        name="AWS::IAM::InstanceProfile",
        create=_create_profile,
        delete=_delete_profile,
        naming=Naming(property="InstanceProfileName", length=128),
        capability=named_capability("InstanceProfileName"),
        required=("Roles",),
    ),
)
