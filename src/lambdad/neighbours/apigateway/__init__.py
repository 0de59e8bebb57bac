"""Amazon API Gateway, version 1: REST APIs, their parts and deployments.

Operations stand in the modules that are imported here; `triggers.rest_api` answers the APIs' own
callers.
"""

from lambdad.neighbours.apigateway import account as account
from lambdad.neighbours.apigateway import api_keys as api_keys
from lambdad.neighbours.apigateway import apis as apis
from lambdad.neighbours.apigateway import authorizers as authorizers
from lambdad.neighbours.apigateway import deployments as deployments
from lambdad.neighbours.apigateway import documentation as documentation
from lambdad.neighbours.apigateway import domain_names as domain_names
from lambdad.neighbours.apigateway import gateway_responses as gateway_responses
from lambdad.neighbours.apigateway import imports as imports
from lambdad.neighbours.apigateway import integrations as integrations
from lambdad.neighbours.apigateway import methods as methods
from lambdad.neighbours.apigateway import models as models
from lambdad.neighbours.apigateway import refusals as refusals
from lambdad.neighbours.apigateway import resources as resources
from lambdad.neighbours.apigateway import stages as stages
from lambdad.neighbours.apigateway import tags as tags
from lambdad.neighbours.apigateway import trials as trials
from lambdad.neighbours.apigateway import usage_plans as usage_plans
from lambdad.neighbours.apigateway.parts import Apis as Apis
from lambdad.neighbours.apigateway.service import REST_APIS as REST_APIS
from lambdad.neighbours.hosting import Neighbour

NEIGHBOUR = Neighbour(service=REST_APIS, open=Apis.open, eager=True)
