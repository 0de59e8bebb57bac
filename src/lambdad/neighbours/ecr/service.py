"""Amazon ECR: where its operations register, and how they find a repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Params, Service
from lambdad.neighbours.ecr.access import denied, may
from lambdad.neighbours.ecr.errors import InvalidParameterException
from lambdad.neighbours.ecr.model import Repository
from lambdad.neighbours.ecr.parts import Registry
from lambdad.neighbours.paging import InvalidToken, page
from lambdad.neighbours.registry_hosts import registry_name

T = TypeVar("T")
Context = ServiceContext[Registry]

ECR = Service[Registry]("ecr", invalid="InvalidParameterException")

_PAGE = 100


def reach(context: Context, params: Params, action: str) -> Repository:
    """Return the repository of a request whose caller may do this in it.

    Raises:
        RepositoryNotFoundException: there is none.
        AccessDeniedException: they may not.
    """
    repository = find(context, params)
    if not may(
        repository, context.caller.principal, f"ecr:{action}", now=context.services.clock.now()
    ):
        raise denied(repository, context.caller.principal, f"ecr:{action}")
    return repository


def reach_own(context: Context, params: Params, action: str) -> Repository:
    """Return a repository whose policy is at stake, which is its owner's business alone."""
    repository = find(context, params)
    if repository.account_id != context.account_id:
        raise denied(repository, context.caller.principal, f"ecr:{action}")
    return repository


def find(context: Context, params: Params) -> Repository:
    """Return the repository of a request, whoever asks."""
    account_id = params.get("registryId") or context.account_id
    return context.services.find(account_id, context.region, params["repositoryName"])


def named(repository: Repository) -> Mapping[str, str]:
    """Return what most answers begin with."""
    return {"registryId": repository.account_id, "repositoryName": repository.name}


def registry_host(base_url: str, account_id: str, region: str) -> str:
    """Return the host, and port, of an account's registry, as a client at `base_url` reaches it."""
    return registry_name(account_id, region, base_url.partition("://")[2])


def paged(
    params: Params, items: Iterable[T], key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """Return the page that a request asks for, and the next token.

    Raises:
        InvalidParameterException: the token is none of ours.
    """
    limit = params.get("maxResults") or _PAGE
    try:
        return page(items, key, limit=limit, token=params.get("nextToken"))
    except InvalidToken as error:
        raise invalid("nextToken", "the token is not one of these") from error


def invalid(name: str, constraint: str) -> InvalidParameterException:
    """The error for a parameter that is not acceptable."""
    return InvalidParameterException(
        f"Invalid parameter at '{name}' failed to satisfy constraint: '{constraint}'"
    )


def without_nothing(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that have a value."""
    return {name: value for name, value in members.items() if value not in (None, ())}
