"""AWS CloudFormation: templates, stacks and change sets, durable.

`template_text`, `template`, `intrinsics` and `graph` read and evaluate; `engine` brings a stack to
what its plan says; `types` are the resources it can make.
"""

from lambdad.neighbours.cloudformation import change_sets as change_sets
from lambdad.neighbours.cloudformation import describing as describing
from lambdad.neighbours.cloudformation import drift as drift
from lambdad.neighbours.cloudformation import recovering as recovering
from lambdad.neighbours.cloudformation import registry as registry
from lambdad.neighbours.cloudformation import stacks as stacks
from lambdad.neighbours.cloudformation import template_operations as template_operations
from lambdad.neighbours.cloudformation.parts import Stacks as Stacks
from lambdad.neighbours.cloudformation.service import CLOUDFORMATION as CLOUDFORMATION
from lambdad.neighbours.cloudformation.service import handle
from lambdad.neighbours.hosting import Neighbour

# Eager: an operation that was interrupted goes on.
NEIGHBOUR = Neighbour(service=CLOUDFORMATION, open=Stacks.open, eager=True, handle=handle)
