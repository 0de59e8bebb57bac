"""API keys, usage plans and throttling: who may call how often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lambdad.domain.clock import Clock
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.gateway_responses import Refused
from lambdad.triggers.rest_api.model import Account, Document
from lambdad.triggers.throttling import Throttle

_DAYS_KEPT = 400


class UsageMeter:
    """Counts what clients use. Mutable: requests by plan, key and day; lost at a restart."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._throttle = Throttle(clock)
        self._used: dict[tuple[str, str], dict[date, int]] = defaultdict(dict)

    def used(self, plan_id: str, key_id: str) -> Mapping[date, int]:
        """Return how many requests of a key counted on each day, as GetUsage shows it."""
        return self._used.get((plan_id, key_id), {})

    def check_stage(self, call: Call) -> None:
        """See that the stage's settings let a request through now.

        Raises:
            Refused: too many came at once.
        """
        settings: Mapping[str, Document] = call.stage.get("methodSettings") or {}
        if not settings:
            return
        name, found = _setting(settings, call)
        rate, burst = found.get("throttlingRateLimit"), found.get("throttlingBurstLimit")
        if rate is None or burst is None or rate < 0 or burst < 0:
            return
        key = (call.api.api_id, call.stage_name, name)
        self._take(key, {"rateLimit": rate, "burstLimit": burst})

    def check_key(self, call: Call, account: Account) -> None:
        """See that a request brings an API key whose usage plan lets it through; count it.

        Raises:
            Refused: it does not, or the plan's limits are reached.
        """
        if not call.method.get("apiKeyRequired"):
            return
        by_authorizer = call.snapshot.document.get("apiKeySource") == "AUTHORIZER"
        value = call.usage_key if by_authorizer else call.header("x-api-key")
        key = _key(account, value)
        plan, stage = _plan(account, key, call)
        if key is None or plan is None:
            raise Refused("INVALID_API_KEY", "Forbidden")
        call.identity |= {"apiKey": key["value"], "apiKeyId": key["id"]}
        self._check_rate(call, plan, stage, key)
        self._check_quota(plan, key)

    def _check_rate(self, call: Call, plan: Document, stage: Document, key: Document) -> None:
        own: Mapping[str, Document] = stage.get("throttle") or {}
        method = f"{call.resource_path}/{call.method['httpMethod']}"
        limits = own.get(method) or plan.get("throttle")
        if limits:
            name = method if method in own else None
            self._take((plan["id"], key["id"], name), limits)

    def _take(self, key: tuple[Any, ...], limits: Document) -> None:
        rate = float(limits.get("rateLimit") or 0)
        burst = float(limits.get("burstLimit") or max(rate, 1))
        if rate == 0 and not limits.get("burstLimit"):
            burst = 0
        if not self._throttle.take(key, rate=rate, burst=burst):
            raise Refused("THROTTLED", "Too Many Requests")

    def _check_quota(self, plan: Document, key: Document) -> None:
        today = datetime.fromtimestamp(self._clock.time(), UTC).date()
        days = self._used[(plan["id"], key["id"])]
        quota: Document | None = plan.get("quota")
        if quota:
            first = _first_day(quota, today)
            limit = int(quota.get("limit") or 0)
            if not days or min(days) >= first:  # AWS: the offset counts in the first period alone
                limit -= int(quota.get("offset") or 0)
            if sum(count for day, count in days.items() if day >= first) >= limit:
                raise Refused("QUOTA_EXCEEDED", "Limit Exceeded")
        days[today] = days.get(today, 0) + 1
        if len(days) > _DAYS_KEPT:
            del days[min(days)]


def _first_day(quota: Document, today: date) -> date:
    """Return when the quota's period began: a day, a week from Sunday, or a month."""
    period = quota.get("period")
    if period == "WEEK":
        return today - timedelta(days=today.isoweekday() % 7)
    return today.replace(day=1) if period == "MONTH" else today


def _setting(settings: Mapping[str, Document], call: Call) -> tuple[str, Document]:
    """Return the settings of a method, with those of all methods where it has none of its own."""
    path = call.resource_path.replace("/", "~1")
    method = call.method["httpMethod"]
    common = settings.get("*/*") or {}
    for name in (f"{path}/{method}", f"{call.resource_path}/{method}", f"{path}/*"):
        own = settings.get(name) or settings.get(name.lstrip("/"))
        if own is not None:
            return name, {**common, **own}
    return "*/*", common


def _key(account: Account, value: str | None) -> Document | None:
    if not value:
        return None
    for key in account.api_keys.values():
        if key.get("value") == value:
            return key if key.get("enabled") else None
    return None


def _plan(account: Account, key: Document | None, call: Call) -> tuple[Document | None, Document]:
    """Return the usage plan of a key that has the stage, and what it says of the stage."""
    if key is not None:
        for plan_id, keys in account.usage_plan_keys.items():
            plan = account.usage_plans.get(plan_id)
            if plan is None or key["id"] not in keys:
                continue
            for stage in plan.get("apiStages") or ():
                if (stage["apiId"], stage["stage"]) == (call.api.api_id, call.stage_name):
                    return plan, stage
    return None, {}
