"""How many invocations run at once, and whether one more may: numbers only, no I/O.

An account's concurrency in a region is dealt out in three ways. What is allotted to a version
(provisioned concurrency) is its own. What is reserved for a function is shared by its versions,
less what is allotted to them. The rest is shared by all functions without a reservation.
A version uses its allotment first; what runs beyond it is its excess.

What runs is never stopped when limits change. So for a while more may run than a new deal has room
for; the account's limit holds even then, and what was dealt out waits until the others have ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

from lambdad.dataplane.rates import FunctionRates, Rates
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import TooManyRequestsException

# AWS: how long a caller should wait before it tries again.
_RETRY_AFTER_S = "1"


class AccountConcurrency:
    """An account in a region. Mutable: what is dealt out, and what runs of the shared rest.

    Attributes:
        limit: most invocations at once.
        running: of all functions.
        claimed: dealt out as reservations and allotments.
        excess: running on the shared rest.
        peak, excess_peak: the most of either since somebody asked.
    """

    __slots__ = ("__weakref__", "claimed", "excess", "excess_peak", "limit", "peak", "running")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self.claimed = 0
        self.excess = 0
        self.peak = 0
        self.excess_peak = 0


class FunctionConcurrency:
    """A function. Mutable: its reservation, its versions' allotments, and what runs beyond them.

    Attributes:
        reserved: None when it shares the account's rest.
        running: of all its versions.
        allotted: sum of its versions' allotments.
        excess: running beyond the allotments, of all versions together.
        rates: how fast it is invoked and grows.
    """

    __slots__ = (
        "__weakref__",
        "account",
        "allotted",
        "excess",
        "peak",
        "rates",
        "reserved",
        "running",
    )

    def __init__(self, account: AccountConcurrency, rates: Rates) -> None:
        self.account = account
        self.rates = FunctionRates(rates)
        self.reserved: int | None = None
        self.running = 0
        self.allotted = 0
        self.excess = 0
        self.peak = 0

    def admit(self, beyond: bool) -> None:
        """Count one more, or refuse it; `beyond` its version's allotment or within."""
        account = self.account
        if self.reserved is not None:
            free = self.reserved - self.allotted
            if self.running >= self.reserved or (beyond and self.excess >= free):
                raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        elif beyond and account.excess >= account.limit - account.claimed:
            raise _throttled("ConcurrentInvocationLimitExceeded")
        if account.running >= account.limit:
            raise _throttled("ConcurrentInvocationLimitExceeded")
        account.running += 1
        self.running += 1
        if beyond:
            self.excess += 1
            if self.reserved is None:
                account.excess = excess = account.excess + 1
                if excess > account.excess_peak:  # noqa: PLR1730 - twice as quick as `max`
                    account.excess_peak = excess
        if self.running > self.peak:  # noqa: PLR1730
            self.peak = self.running
        if account.running > account.peak:  # noqa: PLR1730
            account.peak = account.running

    def dismiss(self, beyond: bool) -> None:
        """Count one less."""
        account = self.account
        account.running -= 1
        self.running -= 1
        if beyond:
            self.excess -= 1
            if self.reserved is None:
                account.excess -= 1

    def change(self, *, reserved: int | None, allotted: int, excess: int) -> None:
        """Set all figures at once and tell the account what that means for it."""
        account = self.account
        account.claimed -= self._claimed
        if self.reserved is None:
            account.excess -= self.excess
        self.reserved, self.allotted, self.excess = reserved, allotted, excess
        account.claimed += self._claimed
        if reserved is None:
            account.excess += excess

    @property
    def _claimed(self) -> int:
        return self.allotted if self.reserved is None else self.reserved


class VersionConcurrency:
    """A version. Mutable: its allotment and what runs.

    Attributes:
        running: invocations of it at this moment.
        allotted: how many of them may run whatever else does.
        peak: the most of them that ran within the allotment since somebody asked.
        within, beyond: invocations since then, where there is an allotment.
    """

    __slots__ = ("__weakref__", "allotted", "beyond", "function", "peak", "running", "within")

    def __init__(self, function: FunctionConcurrency) -> None:
        self.function = function
        self.running = 0
        self.allotted = 0
        self.peak = self.within = self.beyond = 0

    def acquire(self) -> None:
        """Count one more.

        Raises:
            TooManyRequestsException: its share of the concurrency is used up.
        """
        self.function.admit(self.running >= self.allotted)
        self.running += 1
        if self.allotted:
            self.peak = max(self.peak, min(self.running, self.allotted))
            if self.running > self.allotted:
                self.beyond += 1
            else:
                self.within += 1

    def request(self, now: float) -> None:
        """Count a synchronous request; those of events are not limited.

        Raises:
            TooManyRequestsException: there were too many in the last second.
        """
        function = self.function
        reserved = function.reserved
        limit = function.account.limit if reserved is None else reserved
        if not function.rates.request(now, limit):
            kind = "" if reserved is None else "Reserved"
            raise _throttled(f"{kind}FunctionInvocationRateLimitExceeded")

    def grow(self, now: float) -> None:
        """Count a new environment.

        Raises:
            TooManyRequestsException: the function has got too many in the last ten seconds.
        """
        if not self.function.rates.environment(now):
            raise _throttled("ConcurrentInvocationLimitExceeded")

    def release(self) -> None:
        """Count one less; every acquire is released exactly once."""
        self.function.dismiss(self.running > self.allotted)
        self.running -= 1

    @property
    def excess(self) -> int:
        """How many run beyond the allotment."""
        return max(0, self.running - self.allotted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What ran at once at most, for a while.

    Attributes:
        function: None for all of the account.
        version: None for all of the function.
        most: invocations.
        unreserved: of the account on its shared rest; else None.
        allotted: of the version; `within` and `beyond` count its invocations. Else 0.
    """

    account_id: str
    region: str
    function: FunctionKey | None = None
    version: str | None = None
    most: int = 0
    unreserved: int | None = None
    allotted: int = 0
    within: int = 0
    beyond: int = 0


class ConcurrencyLedger:
    """The concurrency of all accounts and regions. Changes take effect with the next invocation.

    Whoever counts keeps the :class:`VersionConcurrency`; one that nobody holds and that has
    neither allotment nor reservation is forgotten.

    Mutable: the counts.
    """

    def __init__(self, account_limit: int, rates: Rates | None = None) -> None:
        self._account_limit = account_limit
        self._rates = rates or Rates()
        self._accounts: WeakValueDictionary[tuple[str, str], AccountConcurrency] = (
            WeakValueDictionary()
        )
        self._functions: WeakValueDictionary[FunctionKey, FunctionConcurrency] = (
            WeakValueDictionary()
        )
        self._versions: WeakValueDictionary[tuple[FunctionKey, str], VersionConcurrency] = (
            WeakValueDictionary()
        )
        self._reserved: dict[FunctionKey, FunctionConcurrency] = {}
        self._allotted: dict[tuple[FunctionKey, str], VersionConcurrency] = {}

    def version(self, key: FunctionKey, version: str) -> VersionConcurrency:
        """Where a version's invocations are counted."""
        name = (key, version)
        found = self._versions.get(name)
        if found is None:
            found = self._versions[name] = VersionConcurrency(self._function(key))
        return found

    def reserve(self, key: FunctionKey, limit: int | None) -> None:
        """Reserve concurrency for a function, or give it back with None."""
        function = self._function(key)
        function.change(reserved=limit, allotted=function.allotted, excess=function.excess)
        if limit is None:
            self._reserved.pop(key, None)
        else:
            self._reserved[key] = function

    def allot(self, key: FunctionKey, version: str, number: int) -> None:
        """Allot concurrency to a version; 0 takes it back."""
        count = self.version(key, version)
        function = count.function
        allotted = function.allotted - count.allotted + number
        excess = function.excess - count.excess
        count.allotted = number
        function.change(reserved=function.reserved, allotted=allotted, excess=excess + count.excess)
        if number:
            self._allotted[key, version] = count
        else:
            self._allotted.pop((key, version), None)

    def peaks(self) -> Iterator[Peak]:
        """Yield what ran at most since the last time, of whatever ran at all."""
        for (account_id, region), account in list(self._accounts.items()):
            if account.peak:
                yield Peak(
                    account_id=account_id,
                    region=region,
                    most=account.peak,
                    unreserved=account.excess_peak,
                )
            account.peak, account.excess_peak = account.running, account.excess
        for key, function in list(self._functions.items()):
            if function.peak:
                yield Peak(
                    account_id=key.account_id, region=key.region, function=key, most=function.peak
                )
            function.peak = function.running
        for (key, number), version in list(self._allotted.items()):
            yield Peak(
                account_id=key.account_id,
                region=key.region,
                function=key,
                version=number,
                most=version.peak,
                allotted=version.allotted,
                within=version.within,
                beyond=version.beyond,
            )
            version.peak = min(version.running, version.allotted)
            version.within = version.beyond = 0

    def _function(self, key: FunctionKey) -> FunctionConcurrency:
        found = self._functions.get(key)
        if found is None:
            found = self._functions[key] = FunctionConcurrency(self._account(key), self._rates)
        return found

    def _account(self, key: FunctionKey) -> AccountConcurrency:
        name = (key.account_id, key.region)
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = AccountConcurrency(self._account_limit)
        return found


def _throttled(reason: str) -> TooManyRequestsException:
    return TooManyRequestsException(
        "Rate Exceeded.", Reason=reason, Type="User", retryAfterSeconds=_RETRY_AFTER_S
    )
