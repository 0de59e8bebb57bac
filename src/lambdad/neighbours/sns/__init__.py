"""Amazon SNS: topics, standard and FIFO, and their subscriptions, durable.

Operations stand in modules by resource; `parts` accepts messages, `notifications` has what
endpoints get, and `lambdad.neighbours.delivery` brings it to them.
"""

from lambdad.neighbours.hosting import Neighbour
from lambdad.neighbours.sns import policies as policies
from lambdad.neighbours.sns import publishing as publishing
from lambdad.neighbours.sns import subscriptions as subscriptions
from lambdad.neighbours.sns import topics as topics
from lambdad.neighbours.sns.parts import Topics as Topics
from lambdad.neighbours.sns.service import SNS as SNS
from lambdad.neighbours.sns.service import handle

# Eager: deliveries go on after a restart.
NEIGHBOUR = Neighbour(service=SNS, open=Topics.open, eager=True, handle=handle)
