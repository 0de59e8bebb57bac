"""The Python guest logs as AWS's runtime does, on every Python of this host."""

import json
import re

import pytest

from lambdad.domain.functions import LoggingConfig

PYTHONS = [f"python3.{minor}" for minor in range(8, 15)]
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

pytestmark = pytest.mark.parametrize("python", PYTHONS)


async def test_prints_and_logs_in_order_as_text(guest, python):
    app = """
import logging
logging.getLogger().setLevel(logging.INFO)
logging.info("at init")
def handler(event, context):
    print("prinť")
    logging.getLogger("mine").info("hello %s\\nsecond", event)
    logging.debug("unseen")
    context.log("raw\\n")
    print("no line end", end="")
"""
    served = await guest.run(python, {"app.py": app}, ["w"])
    assert re.fullmatch(
        rf"\[INFO\]\t{STAMP}\t\tat init\nprinť\n"
        rf"\[INFO\]\t{STAMP}\trequest-1\thello w\nsecond\nraw\nno line end",
        served.log,
    )


def unframe(data):
    while data:
        size = int.from_bytes(data[4:8], "big")
        yield int.from_bytes(data[:4], "big"), data[16 : 16 + size].decode()
        data = data[16 + size :]


async def test_frames_records_and_failures_when_it_can(guest, python):
    app = """
import logging
def handler(event, context):
    logging.error("one\\ntwo")
    print("plain")
    raise ValueError("bad")
"""
    served = await guest.run(python, {"app.py": app}, [1], framed=True)
    assert served.log == "plain\n"
    (kind, record), (failure_kind, failure) = unframe(served.frames)
    assert kind == 0xA55A0003
    assert re.fullmatch(r"\[ERROR\]\t\S+Z\trequest-1\tone\ntwo\n", record)
    assert failure_kind == 0xA55A0017
    assert failure.startswith("[ERROR] ValueError: bad\nTraceback (most recent call last):\n")


async def test_logs_json_when_configured(guest, python):
    app = """
import logging
logger = logging.getLogger("mine")
def handler(event, context):
    logger.debug("unseen")
    logger.info("hi %s", "é", extra={"order": 7})
    try:
        raise KeyError("k")
    except KeyError:
        logger.exception("failed")
    logger.info({"a": 1})
    raise ValueError("bad")
"""
    logging = LoggingConfig(log_group="/aws/lambda/f", log_format="JSON")
    served = await guest.run(python, {"app.py": app}, [1], framed=True, logging=logging)
    frames = list(unframe(served.frames))
    assert [kind for kind, _ in frames] == [0xA55A000E, 0xA55A0016, 0xA55A000E, 0xA55A0016]
    hello, failed, mapping, unhandled = (json.loads(text) for _, text in frames)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", hello.pop("timestamp"))
    assert hello == {
        "level": "INFO",
        "message": "hi é",
        "logger": "mine",
        "requestId": "request-1",
        "order": 7,
    }
    assert (failed["errorType"], failed["errorMessage"]) == ("KeyError", "'k'")
    assert failed["location"] == f"{guest.task}/app.py:handler:10"
    assert len(failed["stackTrace"]) == 1
    assert mapping["message"] == {"a": 1}
    assert (unhandled["level"], unhandled["errorType"]) == ("ERROR", "ValueError")
