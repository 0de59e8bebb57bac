"""The shop as Chalice has it: a function for each trigger, a REST API before one of them."""

import os

from chalice import Chalice, Rate

app = Chalice(app_name="shop-chalice")
VERSION = 1


def say(source):
    print(os.environ["GREETING"], "from", source)  # noqa: T201 - the log


@app.route("/hello/{name}")
def hello(name):
    say("http")
    return {"greeting": os.environ["GREETING"], "name": name, "version": VERSION}


@app.on_s3_event(bucket="shop-chalice-uploads", events=["s3:ObjectCreated:*"], prefix="in/")
def on_upload(event):
    say("s3")


@app.on_sqs_message(queue="shop-chalice-work", batch_size=5)
def on_work(event):
    say("sqs")


@app.on_sns_message(topic="shop-chalice-news")
def on_news(event):
    say("sns")


@app.on_kinesis_record(stream="shop-chalice-clicks", starting_position="TRIM_HORIZON")
def on_click(event):
    say("kinesis")


@app.on_dynamodb_record(stream_arn=os.environ.get("ORDERS", "arn:aws:dynamodb:::table/t/stream/s"))
def on_order(event):
    say("dynamodb")


@app.on_cw_event({"source": ["shop"]})
def on_sale(event):
    say("shop")


@app.schedule(Rate(1, unit=Rate.MINUTES))
def minutely(event):
    say("schedule")


@app.lambda_function()
def plain(event, context):
    say("invoke")
    return {"version": VERSION}
