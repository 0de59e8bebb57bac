"""Lambda's API, one module per resource. Importing this package registers every operation."""

from lambdad.api.lambda_ import account_settings as account_settings
from lambdad.api.lambda_ import aliases as aliases
from lambdad.api.lambda_ import code_signing as code_signing
from lambdad.api.lambda_ import concurrency as concurrency
from lambdad.api.lambda_ import event_invoke_configs as event_invoke_configs
from lambdad.api.lambda_ import event_source_mappings as event_source_mappings
from lambdad.api.lambda_ import function_urls as function_urls
from lambdad.api.lambda_ import functions as functions
from lambdad.api.lambda_ import invocations as invocations
from lambdad.api.lambda_ import layers as layers
from lambdad.api.lambda_ import permissions as permissions
from lambdad.api.lambda_ import provisioned_concurrency as provisioned_concurrency
from lambdad.api.lambda_ import recursion as recursion
from lambdad.api.lambda_ import runtime_management as runtime_management
from lambdad.api.lambda_ import tags as tags
from lambdad.api.lambda_ import versions as versions
from lambdad.api.lambda_.service import LAMBDA as LAMBDA
