"""Types that lambdad does not know, where the configuration lets them pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.cloudformation.conftest import Account

from lambdad.testing.daemon import DaemonProcess

pytestmark = pytest.mark.slow

TEMPLATE = """
Resources:
  Network: {Type: "AWS::EC2::VPC", Properties: {CidrBlock: 10.0.0.0/16}}
  Queue:
    Type: AWS::SQS::Queue
    Properties: {Tags: [{Key: network, Value: !GetAtt Network.VpcId}]}
"""


def test_nothing_is_made_of_them_and_the_events_say_so(tmp_path: Path) -> None:
    setting = {"LAMBDAD_CLOUDFORMATION_UNKNOWN_TYPES": "warn"}
    with DaemonProcess(tmp_path / "data", environ=setting) as daemon:
        account = Account(daemon.endpoint_url, "600000000001")
        stack = account.deploy("lenient", TEMPLATE)
        assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("lenient")
        note = "Nothing was made: lambdad does not know the type AWS::EC2::VPC."
        assert ("Network", "CREATE_COMPLETE", note) in account.events("lenient")
        changed = TEMPLATE.replace("10.0", "10.1")
        assert account.update("lenient", changed)["StackStatus"] == "UPDATE_COMPLETE"
        assert account.delete("lenient")["StackStatus"] == "DELETE_COMPLETE"
