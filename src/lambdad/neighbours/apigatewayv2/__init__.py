"""Amazon API Gateway, version 2: HTTP and WebSocket APIs in front of functions.

`triggers.http_api` and `triggers.websocket` answer the APIs' own callers. It is opened with the
daemon once it was used: only then are the domain names known under which it is called.
"""

from lambdad.neighbours.apigatewayv2 import apis as apis
from lambdad.neighbours.apigatewayv2 import domain_names as domain_names
from lambdad.neighbours.apigatewayv2 import importing as importing
from lambdad.neighbours.apigatewayv2 import members as members
from lambdad.neighbours.apigatewayv2 import responses as responses
from lambdad.neighbours.apigatewayv2 import settings as settings
from lambdad.neighbours.apigatewayv2.parts import Apis as Apis
from lambdad.neighbours.apigatewayv2.service import HTTP_APIS as HTTP_APIS
from lambdad.neighbours.hosting import Neighbour

NEIGHBOUR = Neighbour(service=HTTP_APIS, open=Apis.open, eager=True)
