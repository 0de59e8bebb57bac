"""EventBridge Scheduler: schedules and their groups, durable.

`timing` decides when a schedule is due, `invocations` what its target gets, `parts` fires, and
`lambdad.neighbours.delivery` brings it to the targets.
"""

from lambdad.neighbours.hosting import Neighbour
from lambdad.neighbours.scheduler import groups as groups
from lambdad.neighbours.scheduler import schedules as schedules
from lambdad.neighbours.scheduler.parts import Schedules as Schedules
from lambdad.neighbours.scheduler.service import SCHEDULER as SCHEDULER

# Eager: schedules fire without being asked.
NEIGHBOUR = Neighbour(service=SCHEDULER, open=Schedules.open, eager=True)
