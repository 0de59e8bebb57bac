"""From a file to its project, and what people see of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from lambdad.cli.client import DEFAULT_REGION, Connection
from lambdad.cli.deployment.artifacts import Artifacts
from lambdad.cli.deployment.projects import Project, is_serverless
from lambdad.cli.deployment.serverless_file import DEFAULT_STAGE, ServerlessFile
from lambdad.cli.deployment.serverless_template import Compiler
from lambdad.cli.deployment.templates import package, read

_COLOURS = {"COMPLETE": "green", "FAILED": "red", "PROGRESS": "yellow"}


class Deployment:
    """One file, on its way to one daemon. Mutable: packages that were stored.

    Args:
        file: `serverless.yml` or a template.
        connection: to the daemon; the region of the file wins if none was `given_region`.
        stage, stack: of the command line.
        params: `--param`: of the template, or for `param:` in a `serverless.yml`.
    """

    def __init__(
        self,
        file: Path,
        connection: Connection,
        *,
        given_region: str | None = None,
        stage: str | None = None,
        stack: str | None = None,
        params: Mapping[str, str],
    ) -> None:
        self.file = file
        self._stack = stack
        self._stage = stage
        self._params = params
        self._serverless: ServerlessFile | None = None
        region = given_region or DEFAULT_REGION
        self.connection = replace(connection, region=region)
        if is_serverless(file):
            self._serverless = ServerlessFile(
                file,
                options=_options(stage=stage, region=given_region),
                params=params,
                client=self._client,
            )
            region = given_region or self._serverless.region or DEFAULT_REGION
            self.connection = replace(connection, region=region)
        account = self._client("sts").get_caller_identity()["Account"]
        self.artifacts = Artifacts(
            self._client("s3"), f"lambdad-deployments-{account}-{region}", f"{self.stack}/"
        )

    @property
    def stack(self) -> str:
        """Name of the stack: as given, else `<service>-<stage>`, else the directory's."""
        if self._stack:
            return self._stack
        if self._serverless is not None:
            document = self._serverless.resolved
            name = document["provider"].get("stackName")
            return str(name or f"{document['service']}-{self._serverless.stage}")
        name = self.file.resolve().parent.name
        return f"{name}-{self._stage}" if self._stage else name

    @property
    def parameters(self) -> Mapping[str, str]:
        """Of the stack."""
        return {} if self._serverless is not None else self._params

    def project(self) -> Project:
        """Package the code and return what is to be deployed.

        Raises:
            Failure: the file or its code are not as they should be.
        """
        directory = self.file.parent
        if self._serverless is None:
            template = package(read(self.file), directory, self.artifacts)
            return Project(template=template, stack=self.stack, stage=self._stage or DEFAULT_STAGE)
        document = self._serverless.resolved
        stage = self._serverless.stage
        compiler = Compiler(document, directory, stage, self.artifacts)
        template = compiler.template()
        tags = {"STAGE": stage, **(document["provider"].get("stackTags") or {})}
        return Project(
            template=template,
            stack=self.stack,
            stage=stage,
            tags={key: str(value) for key, value in tags.items()},
            notes=tuple(compiler.notes),
        )

    def _client(self, service: str) -> Any:
        return self.connection.client(service)


class Lines:
    """Progress as lines, one per step of a resource. See `stacks.Progress`."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Show what a resource has become, not that something was begun with it."""
        status: str = event["ResourceStatus"]
        failed = status.endswith("_FAILED")
        if status.endswith("_IN_PROGRESS") and "ROLLBACK" not in status:
            return
        colour = _COLOURS.get(status.rpartition("_")[2], "")
        kind, name = event["ResourceType"], event["LogicalResourceId"]
        shown = click.style(f"{status:<24}", fg=colour or None)
        click.echo(f"  {shown} {kind:<34} {name}".rstrip())
        if failed and event.get("ResourceStatusReason"):
            click.echo(f"      {event['ResourceStatusReason']}")


def _options(**given: str | None) -> dict[str, str]:
    return {name: value for name, value in given.items() if value is not None}
