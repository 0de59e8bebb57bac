"""The Security Token Service's API."""

from lambdad.api.sts import identity as identity
from lambdad.api.sts.service import STS as STS
