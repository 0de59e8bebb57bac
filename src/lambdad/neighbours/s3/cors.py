"""What pages of other origins may do with a bucket, as its CORS configuration has it. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.s3.model import Bucket

_ORIGIN = "origin"
_METHOD = "access-control-request-method"
_HEADERS = "access-control-request-headers"
_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def preflight(bucket: Bucket, headers: Mapping[str, str]) -> dict[str, str] | None:
    """Return the headers of the answer to a browser that asks; None if it may not."""
    asked = [each.strip().lower() for each in headers.get(_HEADERS, "").split(",") if each.strip()]
    origin = headers.get(_ORIGIN, "")
    rule = _rule(bucket, origin, headers.get(_METHOD, ""), asked)
    if rule is None:
        return None
    found = _allowing(rule, origin)
    if asked:
        found["Access-Control-Allow-Headers"] = ", ".join(asked)
    return found


def of_answer(bucket: Bucket, headers: Mapping[str, str], method: str) -> dict[str, str]:
    """Return the headers that let a page read the answer to its request, if it may."""
    origin = headers.get(_ORIGIN, "")
    rule = _rule(bucket, origin, method, [])
    return {} if rule is None else _allowing(rule, origin)


def _rule(bucket: Bucket, origin: str, method: str, asked: list[str]) -> Mapping[str, Any] | None:
    for rule in (bucket.settings.get("Cors") or {}).get("CORSRules", ()):
        allowed = [each.lower() for each in rule.get("AllowedHeaders") or ()]
        if (
            any(_matches(each, origin) for each in rule["AllowedOrigins"])
            and method in rule["AllowedMethods"]
            and all(any(_matches(each, name) for each in allowed) for name in asked)
        ):
            found: Mapping[str, Any] = rule
            return found
    return None


def _matches(pattern: str, text: str) -> bool:
    literal = fnmatch.translate(re.sub(r"([\[\]?])", r"[\1]", pattern))
    return re.fullmatch(literal, text) is not None


def _allowing(rule: Mapping[str, Any], origin: str) -> dict[str, str]:
    everybody = "*" in rule["AllowedOrigins"]
    found = {
        "Access-Control-Allow-Origin": "*" if everybody else origin,
        "Access-Control-Allow-Methods": ", ".join(rule["AllowedMethods"]),
        "Vary": _VARY,
    }
    if not everybody:
        found["Access-Control-Allow-Credentials"] = "true"
    if rule.get("ExposeHeaders"):
        found["Access-Control-Expose-Headers"] = ", ".join(rule["ExposeHeaders"])
    if rule.get("MaxAgeSeconds") is not None:
        found["Access-Control-Max-Age"] = str(rule["MaxAgeSeconds"])
    return found
