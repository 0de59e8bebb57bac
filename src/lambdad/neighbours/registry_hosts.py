"""Which requests and which names of images are for registries of ECR. Pure.

A registry is an account's in a region and has a name of its own: `<account>.dkr.ecr.<region>.` and
a domain. Under any other name of the daemon it is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]{1,32})\.(?P<domain>[a-z0-9.-]+)"
    r"(?P<port>:\d{1,5})?",
    re.ASCII,
)
# Buckets of S3 are addressed so, whatever their keys begin with.
_OTHER_NAME = re.compile(r".+\.(?:localhost|amazonaws\.com(?:\.cn)?)(?::\d+)?")
# In the paths of requests whose bodies are layers of images.
BLOB_UPLOADS = "/blobs/uploads/"

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_AWS = ("amazonaws.com", "amazonaws.com.cn")


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """Which registry is meant; None where the name does not say.

    Attributes:
        certain: nobody but this daemon can be meant.
    """

    account_id: str | None = None
    region: str | None = None
    certain: bool = True


def address_of(path: str, headers: Mapping[str, str]) -> RegistryAddress | None:
    """Return which registry a request is for; None when it is for none."""
    if path != "/v2" and not path.startswith("/v2/"):
        return None
    host = headers.get("host", "").lower()
    if (match := _NAME.fullmatch(host)) is not None:
        return RegistryAddress(match["account"], match["region"])
    if _OTHER_NAME.fullmatch(host) or "x-amz-target" in headers:
        return None
    # API Gateway's operations have such paths, and are signed as AWS's are.
    scheme = headers.get("authorization", "").partition(" ")[0].lower()
    return RegistryAddress() if scheme in ("", "basic", "bearer") else None


def registry_named(place: str, port: int) -> RegistryAddress | None:
    """Return which registry of this daemon the beginning of an image's URI means, if any.

    `port` is the daemon's. AWS's own names may mean AWS as well.
    """
    if (match := _NAME.fullmatch(place.lower())) is not None:
        if match["domain"] not in ("localhost", *_AWS):
            return None
        certain = match["domain"] == "localhost"
        return RegistryAddress(match["account"], match["region"], certain)
    host, _, given = place.lower().rpartition(":")
    return RegistryAddress() if host in _LOOPBACK and given == str(port) else None


def registry_name(account_id: str, region: str, host: str) -> str:
    """Return the name, with its port, of a registry for clients that reach the daemon at `host`."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, colon, port = host, "", ""
    if name in _LOOPBACK or name.endswith(".localhost"):
        name = "localhost"
    return f"{account_id}.dkr.ecr.{region}.{name}{colon}{port}"
