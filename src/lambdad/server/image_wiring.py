"""Container images between creation and service: fetched in the background, removed when unused."""

from __future__ import annotations

from lambdad.domain.functions import Function
from lambdad.images.store import ImageStore


class ImagePreparer:
    """See `VersionPreparer`: a version that is an image is ready when that is here."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    def concerns(self, function: Function) -> bool:
        """Whether it is an image."""
        return function.code.image is not None

    async def prepare(self, function: Function) -> None:
        """Fetch and unpack the image; raises `LambdadError`."""
        if (image := function.code.image) is not None:
            await self._images.ensure(image.resolved_uri, function.architectures[0])
