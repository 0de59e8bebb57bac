"""How pollers get into a Kafka cluster, and what is said when they do not."""

from __future__ import annotations

import pytest
from tests.integration.event_source_mappings.kafka_clusters import (
    Cluster,
    values,
)

from lambdad.testing.broker_polling import Polling, Secrets
from lambdad.testing.brokers import PASSWORD, USER

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["BASIC_AUTH", "SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH"])
async def test_logins_with_and_without_tls(cluster: Cluster, kind: str) -> None:
    topic = await cluster.topic()
    await cluster.write(topic, [b"x"])
    polling = Polling()
    polling.secrets.secrets = {
        "login": {"username": USER, "password": PASSWORD},
        "ca": {"certificate": cluster.broker.authority},
    }
    login = {"Type": kind, "URI": Secrets.arn("login")}
    authority = {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": Secrets.arn("ca")}
    guarded = cluster.mapping(
        topic, server=cluster.broker.guarded, SourceAccessConfigurations=[login]
    )
    async with polling.running(cluster.poller(polling, guarded)):
        await polling.until(lambda: values(polling) == ["x"])
    await cluster.write(topic, [b"y"])
    encrypted = cluster.mapping(
        topic, server=cluster.broker.encrypted, SourceAccessConfigurations=[login, authority]
    )
    async with polling.running(cluster.poller(polling, encrypted)):
        await polling.until(lambda: values(polling)[-1] == "y")


async def test_a_certificate_of_the_client_s_own_lets_in_and_another_does_not(
    cluster: Cluster,
) -> None:
    topic, broker = await cluster.topic(), cluster.broker
    await cluster.write(topic, [b"x"])
    polling = Polling()
    own = {"certificate": broker.authority, "privateKey": broker.key}
    polling.secrets.secrets = {
        "ca": {"certificate": broker.authority},
        "own": {**own, "privateKeyPassword": PASSWORD},
        "locked": {**own, "privateKeyPassword": "rabbit"},
    }
    authority = {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": Secrets.arn("ca")}
    for name, expected in (
        ("locked", "PROBLEM: Provided certificate or private key is invalid"),
        ("own", "OK"),
    ):
        certificate = {"Type": "CLIENT_CERTIFICATE_TLS_AUTH", "URI": Secrets.arn(name)}
        mapping = cluster.mapping(
            topic, server=broker.mutual, SourceAccessConfigurations=[authority, certificate]
        )
        async with polling.running(cluster.poller(polling, mapping)):
            await polling.until(lambda: expected in polling.results.texts)  # noqa: B023
    assert values(polling) == ["x"]


async def test_what_is_wrong_with_the_cluster_is_said_in_the_words_of_aws(
    cluster: Cluster,
) -> None:
    topic = await cluster.topic()
    polling = Polling()
    polling.secrets.secrets = {
        "wrong": {"username": USER, "password": "rabbit"},
        "right": {"username": USER, "password": PASSWORD},
        "none": {"certificate": "no certificate"},
    }
    wrong = {"Type": "SASL_SCRAM_512_AUTH", "URI": Secrets.arn("wrong")}
    right = {"Type": "SASL_SCRAM_512_AUTH", "URI": Secrets.arn("right")}
    absent = {"Type": "SASL_SCRAM_512_AUTH", "URI": Secrets.arn("absent")}
    none = {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": Secrets.arn("none")}
    broker = cluster.broker
    trusting = {broker.encrypted: f"SASL_SSL://{broker.encrypted}"}
    for server, access, table, expected in (
        (broker.guarded, [wrong], {}, "SASL authentication failed"),
        (broker.encrypted, [right], trusting, "Lambda failed to authenticate server"),
        (broker.plain, [none], {}, "Provided certificate or private key is invalid"),
        (broker.plain, [absent], {}, "Cannot access secret manager value arn:"),
        ("127.0.0.1:1", [], {}, "Connection error. Please check your event source connection"),
    ):
        mapping = cluster.mapping(topic, server=server, SourceAccessConfigurations=access)
        polling.results.texts.clear()
        async with polling.running(cluster.poller(polling, mapping, table)):
            await polling.until(lambda: polling.results.texts)
        assert str(polling.results.texts[0]).startswith(f"PROBLEM: {expected}")
    polling.results.texts.clear()
    async with polling.running(cluster.poller(polling, cluster.mapping("nowhere"))):
        await polling.until(lambda: polling.results.texts)
    assert str(polling.results.texts[0]).startswith("PROBLEM: Topic nowhere is not in the cluster")
