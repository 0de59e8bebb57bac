"""Images of lambdad's own registries: functions are made of them without a way over HTTP.

Decides which names mean a registry here, and who may use what is in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from lambdad.authz.principals import DEFAULT_ACCOUNT_ID, DEFAULT_REGION
from lambdad.domain.errors import HostUnfit
from lambdad.domain.images import ImageAbsent, ImageReference, SourceKind
from lambdad.images.base import BlobSource, Owner
from lambdad.neighbours.registry_hosts import registry_name, registry_named


class Repositories(Protocol):
    """What is needed of a registry."""

    def source(
        self, account_id: str, region: str, reference: ImageReference, *, reader: str | None
    ) -> BlobSource | None:
        """Return where an image's repository is; None if there is no such.

        Raises:
            ImageDenied: the account `reader` may not have them.
        """
        ...


class OwnImages:
    """See `lambdad.images.base.OwnImages`."""

    def __init__(self, repositories: Callable[[], Awaitable[Repositories]], port: int) -> None:
        """`repositories` fails with HostUnfit where ECR is somebody else's; `port` is ours."""
        self._repositories = repositories
        self._port = port

    async def find(
        self, reference: ImageReference, owner: Owner | None
    ) -> tuple[ImageReference, BlobSource] | None:
        """Return an image's name and place here; None if it is not one of lambdad's own."""
        if reference.kind is not SourceKind.REGISTRY:
            return None
        address = registry_named(reference.place, self._port)
        if address is None:
            return None
        account_id, region = owner or (DEFAULT_ACCOUNT_ID, DEFAULT_REGION)
        account_id = address.account_id or account_id
        region = address.region or region
        try:
            repositories = await self._repositories()
        except HostUnfit:
            return None
        reader = None if owner is None else owner[0]
        source = repositories.source(account_id, region, reference, reader=reader)
        if source is None and not address.certain:
            return None  # somebody may mean AWS
        if source is None:
            raise ImageAbsent(
                f"There is no repository {reference.repository} of the account {account_id} in "
                f"{region}. Create it, and push the image to it."
            )
        if address.account_id is None:
            name = registry_name(account_id, region, reference.place)
            reference = replace(reference, place=name)
        return reference, source
