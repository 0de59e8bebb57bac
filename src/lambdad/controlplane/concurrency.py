"""Reserved concurrency: put, read, remove.

Decides how much a function may set aside. Who is throttled by it is decided where invocations are
counted.
"""

from __future__ import annotations

from lambdad.controlplane import configuration
from lambdad.controlplane.account_concurrency import AccountConcurrency
from lambdad.controlplane.existence import exists
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.ports import ConcurrencyObserver
from lambdad.controlplane.references import Target, not_found
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.concurrency import Reservation, reserved_key
from lambdad.domain.errors import InvalidParameterValueException
from lambdad.storage.base import Engine


class ReservedConcurrency:
    """The reservations of all functions."""

    def __init__(
        self,
        engine: Engine,
        account: AccountConcurrency,
        *,
        locks: FunctionLocks,
        observer: ConcurrencyObserver,
    ) -> None:
        self._engine = engine
        self._account = account
        self._locks = locks
        self._observer = observer

    def get(self, target: Target) -> int | None:
        """Return the function's reservation, or None.

        Raises:
            ResourceNotFoundException: there is no such function.
            InvalidParameterValueException: a version or an alias is named.
        """
        _check_unqualified(target)
        if not exists(self._engine, target.key):
            raise not_found(target)
        return self._account.reserved(target.key)

    async def put(self, target: Target, limit: int) -> None:
        """Reserve concurrency for the function; 0 switches it off.

        Raises:
            ResourceNotFoundException: there is no such function.
            InvalidParameterValueException: a version or an alias is named, the account has not
                as much, or the function has more provisioned.
        """
        _check_unqualified(target)
        key = target.key
        async with self._account.lock(key), self._locks.of(key):
            self._check_function(key)
            self._check_limit(key, limit)
            reservation = Reservation(key=key, limit=limit, revision=configuration.new_revision())
            await self._engine.resources.put(reservation.resource)
            self._observer.reservation_changed(key, limit)

    async def delete(self, target: Target) -> None:
        """Give the function's reservation back; having none is no error.

        Raises:
            ServiceException: as :meth:`get`.
        """
        _check_unqualified(target)
        async with self._account.lock(target.key), self._locks.of(target.key):
            self._check_function(target.key)
            await self._engine.resources.delete(reserved_key(target.key))
            self._observer.reservation_changed(target.key, None)

    def _check_function(self, key: FunctionKey) -> None:
        if not exists(self._engine, key):
            # AWS quirk: these operations name the version that they do not take.
            raise not_found(Target(key=key, qualifier=LATEST))

    def _check_limit(self, key: FunctionKey, limit: int) -> None:
        account = self._account
        more = limit - account.claim_of(key)
        left = account.unreserved(key.account_id, key.region) - more
        if more > 0 and left < account.unreserved_min:
            raise InvalidParameterValueException(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                "UnreservedConcurrentExecution below its minimum value of "
                f"[{account.unreserved_min}]."
            )
        provisioned = account.provisioned(key)
        if provisioned > limit:
            # AWS quirk: the blanks are theirs.
            raise InvalidParameterValueException(
                f" ReservedConcurrentExecutions  {limit} should not be lower than function's "
                f"total provisioned concurrency [{provisioned}]."
            )


def _check_unqualified(target: Target) -> None:
    if target.qualifier is not None:
        raise InvalidParameterValueException(
            "This operation is permitted on Lambda functions only. Aliases and versions do not "
            "support this operation. Please specify either a function name or an unqualified "
            "function ARN."
        )
