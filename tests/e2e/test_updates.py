"""An update takes a while: until it is done the old code serves, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

SOURCE = "def handler(event, context):\n    return 'NAME', context.memory_limit_in_mb\n"

# Long enough for what is asked while it lasts, on a busy machine; waiters look every second.
TRANSITION_S = "8"


def test_old_code_serves_until_the_update_is_done_across_kill_9(
    start: Callable[..., DaemonProcess],
) -> None:
    daemon = start()
    Deployer(daemon.endpoint_url).deploy("f", SOURCE.replace("NAME", "old"), MemorySize=256)
    daemon.stop()

    daemon = start(LAMBDAD_CONTROLPLANE_TRANSITION_S=TRANSITION_S)
    user = Deployer(daemon.endpoint_url)
    package = zip_of({"app.py": SOURCE.replace("NAME", "new")})
    user.lambda_.update_function_code(FunctionName="f", ZipFile=package)
    assert status_of(user) == "InProgress"
    assert user.invoke("f").payload == ["old", "256"], "in a new environment"
    with pytest.raises(ClientError) as refused:
        user.lambda_.update_function_configuration(FunctionName="f", MemorySize=512)
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"
    daemon.kill()

    daemon = start(LAMBDAD_CONTROLPLANE_TRANSITION_S=TRANSITION_S)
    user = Deployer(daemon.endpoint_url)
    assert status_of(user) == "InProgress"
    assert user.invoke("f").payload == ["old", "256"], "after a restart"
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName="f")
    assert user.invoke("f").payload == ["new", "256"], "not in the environment of the old code"


def status_of(user: Deployer) -> str:
    configuration = user.lambda_.get_function_configuration(FunctionName="f")
    return str(configuration["LastUpdateStatus"])
