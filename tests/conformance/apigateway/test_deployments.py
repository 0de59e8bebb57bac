"""Deployments, stages, keys, usage plans, domain names, tags and accounts of API Gateway."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess

pytestmark = [pytest.mark.root, pytest.mark.slow]

Clients = Callable[..., Any]
Refused = Callable[..., str]


def test_a_deployment_needs_methods_that_something_answers(
    gateway: Any, api: dict[str, Any], refused: Refused
) -> None:
    own = {"restApiId": api["id"]}
    assert refused(gateway.create_deployment, **own) == (
        "BadRequestException: The REST API doesn't contain any methods"
    )
    where = {**own, "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="NONE")
    assert refused(gateway.create_deployment, **own) == (
        "BadRequestException: No integration defined for method"
    )


def test_a_deployment_is_kept_while_a_stage_has_it(
    gateway: Any, mocked: dict[str, Any], refused: Refused
) -> None:
    own = {"restApiId": mocked["id"]}
    first = gateway.create_deployment(**own, stageName="dev", variables={"a": "1"})["id"]
    second = gateway.create_deployment(**own, stageName="dev", description="two")["id"]
    stage = gateway.get_stage(**own, stageName="dev")
    assert (stage["deploymentId"], stage["variables"]) == (second, {"a": "1"})
    assert stage["cacheClusterStatus"] == "NOT_AVAILABLE"
    assert refused(gateway.delete_deployment, **own, deploymentId=second) == (
        "BadRequestException: Active stages pointing to this deployment must be moved or deleted"
    )
    summary = gateway.get_deployment(**own, deploymentId=second, embed=["apisummary"])
    assert summary["description"] == "two"
    assert summary["apiSummary"] == {
        "/": {"GET": {"authorizationType": "NONE", "apiKeyRequired": False}}
    }
    gateway.delete_deployment(**own, deploymentId=first)
    assert [each["id"] for each in gateway.get_deployments(**own)["items"]] == [second]


def test_settings_of_a_stage_are_patched_by_path_and_method(
    gateway: Any, mocked: dict[str, Any], refused: Refused
) -> None:
    own = {"restApiId": mocked["id"]}
    deployment = gateway.create_deployment(**own)["id"]
    gateway.create_stage(**own, stageName="dev", deploymentId=deployment)
    named = {**own, "stageName": "dev"}
    operations = [
        {"op": "replace", "path": "/*/*/logging/loglevel", "value": "INFO"},
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "1.5"},
        {"op": "replace", "path": "/~1pets~1{id}/GET/metrics/enabled", "value": "true"},
        {"op": "replace", "path": "/variables/colour", "value": "red"},
        {"op": "replace", "path": "/cacheClusterEnabled", "value": "true"},
        {"op": "replace", "path": "/accessLogSettings/format", "value": "$context.requestId"},
    ]
    stage = gateway.update_stage(**named, patchOperations=operations)
    everywhere = stage["methodSettings"]["*/*"]
    assert (everywhere["loggingLevel"], everywhere["throttlingRateLimit"]) == ("INFO", 1.5)
    assert everywhere["throttlingBurstLimit"] == 5000
    assert stage["methodSettings"]["~1pets~1{id}/GET"]["metricsEnabled"] is True
    assert stage["variables"] == {"colour": "red"}
    assert (stage["cacheClusterSize"], stage["cacheClusterStatus"]) == ("0.5", "AVAILABLE")
    operations = [
        {"op": "remove", "path": "/*/*"},
        {"op": "remove", "path": "/variables/colour"},
        {"op": "remove", "path": "/accessLogSettings"},
    ]
    stage = gateway.update_stage(**named, patchOperations=operations)
    assert list(stage["methodSettings"]) == ["~1pets~1{id}/GET"]
    assert "accessLogSettings" not in stage
    operations = [{"op": "replace", "path": "/tags/a", "value": "b"}]
    assert refused(gateway.update_stage, **named, patchOperations=operations).startswith(
        "BadRequestException: Invalid method setting path: /tags/a. Must be one of: [/"
    )
    assert refused(gateway.create_stage, **named, deploymentId=deployment) == (
        "ConflictException: Stage already exists"
    )
    gateway.delete_stage(**named)
    assert refused(gateway.get_stage, **named) == (
        "NotFoundException: Invalid stage identifier specified"
    )


def test_keys_have_values_that_are_shown_on_request(gateway: Any, refused: Refused) -> None:
    made = gateway.create_api_key(name="rest-key", enabled=True, tags={"a": "b"})
    assert len(made["value"]) == 40
    assert made["stageKeys"] == []
    assert "value" not in gateway.get_api_key(apiKey=made["id"])
    found = gateway.get_api_key(apiKey=made["id"], includeValue=True)
    assert (found["value"], found["tags"]) == (made["value"], {"a": "b"})
    create = gateway.create_api_key
    assert refused(create, name="x", value=made["value"]) == (
        "ConflictException: API Key already exists"
    )
    assert refused(create, name="x", value="short") == (
        "BadRequestException: API Key value should be at least 20 characters"
    )
    operations = [{"op": "replace", "path": "/enabled", "value": "false"}]
    changed = gateway.update_api_key(apiKey=made["id"], patchOperations=operations)
    assert changed["enabled"] is False
    gateway.delete_api_key(apiKey=made["id"])
    assert refused(gateway.get_api_key, apiKey=made["id"]) == (
        "NotFoundException: Invalid API Key identifier specified"
    )


def test_keys_are_imported_from_a_table(gateway: Any) -> None:
    plan = gateway.create_usage_plan(name="rest-import")["id"]
    table = f"Name,key,description,Enabled,usageplanIds\nfirst,{'k' * 20},d,TRUE,{plan}\n"
    ids = gateway.import_api_keys(body=table.encode(), format="csv")["ids"]
    found = gateway.get_api_key(apiKey=ids[0], includeValue=True)
    assert (found["name"], found["value"], found["enabled"]) == ("first", "k" * 20, True)
    listed = gateway.get_usage_plan_keys(usagePlanId=plan)["items"]
    assert listed == [{"id": ids[0], "type": "API_KEY", "value": "k" * 20, "name": "first"}]
    gateway.delete_api_key(apiKey=ids[0])
    assert gateway.get_usage_plan_keys(usagePlanId=plan)["items"] == []
    gateway.delete_usage_plan(usagePlanId=plan)


def test_usage_plans_hold_stages_limits_and_keys(
    gateway: Any, mocked: dict[str, Any], refused: Refused
) -> None:
    gateway.create_deployment(restApiId=mocked["id"], stageName="dev")
    stage = {"apiId": mocked["id"], "stage": "dev"}
    plan = gateway.create_usage_plan(
        name="rest-plan", apiStages=[stage], quota={"limit": 10, "period": "DAY"}
    )
    assert plan["quota"] == {"limit": 10, "offset": 0, "period": "DAY"}
    named = {"usagePlanId": plan["id"]}
    place = f"/apiStages/{mocked['id']}:dev/throttle/~1pets/GET"
    operations = [
        {"op": "replace", "path": "/throttle/burstLimit", "value": "5"},
        {"op": "replace", "path": f"{place}/rateLimit", "value": "2"},
        {"op": "remove", "path": "/quota"},
    ]
    changed = gateway.update_usage_plan(**named, patchOperations=operations)
    assert changed["throttle"] == {"burstLimit": 5, "rateLimit": 0.0}
    assert changed["apiStages"][0]["throttle"] == {"/pets/GET": {"burstLimit": 0, "rateLimit": 2.0}}
    assert "quota" not in changed
    key = gateway.create_api_key(name="rest-plan-key")["id"]
    gateway.create_usage_plan_key(**named, keyId=key, keyType="API_KEY")
    assert refused(gateway.create_usage_plan_key, **named, keyId=key, keyType="API_KEY") == (
        f"ConflictException: {key} is already associated with Usage plan rest-plan"
    )
    assert [each["id"] for each in gateway.get_usage_plans(keyId=key)["items"]] == [plan["id"]]
    gateway.delete_usage_plan_key(**named, keyId=key)
    operations = [{"op": "remove", "path": "/apiStages", "value": f"{mocked['id']}:dev"}]
    assert gateway.update_usage_plan(**named, patchOperations=operations)["apiStages"] == []
    gateway.delete_usage_plan(**named)
    gateway.delete_api_key(apiKey=key)
    assert refused(gateway.get_usage_plan, **named) == (
        "NotFoundException: Invalid Usage Plan ID specified"
    )


def test_domain_names_lead_to_apis_by_path(
    gateway: Any, mocked: dict[str, Any], refused: Refused
) -> None:
    gateway.create_deployment(restApiId=mocked["id"], stageName="dev")
    name = "rest.example.test"
    made = gateway.create_domain_name(
        domainName=name,
        regionalCertificateArn="arn:aws:acm:us-east-1:000000000000:certificate/1",
        endpointConfiguration={"types": ["REGIONAL"]},
    )
    assert made["regionalDomainName"].endswith(".execute-api.us-east-1.amazonaws.com")
    assert refused(gateway.create_domain_name, domainName=name) == (
        "ConflictException: The domain name you provided already exists."
    )
    own = {"domainName": name}
    target = {"restApiId": mocked["id"], "stage": "dev"}
    gateway.create_base_path_mapping(**own, basePath="v1", **target)
    assert gateway.create_base_path_mapping(**own, **target)["basePath"] == "(none)"
    operations = [{"op": "replace", "path": "/basePath", "value": "v2"}]
    gateway.update_base_path_mapping(**own, basePath="v1", patchOperations=operations)
    paths = [each["basePath"] for each in gateway.get_base_path_mappings(**own)["items"]]
    assert paths == ["(none)", "v2"]
    assert refused(gateway.get_base_path_mapping, **own, basePath="v1") == (
        "NotFoundException: Invalid base path mapping identifier specified"
    )
    gateway.delete_base_path_mapping(**own, basePath="(none)")
    gateway.delete_domain_name(**own)
    assert refused(gateway.get_domain_name, **own) == (
        "NotFoundException: Invalid domain name identifier specified"
    )


def test_whatever_has_an_arn_has_tags(gateway: Any, mocked: dict[str, Any]) -> None:
    gateway.create_deployment(restApiId=mocked["id"], stageName="dev")
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{mocked['id']}"
    for place in (arn, f"{arn}/stages/dev"):
        gateway.tag_resource(resourceArn=place, tags={"a": "1", "b": "2"})
        gateway.untag_resource(resourceArn=place, tagKeys=["a"])
        assert gateway.get_tags(resourceArn=place)["tags"] == {"b": "2"}
    assert gateway.get_stage(restApiId=mocked["id"], stageName="dev")["tags"] == {"b": "2"}


def test_an_account_has_a_role_for_logs(
    daemon: DaemonProcess, clients: Clients, lonely: Any
) -> None:
    mine = clients(daemon, lonely.sts.get_caller_identity()["Account"])
    assert mine.get_account()["throttleSettings"] == {"burstLimit": 5000, "rateLimit": 10000.0}
    role = "arn:aws:iam::000000000000:role/logs"
    operations = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
    mine.update_account(patchOperations=operations)
    assert mine.get_account()["cloudwatchRoleArn"] == role


def test_documentation_is_kept(gateway: Any, api: dict[str, Any], refused: Refused) -> None:
    own = {"restApiId": api["id"]}
    location = {"type": "API"}
    made = gateway.create_documentation_part(**own, location=location, properties='{"a": "b"}')
    assert refused(
        gateway.create_documentation_part, **own, location=location, properties="{}"
    ).startswith("ConflictException: ")
    gateway.create_documentation_version(**own, documentationVersion="1")
    assert gateway.get_documentation_parts(**own)["items"][0]["id"] == made["id"]
    assert gateway.get_documentation_versions(**own)["items"][0]["version"] == "1"
    gateway.delete_documentation_part(**own, documentationPartId=made["id"])
    gateway.delete_documentation_version(**own, documentationVersion="1")
    assert gateway.get_documentation_parts(**own)["items"] == []


def test_what_is_not_served_is_refused_with_the_way_around(
    gateway: Any, api: dict[str, Any], refused: Refused
) -> None:
    assert refused(gateway.create_vpc_link, name="v", targetArns=["arn:aws:x"]) == (
        "BadRequestException: VPC links are not served by lambdad. "
        "Let integrations reach their addresses directly."
    )
    get_sdk = refused(gateway.get_sdk, restApiId=api["id"], stageName="dev", sdkType="java")
    assert "GetExport" in get_sdk
    assert gateway.get_vpc_links()["items"] == []


def test_a_rest_api_survives_the_end_of_its_daemon(tmp_path: Path, clients: Clients) -> None:
    with DaemonProcess(tmp_path / "data") as daemon:
        gateway = clients(daemon)
        made = gateway.create_rest_api(name="rest-durable", description="d")
        where = {
            "restApiId": made["id"],
            "resourceId": made["rootResourceId"],
            "httpMethod": "GET",
        }
        gateway.put_method(**where, authorizationType="NONE")
        gateway.put_integration(**where, type="MOCK")
        gateway.create_deployment(restApiId=made["id"], stageName="dev")
        key = gateway.create_api_key(name="rest-durable")
        plan = gateway.create_usage_plan(name="rest-durable")["id"]
        gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
        gateway.create_domain_name(domainName="durable.example.test")
        gateway.create_base_path_mapping(
            domainName="durable.example.test", basePath="a", restApiId=made["id"], stage="dev"
        )
        before = _everything(gateway, made["id"])
        daemon.kill()
    with DaemonProcess(tmp_path / "data") as daemon:
        assert _everything(clients(daemon), made["id"]) == before


def _everything(gateway: Any, api_id: str) -> list[Any]:
    own = {"restApiId": api_id}
    answers = [
        gateway.get_rest_api(**own),
        gateway.get_resources(**own, embed=["methods"]),
        gateway.get_models(**own),
        gateway.get_deployments(**own),
        gateway.get_stages(**own),
        gateway.get_api_keys(includeValues=True),
        gateway.get_usage_plan_keys(usagePlanId=gateway.get_usage_plans()["items"][0]["id"]),
        gateway.get_domain_names(),
        gateway.get_base_path_mappings(domainName="durable.example.test"),
    ]
    for answer in answers:
        del answer["ResponseMetadata"]
    return answers


def test_a_method_is_tried_without_a_deployment(gateway: Any, api: dict[str, Any]) -> None:
    own = {"restApiId": api["id"]}
    resource = gateway.create_resource(**own, parentId=api["rootResourceId"], pathPart="{id}")["id"]
    where = {**own, "resourceId": resource, "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="AWS_IAM", apiKeyRequired=True)
    template = {"application/json": '{"statusCode": 200}'}
    gateway.put_integration(**where, type="MOCK", requestTemplates=template)
    gateway.put_method_response(**where, statusCode="200")
    said = '{"id": "$input.params(\'id\')", "v": "$stageVariables.v", "q": "$input.params(\'q\')"}'
    gateway.put_integration_response(
        **where, statusCode="200", responseTemplates={"application/json": said}
    )
    answer = gateway.test_invoke_method(
        **where, pathWithQueryString="/7?q=x", stageVariables={"v": "1"}
    )
    assert answer["status"] == 200
    assert json.loads(answer["body"]) == {"id": "7", "v": "1", "q": "x"}
    headers = {name.lower(): values for name, values in answer["multiValueHeaders"].items()}
    assert headers["content-type"] == ["application/json"]
    assert "Method completed with status: 200" in answer["log"]


def test_usage_counts_what_a_key_called(
    daemon: DaemonProcess, gateway: Any, mocked: dict[str, Any], refused: Refused
) -> None:
    where = {
        "restApiId": mocked["id"],
        "resourceId": mocked["rootResourceId"],
        "httpMethod": "GET",
    }
    required = [{"op": "replace", "path": "/apiKeyRequired", "value": "true"}]
    gateway.update_method(**where, patchOperations=required)
    gateway.create_deployment(restApiId=mocked["id"], stageName="dev")
    plan = gateway.create_usage_plan(
        name="rest-usage",
        apiStages=[{"apiId": mocked["id"], "stage": "dev"}],
        quota={"limit": 9, "period": "MONTH"},
    )["id"]
    key = gateway.create_api_key(name="rest-usage", enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    request = urllib.request.Request(  # noqa: S310 - our own daemon
        f"{daemon.endpoint_url}/_aws/execute-api/{mocked['id']}/dev",
        headers={"x-api-key": key["value"]},
    )
    for _ in range(2):
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
    today = datetime.now(UTC).date()
    dates = {
        "startDate": (today - timedelta(days=1)).isoformat(),
        "endDate": (today + timedelta(days=1)).isoformat(),
    }
    usage = gateway.get_usage(usagePlanId=plan, **dates)
    days = usage["items"][key["id"]]
    assert (sum(day[0] for day in days), days[-1][1]) == (2, 7)
    dates["endDate"] = "yesterday"
    assert "YYYY-MM-DD" in refused(gateway.get_usage, usagePlanId=plan, **dates)
    gateway.delete_api_key(apiKey=key["id"])
    gateway.delete_usage_plan(usagePlanId=plan)
