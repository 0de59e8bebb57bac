"""What doctor says of the services behind lambdad's port."""

from __future__ import annotations

import socket

from lambdad.config.sections import NeighboursConfig
from lambdad.server.doctor import examine_services


async def test_every_service_is_named_with_what_serves_it_and_whether_it_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        config = NeighboursConfig(
            s3=f"http://127.0.0.1:{there.getsockname()[1]}",
            sns=f"http://127.0.0.1:{nobody.getsockname()[1]}",
            kinesis="nonsense",
            others="none",
        )
        found = {each.name: each for each in await examine_services(config)}
    assert (found["sqs"].state, found["sqs"].detail) == ("ok", "builtin")
    assert found["s3"].state == "ok"
    assert found["sns"].state == "missing"
    assert "neighbours.sns" in found["sns"].remedy
    assert found["kinesis"].detail == "nonsense is no address of a service."
    assert found["others"].detail == "served by nothing"
