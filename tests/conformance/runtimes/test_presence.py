"""Which runtimes the other tests could run on, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from botocore.exceptions import ClientError

from lambdad.domain.runtimes import RETIRED_RUNTIMES
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]


def test_what_the_host_lacks_is_refused_with_a_remedy(
    user: Deployer, runtimes: Mapping[str, bool]
) -> None:
    # Of those that AWS has retired its own words are used.
    offered = runtimes.keys() - RETIRED_RUNTIMES
    absent = sorted(name for name in offered if not runtimes[name])
    for name in absent:
        with pytest.raises(ClientError) as refused:
            user.deploy("never-made", "", Runtime=name)
        error = refused.value.response["Error"]
        assert error["Code"] == "InvalidParameterValueException"
        assert error["Message"].startswith(f"The runtime {name} is not available on this host. ")
        assert "install" in error["Message"].lower()
    if absent:
        pytest.skip(f"no functions were run on {', '.join(absent)}: not on this host")
