"""Brokers of events."""

from __future__ import annotations

import pytest
from tests.integration.event_source_mappings.kafka_clusters import Cluster

from lambdad.testing.brokers import KafkaBroker


@pytest.fixture
def cluster(kafka_broker: KafkaBroker) -> Cluster:
    return Cluster(kafka_broker)
