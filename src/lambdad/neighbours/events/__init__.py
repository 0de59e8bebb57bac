"""Amazon EventBridge: buses, rules, schedules, archives and replays, durable.

Operations stand in modules by resource; `parts` decides what an event sets off, `timetable` when
rules with schedules fire, and `lambdad.neighbours.delivery` brings their events to the targets.
"""

from lambdad.neighbours.events import archives as archives
from lambdad.neighbours.events import buses as buses
from lambdad.neighbours.events import policies as policies
from lambdad.neighbours.events import putting as putting
from lambdad.neighbours.events import replays as replays
from lambdad.neighbours.events import rules as rules
from lambdad.neighbours.events import tags as tags
from lambdad.neighbours.events import targets as targets
from lambdad.neighbours.events.parts import Buses as Buses
from lambdad.neighbours.events.service import EVENTS as EVENTS
from lambdad.neighbours.hosting import Neighbour

# Eager: schedules fire, and deliveries go on, without being asked.
NEIGHBOUR = Neighbour(service=EVENTS, open=Buses.open, eager=True)
