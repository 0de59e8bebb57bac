"""Who may do what in a bucket. Pure.

The account of the bucket may all that its policy does not deny; others what the policy or a public
access list allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from lambdad.authz.policies import Decision, Principal, Request, evaluate
from lambdad.neighbours.s3.model import Bucket

PUBLIC = ("public-read", "public-read-write", "authenticated-read")


def may(
    bucket: Bucket,
    principal: Principal,
    action: str,
    key: str | None,
    *,
    now: datetime,
    conditions: Mapping[str, str] | None = None,
) -> bool:
    """Whether somebody may do something with a bucket, or with the object of that key."""
    policy = bucket.settings.get("Policy")
    decision = Decision.SILENT
    if policy is not None:
        request = Request(
            principal=principal,
            action=action,
            resource=bucket.arn if key is None else f"{bucket.arn}/{key}",
            context={
                # What demands it would shut out whoever uses plain HTTP on their own machine.
                "aws:SecureTransport": "true",
                "aws:SourceIp": "127.0.0.1",
                "aws:CurrentTime": now.isoformat(),
                "aws:EpochTime": str(int(now.timestamp())),
                **(conditions or {}),
            },
        )
        decision = evaluate([policy["Document"]], request)
    if decision is not Decision.SILENT:
        return decision is Decision.ALLOWED
    canned = bucket.settings.get("Acl", {}).get("canned")
    public = (action == "s3:ListBucket" and canned in PUBLIC) or (
        action in ("s3:PutObject", "s3:DeleteObject") and canned == "public-read-write"
    )
    return public or principal.account_id == bucket.account_id
