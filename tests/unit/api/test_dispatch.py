"""Registration of operations."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from uuid import UUID

import pytest

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Service
from lambdad.api.request_ids import request_ids


async def handler(context: RequestContext, params: Params) -> Mapping[str, object]:
    return {}


def test_a_registered_operation_is_served_and_no_longer_missing() -> None:
    service = Service("sts")
    before = service.missing()
    assert "GetCallerIdentity" in before
    service.operation("GetCallerIdentity", lenient=("X",))(handler)
    found = service.find("GetCallerIdentity")
    assert found is not None
    assert (found.handler, found.lenient) == (handler, {"X"})
    assert service.served() == ["GetCallerIdentity"]
    assert set(before) - set(service.missing()) == {"GetCallerIdentity"}


def test_a_name_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="has no operation GetCallerIdentitty"):
        Service("sts").operation("GetCallerIdentitty")


def test_a_second_handler_is_refused() -> None:
    service = Service("sts")
    service.operation("GetCallerIdentity")(handler)
    with pytest.raises(ValueError, match="has a handler already"):
        service.operation("GetCallerIdentity")


def test_request_ids_are_different_random_uuids() -> None:
    ids = list(islice(request_ids(), 1_000))
    assert len(set(ids)) == 1_000
    assert {(UUID(each).version, UUID(each).variant) for each in ids} == {(4, UUID(ids[0]).variant)}
    assert UUID(ids[0]).variant == "specified in RFC 4122"
