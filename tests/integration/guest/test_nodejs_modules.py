"""Where the Node.js guest finds modules: the function's, those of layers, and the SDK."""

import pytest
from tests.integration.guest.conftest import NODES

pytestmark = pytest.mark.parametrize("node", NODES)


ESM = "export const handler = async () => [typeof require, import.meta.url.slice(-8)];\n"


LAYOUTS = {
    "CommonJS": ({"app.js": "exports.handler = async () => 'cjs';"}, "app.handler", "cjs"),
    ".cjs": ({"app.cjs": "exports.handler = async () => 'cjs';"}, "app.handler", "cjs"),
    ".mjs": ({"app.mjs": ESM}, "app.handler", ["undefined", "/app.mjs"]),
    "type module": (
        {"app.js": ESM, "package.json": '{"type": "module"}'},
        "app.handler",
        ["undefined", "k/app.js"],
    ),
    "folder": ({"src/deep/app.js": "exports.handler = async () => 1;"}, "src/deep/app.handler", 1),
    "nested export": ({"app.js": "exports.a = {b: {c: async () => 2}};"}, "app.a.b.c", 2),
    "package": (
        {
            "node_modules/pkg/package.json": '{"main": "lib.js"}',
            "node_modules/pkg/lib.js": "exports.handler = async () => 3;",
        },
        "pkg.handler",
        3,
    ),
    "top-level await": (
        {"app.mjs": "const v = await Promise.resolve(4);\nexport const handler = async () => v;"},
        "app.handler",
        4,
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_finds_the_handler_wherever_aws_does(guest, node, layout):
    files, handler, answer = LAYOUTS[layout]
    served = await guest.run(node, files, [1], handler=handler)
    assert served.documents == [answer]


async def test_modules_of_layers_are_found(guest, node):
    major = node.removeprefix("nodejs").removesuffix(".x")
    layer = guest.root / "opt" / "nodejs" / f"node{major}" / "node_modules" / "layered"
    layer.mkdir(parents=True)
    (layer / "index.js").write_text("module.exports = 9;")
    app = "const layered = require('layered');\nexports.handler = async () => layered;\n"
    served = await guest.run(node, {"app.js": app}, [1])
    assert served.documents == [9]


SDK_USERS = {
    "app.js": "const { name } = require('@aws-sdk/client-x');\nexports.handler = async () => name;",
    "app.mjs": "import { name } from '@aws-sdk/client-x';\nexport async function handler() {\n"
    "  return name;\n}\n",
}


@pytest.mark.parametrize("file", SDK_USERS)
async def test_both_kinds_of_modules_find_the_sdk(guest_with_sdk, node, file):
    served = await guest_with_sdk.run(node, {file: SDK_USERS[file]}, [1])
    assert served.documents == ["sdk"]


async def test_a_missing_package_of_a_module_is_reported_as_aws_does(guest_with_sdk, node):
    app = "import 'absent';\nexport const handler = async () => 1;\n"
    served = await guest_with_sdk.run(node, {"app.mjs": app})
    assert served.documents[0]["errorType"] == "Error"
    message = served.documents[0]["errorMessage"]
    assert message.startswith("Cannot find package 'absent' imported from")
