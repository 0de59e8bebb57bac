"""Service models, as botocore ships them.

Decides which model is loaded: only the installed botocore's own, never one from the operator's
home directory. Refuses to change what a model says.
"""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import ServiceModel


@cache
def load_service(name: str) -> ServiceModel:
    """Return the newest model of a service, for example `lambda`; loaded once.

    Raises:
        botocore.exceptions.UnknownServiceError: botocore has no such service.
    """
    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    return ServiceModel(loader.load_service_model(name, "service-2"), service_name=name)
