"""Resource policies of functions, versions and aliases: changing, reading and obeying them.

Decides whom a policy belongs to and when it is asked. The form of policies and what they mean stand
in `lambdad.authz`. A policy has no revision of its own, as on AWS: it is that of the version or
alias it belongs to, and changes with the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lambdad.authz.identity_policies import EverythingAllowed, IdentityPolicies
from lambdad.authz.policies import (
    Decision,
    Document,
    Principal,
    Statement,
    denies,
    statements_of,
)
from lambdad.authz.policy_checks import is_public, parse_document
from lambdad.authz.policy_documents import (
    Grant,
    check_length,
    statement_of,
    with_statement,
    without_statement,
)
from lambdad.controlplane import configuration
from lambdad.controlplane.aliases import Aliases, no_alias
from lambdad.controlplane.decisions import Decisions, decided, question
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.preconditions import busy
from lambdad.controlplane.references import Authorize, Target, denied, not_found
from lambdad.controlplane.transitions import Transitions
from lambdad.domain.aliases import names_alias, to_resource
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.clock import Clock
from lambdad.domain.errors import (
    InvalidParameterValueException,
    PreconditionFailedException,
    PublicPolicyException,
    ResourceNotFoundException,
)
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.base import (
    Change,
    DeleteResource,
    Engine,
    PutResource,
    ReplaceFunction,
    RevisionMismatch,
)

POLICY_KIND = "policy"

# What the owner's account may do whatever the policy denies, lest it lock itself out.
_MANAGING = frozenset(
    {
        "AddPermission",
        "DeleteResourcePolicy",
        "GetPolicy",
        "GetResourcePolicy",
        "PutResourcePolicy",
        "RemovePermission",
    }
)

_URL_ACTION = "lambda:InvokeFunctionUrl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy as a caller sees it."""

    document: Document
    revision_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owner:
    """The version or alias that a policy belongs to, and what gives it another revision."""

    key: FunctionKey
    qualifier: str | None
    revision_id: str
    revised: Sequence[Change]


class Permissions:
    """The resource policies of all functions."""

    def __init__(
        self,
        engine: Engine,
        aliases: Aliases,
        *,
        locks: FunctionLocks,
        transitions: Transitions,
        clock: Clock,
        identities: IdentityPolicies | None = None,
    ) -> None:
        """`identities` say what identities may do by policies of their own; None: everything."""
        self._engine = engine
        self._identities = identities or EverythingAllowed()
        self._aliases = aliases
        self._locks = locks
        self._transitions = transitions
        self._clock = clock
        self._decisions = Decisions(lambda: engine.functions.changes)

    async def get(self, target: Target) -> Policy:
        """Return the policy of a function, version or alias, after a change being written.

        Raises:
            ResourceNotFoundException: it does not exist, or has no policy.
        """
        await self._transitions.settled(target.key, target.qualifier or LATEST)
        return self._read(target)

    async def add(self, target: Target, grant: Grant, *, revision_id: str | None) -> Statement:
        """Add a statement and return it.

        Raises:
            ResourceNotFoundException: the function, version or alias does not exist.
            ResourceConflictException: there is a statement of this id.
            PreconditionFailedException: the revision is another one.
            ServiceException: the policy cannot have such a statement.
        """
        _check_qualifier(target)
        async with self._locks.of(target.key):
            owner = self._owner(target)
            _check_revision(revision_id, owner, "GetPolicy")
            statement = statement_of(grant, target.arn)
            document = with_statement(self._document(owner.key, owner.qualifier), statement)
            _check_function_url(grant)
            _check_public([statement])
            await self._put(owner, document)
        return statement

    async def remove(self, target: Target, statement_id: str, *, revision_id: str | None) -> None:
        """Remove a statement; the policy goes with its last one.

        Raises:
            ResourceNotFoundException: there is no such function, policy or statement.
            PreconditionFailedException: the revision is another one.
        """
        async with self._locks.of(target.key):
            if self._engine.functions.get(target.key) is None:
                raise ResourceNotFoundException(f"No policy found for: {target.key.arn()}")
            owner = self._owner(target)
            left = without_statement(self._document(owner.key, owner.qualifier), statement_id)
            _check_revision(revision_id, owner, "GetFunction/GetAlias")
            await self._put(owner, left)

    async def put(self, target: Target, text: str, *, revision_id: str | None) -> Policy:
        """Replace the whole policy.

        Raises:
            ResourceNotFoundException: the function, version or alias does not exist.
            PreconditionFailedException: the revision is another one.
            ServiceException: the text is not a policy that this may have.
        """
        _check_qualifier(target)
        async with self._locks.of(target.key):
            owner = self._owner(target)
            _check_revision(revision_id, owner, "GetResourcePolicy")
            document = parse_document(text, target.arn)
            check_length(document)
            _check_public(statements_of(document))
            await self._put(owner, document)
            return self._read(target)

    async def delete(self, target: Target, *, revision_id: str | None) -> None:
        """Remove the whole policy.

        Raises:
            ResourceNotFoundException: there is no such function or policy.
            PreconditionFailedException: the revision is another one.
        """
        async with self._locks.of(target.key):
            owner = self._owner(target)
            if self._document(owner.key, owner.qualifier) is None:
                raise ResourceNotFoundException("No policy is associated with the given resource.")
            _check_revision(revision_id, owner, "GetResourcePolicy")
            await self._put(owner, None)

    def checker(self, principal: Principal) -> Authorize:
        """Return :meth:`require` for one principal, as `references.resolve` wants it."""

        def authorize(target: Target, account_id: str, action: str) -> None:
            self.require(target, principal, action)

        return authorize

    def require(self, target: Target, principal: Principal, action: str) -> None:
        """Let somebody do something with a function, or refuse it.

        Within the owner's account all is allowed that no policy denies, to another account what
        a policy of the function allows; and in both what the identity's own policies allow.
        `action` is the operation's name as policies spell it.

        Raises:
            AccessDeniedException: this call is not allowed.
        """
        if self.settled(target, principal):
            return
        name = f"lambda:{action}"
        own = self.of_identity(principal, name, target)
        if own is not Decision.ALLOWED:
            explicitly = own is Decision.DENIED
            raise denied(target, principal.arn, action, explicitly=explicitly, by="identity")
        owns = target.key.account_id == principal.account_id
        if owns and (action in _MANAGING or not any(map(denies, self._documents(target)))):
            return
        decision = self.decide(target, principal, name)
        if decision is Decision.DENIED or (decision is Decision.SILENT and not owns):
            explicitly = owns or decision is Decision.DENIED
            raise denied(target, principal.arn, action, explicitly=explicitly)

    def settled(self, target: Target, principal: Principal) -> bool:
        """Whether :meth:`require` has no question until functions or resources change.

        For actions that manage no policy; true is an allowance.
        """
        if principal.arn is not None and not isinstance(self._identities, EverythingAllowed):
            return False
        owns = target.key.account_id == principal.account_id
        return owns and not any(map(denies, self._documents(target)))

    def of_identity(self, principal: Principal, action: str, target: Target) -> Decision:
        """Return what the identity's own policies say; who has no identity needs none."""
        if principal.arn is None:
            return Decision.ALLOWED
        return self._identities.decide(principal, action, target.arn, {})

    def decide(
        self,
        target: Target,
        principal: Principal,
        action: str,
        context: Mapping[str, str] | None = None,
    ) -> Decision:
        """Return what the policies say about anybody's request; `context` are condition keys.

        The function's own policy is asked too for a version or an alias: its statements may mean
        all of them by wildcard.
        """
        asked = question(target, principal, action, context)
        known = self._decisions.find(asked)
        if known is None:
            documents = self._documents(target)
            known = decided(documents, asked, self._clock.now())
            self._decisions.keep(asked, documents, known)
        return known

    def _read(self, target: Target) -> Policy:
        owner = self._owner(target)
        document = self._document(owner.key, owner.qualifier)
        if document is None:
            raise ResourceNotFoundException("The resource you requested does not exist.")
        return Policy(document=document, revision_id=owner.revision_id)

    def _documents(self, target: Target) -> list[Document]:
        qualifiers = {None, None if target.qualifier == LATEST else target.qualifier}
        found = (self._document(target.key, qualifier) for qualifier in qualifiers)
        return [document for document in found if document is not None]

    def _document(self, key: FunctionKey, qualifier: str | None) -> Document | None:
        resource = self._engine.resources.get(policy_key(key, qualifier))
        return None if resource is None else resource.document

    def _owner(self, target: Target) -> _Owner:
        key, qualifier = target.key, target.qualifier
        if qualifier is not None and names_alias(qualifier):
            return self._owning_alias(target, qualifier)
        function = self._engine.functions.get(key, qualifier or LATEST)
        if function is None:
            raise not_found(target)
        revised: list[Change] = []
        # While a creation or update goes on, its end will find the revision that it began with.
        if not configuration.is_unfinished(function):
            changed = replace(function, revision_id=configuration.new_revision())
            revised = [ReplaceFunction(function=changed, expected_revision=function.revision_id)]
        own = None if qualifier == LATEST else qualifier
        return _Owner(key=key, qualifier=own, revision_id=function.revision_id, revised=revised)

    def _owning_alias(self, target: Target, name: str) -> _Owner:
        alias = self._aliases.find(target.key, name)
        if alias is None:
            if self._engine.functions.get(target.key) is None:
                raise not_found(target)
            raise no_alias(target.key, name)
        changed = to_resource(replace(alias, revision_id=configuration.new_revision()))
        return _Owner(
            key=target.key,
            qualifier=name,
            revision_id=alias.revision_id,
            revised=[PutResource(resource=changed, expected_revision=alias.revision_id)],
        )

    async def _put(self, owner: _Owner, document: Document | None) -> None:
        key = policy_key(owner.key, owner.qualifier)
        change: Change = DeleteResource(key=key)
        if document is not None:
            change = PutResource(
                resource=Resource(
                    key=key,
                    function=owner.key.name,
                    revision=configuration.new_revision(),
                    document=document,
                )
            )
        await self._transitions.uninterrupted(self._store(owner, change))

    async def _store(self, owner: _Owner, change: Change) -> None:
        try:
            await self._engine.apply(change, *owner.revised)
        except RevisionMismatch as error:
            raise busy(owner.key) from error


def policy_key(key: FunctionKey, qualifier: str | None) -> ResourceKey:
    """Return the key under which a policy is stored: `function:qualifier`, or `:$LATEST`."""
    return ResourceKey(
        kind=POLICY_KIND,
        account_id=key.account_id,
        region=key.region,
        name=f"{key.name}:{qualifier or LATEST}",
    )


def _check_qualifier(target: Target) -> None:
    if target.qualifier == LATEST:
        raise InvalidParameterValueException(
            "We currently do not support adding policies for $LATEST."
        )


def _check_revision(expected: str | None, owner: _Owner, operation: str) -> None:
    if expected and expected != owner.revision_id:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. Call the "
            f"{operation} API to retrieve the latest Revision Id"
        )


def _check_function_url(grant: Grant) -> None:
    if grant.url_auth_type is not None and grant.action != _URL_ACTION:
        raise InvalidParameterValueException(
            f"FunctionUrlAuthType is only supported for {_URL_ACTION} action"
        )
    if grant.url_auth_type is None and grant.action == _URL_ACTION and grant.principal == "*":
        raise InvalidParameterValueException(
            "This policy could enable public access to your lambda function as it allows all "
            f"Principals (*) to perform {_URL_ACTION} action. You must specify "
            "lambda:FunctionUrlAuthType condition"
        )


def _check_public(statements: Sequence[Statement]) -> None:
    if any(map(is_public, statements)):
        raise PublicPolicyException(
            "Lambda blocked the creation of this policy because it would grant public access to "
            "your function."
        )
