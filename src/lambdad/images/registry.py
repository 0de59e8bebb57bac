"""A client of container registries: the pulling half of the OCI distribution protocol.

Speaks HTTPS, and plain HTTP only to registries that the settings name. Follows a registry's demand
for a token; credentials come from a file as `docker login` writes it. Verifies nothing: who reads
compares digests.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3

from lambdad.domain.images import ImageAbsent, ImageDenied, ImageProblem, ImageReference
from lambdad.images.base import DOCUMENT_BYTES_MAX
from lambdad.images.manifest import INDEXES, MANIFESTS, json_object
from lambdad.images.streams import limited

_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_CHALLENGE = re.compile(r'([a-z_]+)="([^"]*)"')
_REDIRECTS_MAX = 5
# `docker login` calls Docker Hub by an older name.
_ALIASES = {"index.docker.io": "registry-1.docker.io"}


class RegistrySource:
    """One repository of a registry; see `BlobSource`.

    State: the authorization that the registry asked for.

    Args:
        reference: of the image.
        plain_http: registries, `host[:port]`, that are spoken to without TLS.
        logins: user and password by registry.
    """

    def __init__(
        self,
        reference: ImageReference,
        plain_http: Sequence[str],
        logins: Mapping[str, tuple[str, str]],
    ) -> None:
        self._reference = reference
        self._plain_http = plain_http
        scheme = "http" if reference.place in plain_http else "https"
        self._base = f"{scheme}://{reference.place}/v2/{reference.repository}"
        self._login = logins.get(reference.place)
        self._authorization: str | None = None
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)

    def manifest(self, digest: str | None) -> bytes:
        """See `BlobSource`."""
        name = digest or self._reference.tag or "latest"
        with self._get(f"/manifests/{name}", {"Accept": _ACCEPT}) as response:
            return limited(response, DOCUMENT_BYTES_MAX)

    @contextmanager
    def blob(self, digest: str) -> Iterator[BinaryIO]:
        """See `BlobSource`."""
        with self._get(f"/blobs/{digest}", {}) as response:
            yield cast("BinaryIO", response)

    @contextmanager
    def _get(self, path: str, headers: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        url = self._base + path
        try:
            response = self._answer(url, headers)
            try:
                yield response
            finally:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise ImageProblem(
                f"The registry {self._reference.place} does not answer: {error}. Is it up, and "
                "does it speak HTTPS? Name it in images.plain_http if it does not."
            ) from error

    def _answer(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        response = self._request(url, headers)
        if response.status == 401 and self._authorize(response.headers.get("WWW-Authenticate", "")):
            response.close()
            response = self._request(url, headers)
        if response.status == 200:
            return response
        response.close()
        where = f"{self._reference.place} answers {response.status} to {urlsplit(url).path}."
        if response.status == 404:
            raise ImageAbsent(where)
        if response.status in (401, 403):
            raise ImageDenied(f"{where} Log in: see images.docker_config.")
        raise ImageProblem(where)

    def _request(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Get, following redirects: blobs are often elsewhere, where the token must not go."""
        own = urlsplit(url).netloc
        for _ in range(_REDIRECTS_MAX):
            scheme, place, *_rest = urlsplit(url)
            if scheme != "https" and place not in self._plain_http:
                raise ImageDenied(f"{place} is not in images.plain_http, and not asked over HTTP.")
            sent = {**headers, "Accept-Encoding": "identity", "User-Agent": "lambdad"}
            if place == own and self._authorization:
                sent["Authorization"] = self._authorization
            response = self._pool.request(
                "GET",
                url,
                headers=sent,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            location = response.get_redirect_location()
            if not location:
                return response
            response.close()
            url = urljoin(url, str(location))
        raise ImageProblem(f"{own} redirects without end.")

    def _authorize(self, challenge: str) -> bool:
        """Get what the registry asks for; False when there is nothing to be had."""
        scheme, _, rest = challenge.partition(" ")
        basic = None if self._login is None else _basic(*self._login)
        if scheme.lower() == "basic":
            self._authorization, before = basic, self._authorization
            return basic is not None and before is None
        if scheme.lower() != "bearer" or self._authorization is not None:
            return False
        members = dict(_CHALLENGE.findall(rest))
        realm = members.pop("realm", "")
        members.setdefault("scope", f"repository:{self._reference.repository}:pull")
        place = urlsplit(realm)
        if place.scheme != "https" and place.netloc not in self._plain_http:
            return False
        wanted = {name: members[name] for name in ("service", "scope") if name in members}
        response = self._pool.request(
            "GET",
            f"{realm}?{urlencode(wanted)}",
            headers={"Authorization": basic} if basic else {},
            preload_content=False,
            redirect=False,
        )
        with response:
            if response.status != 200:
                return False
            document = json_object(limited(response, DOCUMENT_BYTES_MAX))
        token = document.get("token") or document.get("access_token")
        self._authorization = f"Bearer {token}"
        return isinstance(token, str)


def logins(docker_config: Path | None) -> Mapping[str, tuple[str, str]]:
    """Read a `config.json` of `docker login`; helper programs are not run.

    Raises:
        ImageDenied: it cannot be read.
    """
    if docker_config is None:
        return {}
    try:
        document: Any = json.loads(docker_config.read_text())
        found = {}
        for place, entry in document.get("auths", {}).items():
            if "auth" in entry:
                user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
                host = place.removeprefix("https://").split("/")[0]
                found[_ALIASES.get(host, host)] = (user, password)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ImageDenied(
            f"{docker_config} (images.docker_config) is unusable: {error}."
        ) from error
    return found


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
