"""The registry's own protocol, as the OCI distribution specification has it.

Decides what clients such as docker and skopeo see; what a repository has is `parts`' business.
A registry is an account's in a region, named by the host, `<account>.dkr.ecr.<region>.localhost`;
at any other host it is the one that the password is for, else that of the default account.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from urllib.parse import unquote

from lambdad.authz.callers import stranger
from lambdad.authz.policies import account_root
from lambdad.authz.principals import DEFAULT_REGION
from lambdad.domain.errors import HostUnfit, LambdadError
from lambdad.neighbours.ecr import blob_uploads, exchanges
from lambdad.neighbours.ecr.access import Grant, password_of
from lambdad.neighbours.ecr.calls import JSON, Handler, RegistryCall, RegistryError
from lambdad.neighbours.ecr.errors import RepositoryNotFoundException
from lambdad.neighbours.ecr.parts import Registry
from lambdad.neighbours.registry_hosts import RegistryAddress
from lambdad.protocol.http import HttpRequest, HttpResponse

_LOGGER = logging.getLogger(__name__)
_PATH = re.compile(
    r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs/uploads|blobs|tags|referrers)/(?P<rest>[^/]*)"
)


class PublicRegistry(Registry):
    """The registry with a front for its own clients."""

    async def serve(
        self, request: HttpRequest, address: RegistryAddress, *, must_prove: bool
    ) -> HttpResponse:
        """Answer one request; never raises but for cancellation.

        `must_prove` says that without a password nobody is believed to be anybody.
        """
        try:
            grant = self._grant(request, address, must_prove=must_prove)
            return await self._answer(request, address, grant)
        except RegistryError as error:
            return error.response()
        except RepositoryNotFoundException as error:
            return RegistryError(404, "NAME_UNKNOWN", error.message).response()
        except HostUnfit as error:
            return RegistryError(503, "UNAVAILABLE", str(error)).response()
        except LambdadError:
            _LOGGER.exception("%s %s failed", request.method, request.path[:256])
            return RegistryError(500, "UNKNOWN", "lambdad failed. Its log tells why.").response()

    async def _answer(
        self, request: HttpRequest, address: RegistryAddress, grant: Grant
    ) -> HttpResponse:
        account_id = address.account_id or grant.account_id
        region = address.region or grant.region
        path = unquote(request.path)
        if path in ("/v2", "/v2/"):
            return HttpResponse(status=200, headers=JSON, body=b"{}")
        if path == "/v2/_catalog" and request.method == "GET":
            own = self.of(account_id, region) if grant.account_id == account_id else []
            return exchanges.catalog(request, [each.name for each in own])
        match = _PATH.fullmatch(path)
        handlers = _HANDLERS.get(match["kind"]) if match is not None else None
        if match is None or handlers is None:
            raise RegistryError(404, "UNSUPPORTED", "There is nothing at this path.")
        if (handler := handlers.get(request.method)) is None:
            allowed = ", ".join(handlers)
            raise RegistryError(405, "UNSUPPORTED", f"Only {allowed} is served.", Allow=allowed)
        if grant.digest is not None and (match["kind"], match["rest"]) != ("blobs", grant.digest):
            raise _unproven()
        return await handler(
            RegistryCall(
                registry=self,
                repository=self.find(account_id, region, match["name"]),
                request=request,
                rest=match["rest"],
                principal=grant.principal,
                query=exchanges.query_of(request),
            )
        )

    def _grant(self, request: HttpRequest, address: RegistryAddress, *, must_prove: bool) -> Grant:
        """Return whom a request speaks for: whoever its password says, else whom it is taken for.

        Raises:
            RegistryError: they must prove it, and do not.
        """
        password = password_of(request.headers.get("authorization", ""))
        if password is None:
            password = exchanges.query_of(request).get("token")
        grant = None if password is None else self.granted(password)
        if grant is not None:
            return grant
        if must_prove:
            raise _unproven()
        account_id = address.account_id or stranger(None).account_id
        return Grant(
            account_id=account_id,
            region=address.region or DEFAULT_REGION,
            arn=str(account_root(account_id).arn),
            role_arn=None,
            expires_s=0,
        )


def _unproven() -> RegistryError:
    return RegistryError(
        401,
        "UNAUTHORIZED",
        "Not Authorized: log in with what `aws ecr get-login-password` prints. It is good for "
        "twelve hours.",
        WWW_Authenticate='Basic realm="lambdad",service="ecr.amazonaws.com"',
    )


_HANDLERS: Mapping[str, Mapping[str, Handler]] = {
    "manifests": {
        "GET": exchanges.get_manifest,
        "HEAD": exchanges.get_manifest,
        "PUT": exchanges.put_manifest,
        "DELETE": exchanges.delete_manifest,
    },
    "blobs": {"GET": exchanges.get_blob, "HEAD": exchanges.get_blob},
    "blobs/uploads": {
        "POST": blob_uploads.begin,
        "GET": blob_uploads.tell,
        "PATCH": blob_uploads.append,
        "PUT": blob_uploads.complete,
        "DELETE": blob_uploads.cancel,
    },
    "tags": {"GET": exchanges.list_tags},
    "referrers": {"GET": exchanges.referrers},
}
