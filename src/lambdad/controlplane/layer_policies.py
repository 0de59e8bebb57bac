"""Policies of layer versions: who else may use one.

The account that owns a layer may do everything with it. Another may read and use a version when
the version's policy says so, and do nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdad.authz.policies import Decision, Document, Request, Statement, account_root, evaluate
from lambdad.authz.policy_documents import (
    Grant,
    statement_of,
    with_statement,
    without_statement,
)
from lambdad.controlplane.configuration import new_revision
from lambdad.controlplane.layers import Layers, policy_key
from lambdad.domain.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceNotFoundException,
)
from lambdad.domain.layers import LayerKey
from lambdad.domain.resources import Resource
from lambdad.storage.base import ResourceStore

USE = "GetLayerVersion"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPolicy:
    """The policy of a layer version and its revision."""

    document: Document
    revision_id: str


class LayerPolicies:
    """The policies of all layer versions."""

    def __init__(self, resources: ResourceStore, layers: Layers) -> None:
        self._resources = resources
        self._layers = layers

    def get(self, key: LayerKey, version: int) -> LayerPolicy:
        """Return the policy of a version.

        Raises:
            ResourceNotFoundException: there is no such version, or it has no policy.
        """
        self._check_exists(key, version)
        stored = self._resources.get(policy_key(key, version))
        if stored is None:
            raise ResourceNotFoundException("No policy is associated with the given resource.")
        return LayerPolicy(document=stored.document, revision_id=stored.revision)

    async def add(
        self, key: LayerKey, version: int, grant: Grant, *, revision_id: str | None
    ) -> tuple[Statement, str]:
        """Let another account use a version; returns the statement and the policy's revision.

        Raises:
            ServiceException: there is no such version, the statement id is taken, the revision is
                another one, or an organisation is named without `*`.
        """
        if grant.organization_id is not None and grant.principal != "*":
            raise InvalidParameterValueException(
                "OrganizationId can be used with the principal * only."
            )
        async with self._layers.changing:
            self._check_exists(key, version)
            current = self._current(key, version, revision_id)
            statement = statement_of(grant, key.arn(version))
            document = with_statement(None if current is None else current.document, statement)
            changed = _policy(key, version, document)
            await self._resources.put(changed)
        return statement, changed.revision

    async def remove(
        self, key: LayerKey, version: int, statement_id: str, *, revision_id: str | None
    ) -> None:
        """Take a permission back; the policy goes with its last statement.

        Raises:
            ServiceException: there is no such version or statement, or the revision is another.
        """
        async with self._layers.changing:
            self._check_exists(key, version)
            current = self._current(key, version, revision_id)
            if current is None:
                raise ResourceNotFoundException(
                    f"Statement {statement_id} is not found in resource policy."
                )
            document = without_statement(current.document, statement_id)
            if document is None:
                await self._resources.delete(current.key)
            else:
                await self._resources.put(_policy(key, version, document))

    def check_access(
        self, account_id: str, key: LayerKey, version: int | None, *, action: str
    ) -> None:
        """Refuse what an account may not do with a layer, or with a version of it.

        A layer version that does not exist is refused to other accounts as one without policy.

        Raises:
            AccessDeniedException: the layer is another account's and no policy allows it.
        """
        if account_id == key.account_id:
            return
        principal = account_root(account_id)
        if version is not None and action == USE:
            stored = self._resources.get(policy_key(key, version))
            request = Request(
                principal=principal, action=f"lambda:{action}", resource=key.arn(version)
            )
            if stored is not None and evaluate([stored.document], request) is Decision.ALLOWED:
                return
        raise denied(account_id, key.arn(version), action=action)

    def _current(self, key: LayerKey, version: int, revision_id: str | None) -> Resource | None:
        stored = self._resources.get(policy_key(key, version))
        if revision_id and revision_id != (stored.revision if stored is not None else None):
            raise PreconditionFailedException(
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetLayerPolicy API to retrieve the latest Revision Id"
            )
        return stored

    def _check_exists(self, key: LayerKey, version: int) -> None:
        if self._layers.get(key, version) is None:
            raise ResourceNotFoundException(f"Layer version {key.arn(version)} does not exist.")


def denied(account_id: str, arn: str, *, action: str) -> AccessDeniedException:
    """The error that says that an account may not do this with a layer."""
    return AccessDeniedException(
        f"User: {account_root(account_id).arn} is not authorized to perform: lambda:{action} on "
        f"resource: {arn} because no resource-based policy allows the lambda:{action} action"
    )


def _policy(key: LayerKey, version: int, document: Document) -> Resource:
    return Resource(
        key=policy_key(key, version), function=None, revision=new_revision(), document=document
    )
