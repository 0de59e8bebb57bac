"""How many invocations run at once, and whether one more may: numbers only, no I/O."""

from __future__ import annotations

from collections import Counter

from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import TooManyRequestsException


class ConcurrencyLedger:
    """Running invocations per function and per account and region.

    Mutable: `running` per function, `totals` per account and region.
    """

    def __init__(self, account_limit: int) -> None:
        self._account_limit = account_limit
        self.running: Counter[FunctionKey] = Counter()
        self.totals: Counter[tuple[str, str]] = Counter()

    def acquire(self, key: FunctionKey) -> None:
        """Count one more.

        Raises:
            TooManyRequestsException: the account's concurrency is used up.
        """
        account = (key.account_id, key.region)
        if self.totals[account] >= self._account_limit:
            raise TooManyRequestsException(
                "Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded", Type="User"
            )
        self.running[key] += 1
        self.totals[account] += 1

    def release(self, key: FunctionKey) -> None:
        """Count one less; every acquire is released exactly once."""
        account = (key.account_id, key.region)
        self.running[key] -= 1
        self.totals[account] -= 1
        if not self.running[key]:
            del self.running[key]
        if not self.totals[account]:
            del self.totals[account]
