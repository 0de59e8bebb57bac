"""Where moto is stricter than AWS, or poorer, and deploy tools stumble over it."""

from __future__ import annotations

from typing import Any


def install() -> None:
    """Correct moto in this process, before it serves anything."""
    from moto.core.config import default_user_config  # noqa: PLC0415 - only where moto runs
    from moto.iam.policy_validation import BaseIAMPolicyValidator  # noqa: PLC0415

    # Everybody attaches AWSLambdaBasicExecutionRole.
    default_user_config["iam"]["load_aws_managed_policies"] = True
    # A policy needs no version, and the old one is as good; only what is no version is refused.
    validator: Any = BaseIAMPolicyValidator
    validator._validate_version = _any_version


def _any_version(validator: object) -> None:
    pass
