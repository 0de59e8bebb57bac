"""A template with paths on this machine, made one that names objects in S3."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lambdad.cli.deployment.artifacts import Artifacts, packed
from lambdad.cli.errors import Failure
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.template_text import read_template

_READY = (".zip", ".jar")
_REMOTE = ("s3://", "http://", "https://")
_FUNCTION = "AWS::Serverless::Function"


def read(path: Path) -> dict[str, Any]:
    """Return the document in a file, YAML or JSON, short forms of functions made long.

    Raises:
        Failure: it cannot be read.
    """
    try:
        return read_template(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error}.") from error
    except ValidationError as error:
        raise Failure(f"{path}: {error}") from error


def package(template: Mapping[str, Any], directory: Path, artifacts: Artifacts) -> dict[str, Any]:
    """Return a template whose local paths, relative to `directory`, were stored and replaced."""
    result: dict[str, Any] = json.loads(json.dumps(template))
    shared = result.get("Globals", {}).get("Function", {})
    stored = _Stored(directory, artifacts)
    if "CodeUri" in shared:
        shared["CodeUri"] = stored.uri(shared["CodeUri"])
    for resource in result.get("Resources", {}).values():
        if not isinstance(resource, dict):
            continue
        kind = resource.get("Type", "")
        if kind == _FUNCTION:
            _default_code(resource.setdefault("Properties", {}), shared)
        replace = _PLACES.get(kind)
        properties = resource.get("Properties", {})
        if replace is not None and properties.get(replace[0]) is not None:
            properties[replace[0]] = replace[1](stored, properties[replace[0]])
    return result


def _default_code(properties: dict[str, Any], shared: Mapping[str, Any]) -> None:
    image = "Image" in (properties.get("PackageType"), shared.get("PackageType"))
    if not image and not {"CodeUri", "InlineCode"} & {*properties, *shared}:
        properties["CodeUri"] = "."


class _Stored:
    """What a path is replaced by, in each of the forms that resource types know."""

    def __init__(self, directory: Path, artifacts: Artifacts) -> None:
        self._directory = directory
        self._artifacts = artifacts

    def uri(self, value: Any) -> Any:
        """`s3://bucket/key` of a directory or archive."""
        key = self._key(value)
        return value if key is None else f"s3://{self._artifacts.bucket}/{key}"

    def code(self, value: Any) -> Any:
        """The members S3Bucket and S3Key."""
        key = self._key(value)
        return value if key is None else {"S3Bucket": self._artifacts.bucket, "S3Key": key}

    def document(self, value: Any) -> Any:
        """`s3://bucket/key` of a file that is stored as it is."""
        if not _is_local(value):
            return value
        path = self._file(value)
        return f"s3://{self._artifacts.bucket}/{self._artifacts.put(path.read_bytes(), '')}"

    def nested(self, value: Any) -> Any:
        """The address of another template, packaged too."""
        if not _is_local(value):
            return value
        path = self._file(value)
        text = json.dumps(package(read(path), path.parent, self._artifacts))
        key = self._artifacts.put(text.encode(), ".template")
        return f"https://s3.amazonaws.com/{self._artifacts.bucket}/{key}"

    def _key(self, value: Any) -> str | None:
        if not _is_local(value):
            return None
        path = self._directory / value
        if path.is_file():
            return self._artifacts.put(path.read_bytes()) if path.suffix in _READY else None
        return self._artifacts.put(packed(path))

    def _file(self, value: str) -> Path:
        path = self._directory / value
        if not path.is_file():
            raise Failure(f"{path} is not there.")
        return path


def _is_local(value: Any) -> bool:
    return isinstance(value, str) and not value.startswith(_REMOTE)


_PLACES: dict[str, tuple[str, Callable[[_Stored, Any], Any]]] = {
    _FUNCTION: ("CodeUri", _Stored.uri),
    "AWS::Serverless::LayerVersion": ("ContentUri", _Stored.uri),
    "AWS::Serverless::Api": ("DefinitionUri", _Stored.document),
    "AWS::Serverless::HttpApi": ("DefinitionUri", _Stored.document),
    "AWS::Serverless::Application": ("Location", _Stored.nested),
    "AWS::Lambda::Function": ("Code", _Stored.code),
    "AWS::Lambda::LayerVersion": ("Content", _Stored.code),
    "AWS::CloudFormation::Stack": ("TemplateURL", _Stored.nested),
}
