"""Functions with layers over the API: which they may have, and what is read back."""

from __future__ import annotations

import io
import zipfile

import pytest

from lambdad.testing.clients import Client
from lambdad.testing.controlplane import a_zip
from lambdad.testing.requests import a_request, error_of

ARN = "arn:aws:lambda:us-east-1:000000000000:layer:"


def refused(message: str) -> tuple[int, str, str]:
    return 400, "InvalidParameterValueException", message


def large(size: int) -> bytes:
    """A small zip of one large file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(size))
    return buffer.getvalue()


async def publish(aws: Client, name: str, package: bytes | None = None) -> tuple[str, int]:
    """A version's ARN and size."""
    content = {"ZipFile": package or a_zip({name: name})}
    answer = await aws.publish_layer_version(LayerName=name, Content=content)
    return answer["LayerVersionArn"], answer["Content"]["CodeSize"]


def listed(*layers: tuple[str, int]) -> list[dict[str, object]]:
    return [{"Arn": arn, "CodeSize": size} for arn, size in layers]


async def test_layers_are_read_back_in_order_with_their_sizes(aws: Client) -> None:
    layers = [await publish(aws, name) for name in ("b", "a", "c")]
    arns = [arn for arn, _ in layers]
    created = await aws.create_function(**a_request(Layers=arns))
    assert created["Layers"] == listed(*layers)
    found = (await aws.get_function(FunctionName="hello"))["Configuration"]
    assert found["Layers"] == listed(*layers)
    assert (await aws.list_functions())["Functions"][0]["Layers"] == listed(*layers)


async def test_a_function_without_layers_has_no_such_member(aws: Client) -> None:
    assert "Layers" not in await aws.create_function(**a_request())
    assert "Layers" not in await aws.create_function(**a_request(FunctionName="g", Layers=[]))


async def test_a_version_has_one_number_however_it_is_written(aws: Client) -> None:
    layer = await publish(aws, "one")
    created = await aws.create_function(**a_request(Layers=[layer[0].replace(":1", ":01")]))
    assert created["Layers"] == listed(layer)


async def test_an_update_replaces_all_layers_or_leaves_them(aws: Client) -> None:
    one, two = await publish(aws, "one"), await publish(aws, "two")
    await aws.create_function(**a_request(Layers=[one[0]]))

    async def update(**change: object) -> object:
        answer = await aws.update_function_configuration(FunctionName="hello", **change)
        await aws.get_function(FunctionName="hello")  # settles
        return answer.get("Layers")

    assert await update(Layers=[two[0], one[0]]) == listed(two, one)
    assert await update(Description="other") == listed(two, one)
    answer = await aws.update_function_code(FunctionName="hello", ZipFile=a_zip({"a": "b"}))
    assert answer["Layers"] == listed(two, one)
    await aws.get_function(FunctionName="hello")
    assert await update(Layers=[]) is None


async def test_a_published_version_keeps_deleted_layers(endpoint, aws: Client) -> None:
    layer = await publish(aws, "one")
    await aws.create_function(**a_request(Layers=[layer[0]]))
    await aws.get_function(FunctionName="hello")
    await aws.publish_version(FunctionName="hello")
    await aws.delete_layer_version(LayerName="one", VersionNumber=1)
    stored = set(endpoint.packages.packages)
    assert await endpoint.functions.collect_packages() == 0
    for version in ("$LATEST", "1"):
        found = await aws.get_function_configuration(FunctionName="hello", Qualifier=version)
        assert found["Layers"] == listed(layer)
    await aws.update_function_configuration(FunctionName="hello", Layers=[])
    await aws.get_function(FunctionName="hello")
    assert await endpoint.functions.collect_packages() == 0
    assert set(endpoint.packages.packages) == stored
    await aws.delete_function(FunctionName="hello", Qualifier="1")
    assert await endpoint.functions.collect_packages() == 1


async def test_layers_that_no_function_uses_are_kept_until_they_are_deleted(
    endpoint, aws: Client
) -> None:
    await publish(aws, "one")
    assert await endpoint.functions.collect_packages() == 0
    await aws.delete_layer_version(LayerName="one", VersionNumber=1)
    assert await endpoint.functions.collect_packages() == 1


async def test_a_deleted_version_cannot_be_used_anew(aws: Client) -> None:
    arn, _ = await publish(aws, "one")
    await aws.create_function(**a_request(Layers=[arn]))
    await aws.get_function(FunctionName="hello")
    await aws.delete_layer_version(LayerName="one", VersionNumber=1)
    gone = refused(f"Layer version {arn} does not exist.")
    update = aws.update_function_configuration(FunctionName="hello", Layers=[arn])
    assert await error_of(update) == gone
    create = aws.create_function(**a_request(FunctionName="g", Layers=[arn]))
    assert await error_of(create) == gone


@pytest.mark.parametrize("name", [f"{ARN}none:1", "arn:aws:lambda:::awslayer:AmazonLinux1803"])
async def test_layers_that_are_not_there_are_refused(aws: Client, name: str) -> None:
    error = await error_of(aws.create_function(**a_request(Layers=[name])))
    assert error == refused(f"Layer version {name} does not exist.")


async def test_more_than_five_layers_are_refused(aws: Client) -> None:
    arns = [(await publish(aws, f"l{number}"))[0] for number in range(6)]
    error = await error_of(aws.create_function(**a_request(Layers=arns)))
    assert error == refused("Cannot reference more than 5 layers.")
    assert len((await aws.create_function(**a_request(Layers=arns[:5])))["Layers"]) == 5


@pytest.mark.parametrize("second", [1, 2])
async def test_a_layer_is_used_once(aws: Client, second: int) -> None:
    await publish(aws, "l")
    await publish(aws, "l")
    arns = [f"{ARN}l:1", f"{ARN}l:{second}"]
    error = await error_of(aws.create_function(**a_request(Layers=arns)))
    assert error == refused(
        "Two different versions of the same layer are not allowed to be referenced in the same "
        f"function. {arns[0]} and {arns[1]} are versions of the same layer."
    )


async def test_layers_of_other_regions_are_refused(endpoint, aws: Client) -> None:
    arn, _ = await publish(endpoint.client(region="eu-west-1"), "l")
    error = await error_of(aws.create_function(**a_request(Layers=[arn])))
    assert error == refused(
        "Layers are not in the same region as the function. Layers are expected to be in region "
        "us-east-1."
    )
    theirs = arn.replace("000000000000", "222222222222")
    status, code, message = await error_of(aws.create_function(**a_request(Layers=[theirs])))
    assert (status, code) == (403, "AccessDeniedException")
    assert f"lambda:GetLayerVersion on resource: {theirs} because" in message


async def test_an_arn_without_a_version_breaks_the_model(aws: Client) -> None:
    status, code, message = await error_of(aws.create_function(**a_request(Layers=[f"{ARN}l"])))
    assert (status, code) == (400, "ValidationException")
    assert message.startswith(f"1 validation error detected: Value '[{ARN}l]' at 'layers' failed")


@pytest.mark.slow
async def test_code_and_layers_together_may_have_250_mb(aws: Client) -> None:
    most, own = 262_144_000, len("def handler(event, context): ...")
    half = large(most // 2)
    one, _ = await publish(aws, "one", half)
    two, _ = await publish(aws, "two", large(most // 2 - own))
    assert (await aws.create_function(**a_request(Layers=[one, two])))["Layers"]
    await aws.get_function(FunctionName="hello")
    too_large = (
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. "
        "The actual size is {} bytes."
    )
    code = aws.update_function_code(FunctionName="hello", ZipFile=a_zip({"x": "x" * (own + 1)}))
    assert await error_of(code) == refused(too_large.format(most + 1))
    three, _ = await publish(aws, "three", half)
    update = aws.update_function_configuration(FunctionName="hello", Layers=[one, three])
    assert await error_of(update) == refused(too_large.format(most + own))
    create = aws.create_function(**a_request(FunctionName="g", Layers=[one, three]))
    assert await error_of(create) == refused(too_large.format(most + own))
    names = [one["FunctionName"] for one in (await aws.list_functions())["Functions"]]
    assert names == ["hello"]
