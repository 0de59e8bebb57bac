"""The Security Token Service: where its operations register."""

from __future__ import annotations

from lambdad.api.context import Services
from lambdad.api.dispatch import Service

STS = Service[Services]("sts")
