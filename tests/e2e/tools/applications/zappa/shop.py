"""The shop as Zappa has it: a WSGI application, and functions for events."""

import json
import os

VERSION = 1


def say(source):
    print(os.environ["GREETING"], "from", source)  # noqa: T201 - the log


def app(environ, start_response):
    say("http")
    name = environ["PATH_INFO"].rpartition("/")[2]
    answer = {"greeting": os.environ["GREETING"], "name": name, "version": VERSION}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]


def on_upload(event, context):
    say("s3")


def on_work(event, context):
    say("sqs")


def on_news(event, context):
    say("sns")


def minutely(event, context):
    say("schedule")


def plain(event=None, context=None):
    say("invoke")
    return {"version": VERSION}
