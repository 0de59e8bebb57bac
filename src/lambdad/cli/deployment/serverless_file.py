"""A file of the Serverless Framework, version 3: read, its variables resolved.

What plugins would add is not there; they are programs for Node.js, which is not needed here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from lambdad.cli.deployment.templates import read
from lambdad.cli.deployment.variables import Source, Variables, member
from lambdad.cli.errors import Failure

_DOCUMENTS = (".yml", ".yaml", ".json")
_PROGRAMS = (".js", ".cjs", ".mjs", ".ts")
DEFAULT_STAGE = "dev"


class ServerlessFile:
    """The file and what its variables may ask for.

    Args:
        file: `serverless.yml`.
        options: of the command line: stage, region, ...
        params: `--param`.
        client: makes a client of an AWS service, for `aws:`, `cf:`, `ssm:` and `s3:`.
        environ: for `env:`.
    """

    def __init__(
        self,
        file: Path,
        *,
        options: Mapping[str, str],
        params: Mapping[str, str],
        client: Callable[[str], Any],
        environ: Mapping[str, str] = os.environ,  # noqa: TID251 - what `env:` means
    ) -> None:
        self._directory = file.parent
        self._document = read(file)
        self._options = options
        self._params = params
        self._client = client
        self._environ = environ
        self._variables = Variables(self._document, self._sources())

    @property
    def stage(self) -> str:
        """`--stage`, or what the file says, or `dev`."""
        given = self._options.get("stage") or self._part("provider.stage")
        return str(given or DEFAULT_STAGE)

    @property
    def region(self) -> str | None:
        """What the file says."""
        given = self._part("provider.region")
        return None if given is None else str(given)

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The whole document without variables, which may ask services: once.

        Raises:
            Failure: one has no value.
        """
        document: dict[str, Any] = self._variables.resolve(self._document)
        provider = document.get("provider")
        if isinstance(provider, str):
            document["provider"] = provider = {"name": provider}
        if not isinstance(provider, dict) or provider.get("name", "aws") != "aws":
            raise Failure("provider.name has to be aws.")
        if not document.get("service"):
            raise Failure("The file does not name its service.", "Add `service: <name>`.")
        return document

    def _part(self, address: str) -> Any:
        value: Any = self._document
        for step in address.split("."):
            value = self._variables.resolve(member(value, step), address)
        return value

    def _sources(self) -> dict[str, Source]:
        return {
            "opt": lambda _, name: self._options.get(name),
            "env": lambda _, name: self._environ.get(name),
            "sls": self._framework,
            "param": lambda _, name: self._param(name),
            "file": self._file,
            "aws": self._account,
            "cf": self._output,
            "ssm": self._parameter,
            "s3": self._object,
        }

    def _framework(self, _: str, name: str) -> Any:
        return {"stage": self.stage, "instanceId": "lambdad"}.get(name)

    def _param(self, name: str) -> Any:
        if name in self._params:
            return self._params[name]
        # Those of the stage before those of all.
        for group in (self.stage, "default"):
            value = member(member(self._document.get("params"), group), name)
            if value is not None:
                return value
        return None

    def _file(self, name: str, address: str) -> Any:
        path = self._directory / os.path.expanduser(name)  # noqa: PTH111 - `~` as a shell has it
        if path.suffix in _PROGRAMS:
            raise Failure(
                f"${{file({name})}} is a program for Node.js, which is not run.",
                "Write its result as YAML or JSON.",
            )
        if not path.is_file():
            return None
        if path.suffix not in _DOCUMENTS:
            return path.read_text(encoding="utf-8").strip()
        value: Any = read(path)
        for step in filter(None, address.split(".")):
            value = member(value, step)
        return value

    def _account(self, _: str, name: str) -> Any:
        if name == "accountId":
            return self._client("sts").get_caller_identity()["Account"]
        return self._options.get("region") or self.region if name == "region" else None

    def _output(self, _: str, address: str) -> Any:
        stack, _, name = address.rpartition(".")
        client = self._client("cloudformation")
        try:
            found = client.describe_stacks(StackName=stack)["Stacks"][0]
        except client.exceptions.ClientError:
            return None
        outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
        return outputs.get(name)

    def _parameter(self, _: str, name: str) -> Any:
        client = self._client("ssm")
        try:
            return client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        except client.exceptions.ParameterNotFound:
            return None

    def _object(self, _: str, address: str) -> Any:
        bucket, _, key = address.partition("/")
        client = self._client("s3")
        try:
            return client.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        except client.exceptions.ClientError:
            return None
