"""Makes what serves each neighbouring service, as the configuration has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from botocore.model import ServiceModel

from lambdad.config.sections import CloudFormationConfig, NeighboursConfig, OutgoingConfig
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.borrowed.server import Moto, installed
from lambdad.neighbours.directory import NEIGHBOURS
from lambdad.neighbours.endpoints import AWS, Aws, Endpoint
from lambdad.neighbours.front import Builtin, Neighbours, Server
from lambdad.neighbours.hosting import Hosted, Setup, SpawnTask
from lambdad.neighbours.pushing import FunctionPush
from lambdad.server.object_uploads import ObjectUploads
from lambdad.storage.base import Engine

BUILTIN = "builtin"
MOTO = "moto"
# Served by the package of the service that they belong to.
_BELONGS = {"dynamodbstreams": "dynamodb"}


def connect(
    config: NeighboursConfig,
    own: Sequence[ServiceModel],
    store: Engine,
    *,
    data_dir: Path,
    clock: Clock,
    spawn: SpawnTask,
    functions: FunctionPush,
    endpoint_url: str,
    access_key: Callable[[str], tuple[str, str]],
    stacks: CloudFormationConfig,
    outgoing: OutgoingConfig,
) -> Neighbours:
    """Connect every service with its server; nothing is opened yet.

    Raises:
        HostUnfit: a setting has a value that it cannot have.
    """
    if stacks.unknown_types not in ("fail", "warn"):
        raise HostUnfit(
            f"cloudformation.unknown_types = {stacks.unknown_types!r} is not known.",
            "Write fail or warn.",
        )
    servers: dict[str, Server] = {}
    for name in NEIGHBOURS:
        kind = choice(config, name)
        if kind == BUILTIN and is_builtin(name):
            setup = Setup(
                directory=data_dir / "neighbours" / name,
                database=partial(store.database, name),
                clock=clock,
                spawn=spawn,
                functions=functions,
                neighbour=_finder(servers),
                endpoint_url=endpoint_url,
                access_key=access_key,
                stacks=stacks,
                outgoing=outgoing,
            )
            servers[name] = Builtin(Hosted(name, setup))
        elif kind != BUILTIN:
            servers[name] = remote(name, kind)
    moto = Moto(data_dir / "neighbours" / "moto") if borrows(config) else None
    return Neighbours(own, servers, others=moto)


def choice(config: NeighboursConfig, name: str) -> str:
    """Return what the configuration says of a service."""
    chosen = {each.name: getattr(config, each.name) for each in fields(config)}
    return str(chosen[_BELONGS.get(name, name)])


def object_uploads(config: NeighboursConfig, data_dir: Path) -> ObjectUploads:
    """Return what takes in large objects and layers, where they are stored here."""

    def place(name: str) -> Path | None:
        here = choice(config, name) == BUILTIN and is_builtin(name)
        return data_dir / "neighbours" / name / "incoming" if here else None

    return ObjectUploads(place("s3"), place("ecr"))


def is_builtin(name: str) -> bool:
    """Whether lambdad can serve a service itself."""
    return find_spec(f"lambdad.neighbours.{name}") is not None


def remote(name: str, kind: str) -> Server:
    """Return what reaches a service that somebody else runs.

    Raises:
        HostUnfit: `kind` is no address.
    """
    return Aws(name) if kind == AWS else Endpoint(kind)


def borrows(config: NeighboursConfig) -> bool:
    """Whether moto serves what nobody else does."""
    return config.others == MOTO and installed()


def _finder(servers: dict[str, Server]) -> Callable[[str], Awaitable[Any]]:
    async def find(name: str) -> Any:
        server = servers.get(name)
        if not isinstance(server, Builtin):
            raise HostUnfit(
                f"{name} is not served by lambdad itself here.",
                f'Set neighbours.{name} = "{BUILTIN}", or reach it through its address.',
            )
        return (await server.hosted.opened())[1]

    return find
