"""CloudWatch Logs, one module per resource. Importing this package registers every operation."""

from lambdad.api.logs import events as events
from lambdad.api.logs import filtering as filtering
from lambdad.api.logs import groups as groups
from lambdad.api.logs import metric_filters as metric_filters
from lambdad.api.logs import streams as streams
from lambdad.api.logs import subscription_filters as subscription_filters
from lambdad.api.logs import tags as tags
from lambdad.api.logs.service import LOGS as LOGS
