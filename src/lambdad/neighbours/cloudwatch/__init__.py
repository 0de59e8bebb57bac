"""Amazon CloudWatch: metrics as they are put, and alarms on them.

`model` and `alarms` know what statistics and states are, `parts` when alarms are looked at. Not
there: dashboards, expressions, anomaly detection, composite alarms, metric streams.
"""

from lambdad.neighbours.cloudwatch import alarm_operations as alarm_operations
from lambdad.neighbours.cloudwatch import metrics as metrics
from lambdad.neighbours.cloudwatch.parts import Monitor as Monitor
from lambdad.neighbours.cloudwatch.service import CLOUDWATCH as CLOUDWATCH
from lambdad.neighbours.hosting import Neighbour

# Eager: alarms ring without being asked.
NEIGHBOUR = Neighbour(service=CLOUDWATCH, open=Monitor.open, eager=True)
