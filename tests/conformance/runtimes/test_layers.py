"""Functions with layers in real sandboxes: what they see, in which order, and for how long."""

from __future__ import annotations

import http.client
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from lambdad.testing.deploy import RUNTIME, Deployer, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

Publish = Callable[..., str]

MINOR = RUNTIME.removeprefix("python")
# Answers every event with its own path.
BOOTSTRAP = r"""#!/bin/bash
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API#*:}
call() { # method, path, body
    exec 3<>"/dev/tcp/$host/$port"
    printf '%s /2018-06-01/runtime/invocation/%s HTTP/1.1\r\nHost: x\r\n' "$1" "$2" >&3
    printf 'Connection: close\r\nContent-Length: %d\r\n\r\n%s' "${#3}" "$3" >&3
    while IFS= read -r line <&3; do
        line=${line%$'\r'}
        [ -z "$line" ] && break
        case ${line,,} in lambda-runtime-aws-request-id:*) request=${line#*: } ;; esac
    done
    exec 3>&-
}
while :; do
    call GET next ''
    call POST "$request/response" "\"$0\""
done
"""


def drop(user: Deployer, arn: str) -> None:
    layer, _, version = arn.rpartition(":")
    user.lambda_.delete_layer_version(LayerName=layer, VersionNumber=int(version))


def update(user: Deployer, name: str, **members: Any) -> None:
    user.lambda_.update_function_configuration(FunctionName=name, **members)
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)


def test_the_content_of_a_version_downloads(user: Deployer, a_name: Callable[[], str]) -> None:
    package, name = zip_of({"python/m.py": "x = 1"}), a_name()
    user.lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": package})
    found = user.lambda_.get_layer_version(LayerName=name, VersionNumber=1)
    location = urlsplit(found["Content"]["Location"])
    connection = http.client.HTTPConnection(location.netloc, timeout=10)
    connection.request("GET", f"{location.path}?{location.query}")
    assert connection.getresponse().read() == package
    connection.close()


def test_python_imports_from_both_places_of_layers(
    user: Deployer, shelf: Publish, deployed: Callable[..., str]
) -> None:
    general = shelf({"python/general.py": "NAME = 'general'", "python/both.py": "x = 'general'"})
    versioned = f"python/lib/python{MINOR}/site-packages"
    special = shelf({f"{versioned}/special.py": "NAME = 's'", f"{versioned}/both.py": "x = 's'"})
    source = (
        "import general, special, both, sys\n"
        "def handler(event, context):\n"
        "    opt = [place for place in sys.path if place.startswith('/opt')]\n"
        "    return [general.NAME, special.NAME, both.x, general.__file__, opt]\n"
    )
    answer = user.invoke(deployed(source, general, special))
    # AWS: what is for this version of Python alone comes first.
    assert answer.payload == [
        "general",
        "s",
        "s",
        "/opt/python/general.py",
        [f"/opt/python/lib/python{MINOR}/site-packages", "/opt/python"],
    ]


def test_the_code_of_the_function_comes_before_its_layers(
    user: Deployer, shelf: Publish, deployed: Callable[..., str]
) -> None:
    layer = shelf({"python/m.py": "x = 'layer'"})
    source = "import m\ndef handler(event, context):\n    return m.x\n"
    name = deployed({"app.py": source, "m.py": "x = 'code'"}, layer)
    assert user.invoke(name).payload == "code"


def test_nodejs_requires_from_both_places_of_layers(
    user: Deployer, shelf: Publish, deployed: Callable[..., str], nodejs: str
) -> None:
    major = nodejs.removeprefix("nodejs").removesuffix(".x")
    layers = [
        shelf({"nodejs/node_modules/general/index.js": "module.exports = 'general'"}),
        shelf({f"nodejs/node{major}/node_modules/special/index.js": "module.exports = 'special'"}),
    ]
    source = "exports.handler = async () => [require('general'), require('special')];"
    name = deployed({"app.js": source}, *layers, Runtime=nodejs)
    assert user.invoke(name).payload == ["general", "special"]


SEEN = """
import ctypes, os, subprocess
def handler(event, context):
    found = {}
    for directory, _, names in os.walk('/opt'):
        for name in names:
            path = os.path.join(directory, name)
            found[path] = [open(path).read()[:20], oct(os.stat(path).st_mode & 0o777)]
    try:
        open('/opt/new', 'w')
    except OSError as error:
        found['error'] = error.strerror
    if os.path.exists('/opt/bin/tool'):
        found['tool'] = subprocess.run(['tool'], capture_output=True, text=True).stdout
    found['libraries'] = '/opt/lib' in os.environ['LD_LIBRARY_PATH'].split(':')
    return found
"""


def test_layers_lie_over_each_other_in_order_and_cannot_be_written(
    user: Deployer, shelf: Publish, deployed: Callable[..., str]
) -> None:
    tool = ("bin/tool",)
    first = shelf({"a": "first", "d/b": "first", "bin/tool": "#!/bin/sh\necho 1"}, executable=tool)
    second = shelf({"a": "second", "d/c": "second", "lib/l.so": "x"})
    third = shelf({"d/c": "third", "bin/tool": "#!/bin/sh\necho 3"}, executable=tool)
    name = deployed(SEEN, first, second, third)
    assert user.invoke(name).payload == {
        "/opt/a": ["second", "0o644"],
        "/opt/d/b": ["first", "0o644"],
        "/opt/d/c": ["third", "0o644"],
        "/opt/lib/l.so": ["x", "0o644"],
        "/opt/bin/tool": ["#!/bin/sh\necho 3", "0o755"],
        "error": "Read-only file system",
        "tool": "3\n",
        "libraries": True,
    }
    update(user, name, Layers=[third, second, first])
    turned = user.invoke(name).payload
    assert [turned[f"/opt/{path}"][0] for path in ("a", "d/c")] == ["first", "second"]
    assert turned["tool"] == "1\n"
    update(user, name, Layers=[second])
    alone = user.invoke(name).payload
    assert sorted(path for path in alone if path.startswith("/opt")) == [
        "/opt/a",
        "/opt/d/c",
        "/opt/lib/l.so",
    ]
    assert alone["error"] == "Read-only file system"
    update(user, name, Layers=[])
    assert not [path for path in user.invoke(name).payload if path.startswith("/opt")]


def test_a_deleted_layer_goes_on_where_it_is_used(
    user: Deployer, shelf: Publish, deployed: Callable[..., str]
) -> None:
    layers = [shelf({"python/one.py": "x = 1"}), shelf({"python/two.py": "x = 2"})]
    source = "import one, two\ndef handler(event, context):\n    return one.x + two.x\n"
    name = deployed(source, *layers)
    for arn in layers:
        drop(user, arn)
    assert user.invoke(name).payload == 3  # its first environment
    update(user, name, Environment={"Variables": {"NEW": "environment"}})
    assert user.invoke(name).payload == 3
    user.lambda_.publish_version(FunctionName=name)
    update(user, name, Layers=[])
    assert user.invoke(name).error == "Unhandled"
    payload = user.lambda_.invoke(FunctionName=name, Qualifier="1")["Payload"].read()
    assert json.loads(payload) == 3


def test_a_bootstrap_may_come_from_a_layer(
    user: Deployer, shelf: Publish, deployed: Callable[..., str]
) -> None:
    runtime = "provided.al2023"
    layer = shelf({"bootstrap": BOOTSTRAP}, executable=("bootstrap",))
    name = deployed({"data": "x"}, layer, Runtime=runtime, Handler="any")
    assert user.invoke(name).payload == "/opt/bootstrap"
    other = shelf({"x": "y"})
    name = deployed({"data": "x"}, layer, other, Runtime=runtime, Handler="any")
    assert user.invoke(name).payload == "/opt/bootstrap"


def test_the_bootstrap_of_the_function_comes_first(
    user: Deployer, shelf: Publish, a_name: Callable[[], str]
) -> None:
    layer, name = shelf({"bootstrap": BOOTSTRAP}, executable=("bootstrap",)), a_name()
    user.deploy(
        name,
        {"bootstrap": BOOTSTRAP},
        executable=("bootstrap",),
        Runtime="provided.al2023",
        Handler="any",
        Layers=[layer],
    )
    assert user.invoke(name).payload == "/var/task/bootstrap"


def test_a_layer_without_a_bootstrap_starts_nothing(
    user: Deployer, shelf: Publish, deployed: Callable[..., str]
) -> None:
    name = deployed({"data": "x"}, shelf({"x": "y"}), Runtime="provided.al2023", Handler="any")
    payload = user.invoke(name).payload
    assert payload["errorType"] == "Runtime.InvalidEntrypoint"
    assert payload["errorMessage"].endswith(
        "Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    )


def test_another_account_runs_what_a_policy_lets_it_use(
    user: Deployer, lonely: Deployer, shelf: Publish, a_name: Callable[[], str]
) -> None:
    arn = shelf({"python/shared.py": "x = 'shared'"})
    layer, _, version = arn.rpartition(":")
    user.lambda_.add_layer_version_permission(
        LayerName=layer,
        VersionNumber=int(version),
        StatementId="all",
        Action="lambda:GetLayerVersion",
        Principal="*",
    )
    name = a_name()
    source = "import shared\ndef handler(event, context):\n    return shared.x\n"
    lonely.deploy(name, source, Layers=[arn])
    assert lonely.invoke(name).payload == "shared"


def test_a_link_in_a_layer_may_not_lead_out_of_it(
    user: Deployer, a_name: Callable[[], str]
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        package.writestr(link, "../../../../etc/passwd")
    with pytest.raises(user.lambda_.exceptions.InvalidParameterValueException):
        user.lambda_.publish_layer_version(
            LayerName=a_name(), Content={"ZipFile": buffer.getvalue()}
        )
