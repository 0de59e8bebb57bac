"""Where a consumer group begins in partitions of which it has read nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from lambdad.event_source_mappings.streams import AT_TIMESTAMP, LATEST


async def first_offsets(
    consumer: AIOKafkaConsumer, topics: Sequence[str], settings: Mapping[str, Any]
) -> Mapping[TopicPartition, int]:
    """Return the first offsets of the consumer's partitions for which its group has none.

    Partitions that were added after the group had begun are read whole: all that is in them was
    written since.
    """
    committed = {
        place: await consumer.committed(place)
        for topic in topics
        for partition in sorted(consumer.partitions_for_topic(topic) or ())
        for place in [TopicPartition(topic, partition)]
    }
    mine = consumer.assignment()
    new = [place for place, offset in committed.items() if offset is None and place in mine]
    position = settings["StartingPosition"]
    if not new:
        return {}
    if position == AT_TIMESTAMP:
        return await _at(consumer, new, settings["StartingPositionTimestamp"])
    first = all(offset is None for offset in committed.values())
    if position == LATEST and first:
        return dict(await consumer.end_offsets(new))
    return dict(await consumer.beginning_offsets(new))


async def _at(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], timestamp_s: float
) -> Mapping[TopicPartition, int]:
    """Return the first records of that time or later; the end where there are none."""
    timestamp_ms = int(timestamp_s * 1_000)
    found = await consumer.offsets_for_times(dict.fromkeys(places, timestamp_ms))
    ends = await consumer.end_offsets(places)
    return {
        place: ends[place] if (at := found.get(place)) is None else at.offset for place in places
    }
