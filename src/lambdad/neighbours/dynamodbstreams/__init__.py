"""Amazon DynamoDB Streams: the changes of tables, as `lambdad.neighbours.dynamodb` records them."""

from lambdad.neighbours.dynamodbstreams import streams as streams
from lambdad.neighbours.dynamodbstreams.service import STREAMS, StreamReader
from lambdad.neighbours.hosting import Neighbour

NEIGHBOUR = Neighbour(service=STREAMS, open=StreamReader.open)
