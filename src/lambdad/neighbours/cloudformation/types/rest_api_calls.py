"""What the types of AWS::ApiGateway share: patches, tags, and finding what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.calls import text_of
from lambdad.neighbours.cloudformation.types.base import Work

SERVICE = "apigateway"
Patch = dict[str, str]
_PAGE = 500


def patches(work: Work, paths: Mapping[str, str], defaults: Mapping[str, str]) -> list[Patch]:
    """Return what changes the properties that are others than before."""
    found: list[Patch] = []
    for name, path in paths.items():
        value = work.get(name, defaults.get(name))
        if not work.changed(name):
            continue
        if value is None:
            found.append({"op": "remove", "path": path})
        else:
            found.append({"op": "replace", "path": path, "value": text_of(value)})
    return found


def escaped(part: str) -> str:
    """Return a part of a patch's path."""
    return part.replace("~", "~0").replace("/", "~1")


def retag(work: Work, arn: str) -> None:
    """Let something have the tags of its stack and template."""
    tags = work.tags()
    gone = sorted(work.tags(work.previous).keys() - tags.keys())
    if gone:
        work.call(SERVICE, "UntagResource", ResourceArn=arn, TagKeys=gone)
    if tags:
        work.call(SERVICE, "TagResource", ResourceArn=arn, Tags=tags)


def arn_of(work: Work, path: str) -> str:
    """Return the ARN of `/restapis/abc`."""
    return f"arn:{work.partition}:apigateway:{work.calls.region}::{path}"


def marked(work: Work) -> dict[str, str]:
    """Return the tags of something new, among them those by which AWS says whose it is."""
    return {**work.tags(), **_marks(work)}


def _marks(work: Work) -> dict[str, str]:
    return {
        "aws:cloudformation:logical-id": work.logical_id,
        "aws:cloudformation:stack-id": work.stack_id,
        "aws:cloudformation:stack-name": work.stack_name,
    }


def made_before(work: Work, operation: str, **wanted: Any) -> str | None:
    """Return the id of what an earlier attempt at the same action made, if there was one."""
    if not work.attempted:
        return None
    for each in listed(work, operation, IncludeValues=True):
        own = _marks(work).items() <= (each.get("tags") or {}).items()
        if own and all(each.get(name) == value for name, value in wanted.items()):
            return str(each["id"])
    return None


def listed(work: Work, operation: str, **params: Any) -> Iterator[Mapping[str, Any]]:
    """Yield everything that an operation lists."""
    position = None
    while True:
        given = {**params, "Limit": _PAGE, **({"Position": position} if position else {})}
        answer = work.call(SERVICE, operation, **given)
        yield from answer["items"]
        position = answer.get("position")
        if position is None:
            return
