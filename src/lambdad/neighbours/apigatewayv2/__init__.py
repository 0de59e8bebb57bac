"""Amazon API Gateway, version 2: HTTP APIs in front of functions.

Operations stand in `apis` and `members`; `serving` answers the APIs' own callers.
"""

from lambdad.neighbours.apigatewayv2 import apis as apis
from lambdad.neighbours.apigatewayv2 import members as members
from lambdad.neighbours.apigatewayv2.parts import Apis as Apis
from lambdad.neighbours.apigatewayv2.service import HTTP_APIS as HTTP_APIS
from lambdad.neighbours.hosting import Neighbour

NEIGHBOUR = Neighbour(service=HTTP_APIS, open=Apis.open)
