"""Amazon Kinesis Data Streams: shards of records in order, durable.

Operations stand in modules by resource; `log` stores and reads records and wakes who waits for
them, `rows` are the jobs on the database. What a shard takes a second is not limited.
"""

from lambdad.neighbours.hosting import Neighbour
from lambdad.neighbours.kinesis import consumers as consumers
from lambdad.neighbours.kinesis import putting as putting
from lambdad.neighbours.kinesis import reading as reading
from lambdad.neighbours.kinesis import shards as shards
from lambdad.neighbours.kinesis import streams as streams
from lambdad.neighbours.kinesis import tags as tags
from lambdad.neighbours.kinesis.parts import Streams as Streams
from lambdad.neighbours.kinesis.service import KINESIS as KINESIS
from lambdad.neighbours.kinesis.service import answer_json

# Eager: records that are too old are cleared away.
NEIGHBOUR = Neighbour(service=KINESIS, open=Streams.open, eager=True, handle=answer_json)
