"""Amazon SQS: queues, standard and FIFO, durable.

Operations stand in modules by resource; `mailbox` decides who gets what and when, `*_rows` are the
jobs on the database.
"""

from lambdad.neighbours.hosting import Neighbour
from lambdad.neighbours.sqs import move_tasks as move_tasks
from lambdad.neighbours.sqs import queues as queues
from lambdad.neighbours.sqs import receiving as receiving
from lambdad.neighbours.sqs import sending as sending
from lambdad.neighbours.sqs import tags as tags
from lambdad.neighbours.sqs.parts import Queues as Queues
from lambdad.neighbours.sqs.service import SQS as SQS
from lambdad.neighbours.sqs.service import with_queue_url

# Eager: a move task goes on after a restart, and old messages are cleared away.
NEIGHBOUR = Neighbour(service=SQS, open=Queues.open, eager=True, rewrite=with_queue_url)
