"""Amazon DynamoDB: tables, indexes, items, transactions, and the streams of their changes, durable.

Operations stand in modules by resource, expressions in a package of their own; `*_rows` are the
jobs on the database. `lambdad.neighbours.dynamodbstreams` reads the streams.
"""

from lambdad.neighbours.dynamodb import batches as batches
from lambdad.neighbours.dynamodb import items as items
from lambdad.neighbours.dynamodb import reads as reads
from lambdad.neighbours.dynamodb import statements as statements
from lambdad.neighbours.dynamodb import table_settings as table_settings
from lambdad.neighbours.dynamodb import tables as tables
from lambdad.neighbours.dynamodb import transactions as transactions
from lambdad.neighbours.dynamodb.parts import Tables as Tables
from lambdad.neighbours.dynamodb.service import DYNAMODB as DYNAMODB
from lambdad.neighbours.hosting import Neighbour

# Eager: items end by themselves, indexes are finished and what was deleted is cleared away.
NEIGHBOUR = Neighbour(service=DYNAMODB, open=Tables.open, eager=True)
