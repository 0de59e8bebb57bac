"""Service models are botocore's own, loaded once."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import UnknownServiceError

from lambdad.protocol.model import load_service


def test_a_model_is_loaded_once() -> None:
    assert load_service("lambda") is load_service("lambda")


def test_loading_leaves_most_of_a_second_to_the_rest_of_the_start() -> None:
    load_service.cache_clear()
    started = time.process_time()
    for name in ("lambda", "logs", "sts"):
        load_service(name)
    assert time.process_time() - started < 0.5


def test_an_unknown_service_is_refused() -> None:
    with pytest.raises(UnknownServiceError):
        load_service("no-such-service")
