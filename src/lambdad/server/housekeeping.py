"""Work that nobody waits for: removing code that no function has any more."""

from __future__ import annotations

import asyncio
import logging

from lambdad.controlplane.functions import Functions
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.errors import LambdadError
from lambdad.images.store import ImageStore
from lambdad.storage.base import FunctionStore

_LOGGER = logging.getLogger(__name__)

INTERVAL_S = 3_600.0


async def collect_packages(
    functions: Functions, invoker: Invoker, images: ImageStore, store: FunctionStore
) -> None:
    """Remove unused packages and images now and every hour, until cancelled."""
    while True:
        try:
            running = invoker.digests()
            removed = await functions.collect_packages(running)
            removed += await images.collect(store.images() | running)
        except (LambdadError, OSError) as error:
            _LOGGER.warning("unused code could not be removed: %s", error)
        else:
            if removed:
                _LOGGER.info(
                    "removed %d packages and images that no function has any more", removed
                )
        await asyncio.sleep(INTERVAL_S)
